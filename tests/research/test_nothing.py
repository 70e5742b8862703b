"""What hours of nothing are made of: only what the teacher hears no label in."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from research.nothing import without_events
from research.prepare import Ears
from research.sound_corpus import Samples
from research.streaming.material import Material

CLASSES = [[0], [1, 2]]  # of two labels, among the teacher's three
SNORE = np.full(16_000, 2.0, np.float32)
ROOM = np.full(16_000, 1.0, np.float32)


class TeacherHearsLoudOnes:
    """Says class 2 where the sound is a snore, nothing else."""

    def taught(self, waveform: Samples) -> NDArray[np.float16]:
        assert waveform.shape == (160_000,)
        hears = waveform.max() > 0.05
        return np.array([-6, -6, 3 if hears else -6], np.float16)


def test_pauses_and_beds_with_a_label_in_them_are_left_out() -> None:
    material = Material(
        sounds={},
        pictures={},
        scenes=[],
        beds=[ROOM, SNORE],
        pauses=[SNORE, ROOM, ROOM],
        spectra=[SNORE],
        faces=frozenset(),
    )

    kept = without_events(material, cast(Ears, TeacherHearsLoudOnes()), CLASSES)

    assert [wave is ROOM for wave in kept.pauses] == [True, True]
    assert len(kept.beds) == 1
    assert kept.beds[0] is ROOM
    assert len(kept.spectra) == 1  # noise with its spectrum is no snore
