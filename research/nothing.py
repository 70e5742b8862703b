"""Hours in which nothing of the vocabulary happens, made of what training never saw.

Place in the flow: material of the test split → **hours of nothing** → `research.compare`. Pauses
and beds in which the teacher hears a label are left out: a snore that is looped for an hour proves
nothing. The camera stands still, so each picture is looked at once.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from extractors.media import read_picture
from research.lessons import TEACHER_OFFSET, UNHEARD
from research.listeners import of_labels
from research.prepare import Ears
from research.sound_corpus import Samples
from research.sound_pauses import mirrored
from research.streaming.material import Material
from research.streaming.render import render_sound
from research.streaming.scene import SceneSettings, compose
from research.streams import HOPS_A_SECOND, Eyes, StreamFeatures, hear, read_features

EMPTY_MINUTES = {"rooms": 30.0, "noise": 15.0, "quiet": 15.0}  # of each hour
SOFTER_DB = 4.0  # by so much noise falls each hour
TOLD_AT = 0.03  # RMS at which the teacher hears a pause, full scale 1: -30 dBFS, a loud room
TOLD_S = 10


def without_events(material: Material, ears: Ears, classes: list[list[int]]) -> Material:
    """Leave out pauses and beds in which the teacher hears a label.

    Args:
        material: Of a split.
        ears: With the teacher.
        classes: Of each label, among the teacher's.
    """

    def is_empty(wave: Samples) -> bool:
        heard = ears.taught(mirrored(wave, TOLD_S * SAMPLE_RATE)[: TOLD_S * SAMPLE_RATE] * TOLD_AT)
        logits = of_labels(heard.astype(np.float32), classes) + TEACHER_OFFSET
        return bool(1 / (1 + np.exp(-logits.max())) < UNHEARD)

    return dataclasses.replace(
        material,
        pauses=[wave for wave in material.pauses if is_empty(wave)],
        beds=[wave for wave in material.beds if is_empty(wave)],
    )


def empty_streams(
    folder: Path, hours: int, material: Material, ears: Ears, eyes: Eyes
) -> Iterator[tuple[str, StreamFeatures]]:
    """Compose and hear the hours, or read what an earlier call kept.

    Yields:
        Kind and features of each stream.
    """
    stills: NDArray[np.float16] | None = None
    for hour in range(hours):
        for kind, minutes in EMPTY_MINUTES.items():
            path = folder / f"{kind}-{hour}.npz"
            if not path.exists():
                if stills is None:
                    stills = _stills(material.scenes, eyes)
                settings = SceneSettings(
                    minutes=minutes, seed=100 + hour, noise_db=-30.0 - SOFTER_DB * hour
                )
                _features(kind, settings, material, stills, ears).write(path)
            yield kind, read_features(path)


def _stills(pictures: Sequence[Path], eyes: Eyes) -> NDArray[np.float16]:
    return np.concatenate([eyes.look([read_picture(path)]) for path in pictures]).astype(np.float16)


def _features(
    kind: str,
    settings: SceneSettings,
    material: Material,
    stills: NDArray[np.float16],
    ears: Ears,
) -> StreamFeatures:
    scene = compose(kind, [], settings)
    pcm = render_sound(scene, material, settings)[: round(scene.seconds * SAMPLE_RATE)]
    early = hear(pcm.astype(np.float32) / np.float32(32767), ears)
    rng = np.random.default_rng((scene.seed, 1))
    visual = np.zeros((len(early), stills.shape[1]), np.float16)
    first = 0
    while first < len(early):
        until = first + round(float(rng.uniform(*settings.scene_s)) * HOPS_A_SECOND)
        visual[first:until] = stills[int(rng.integers(0, len(stills)))]
        first = until
    return StreamFeatures(early=early, visual=visual, present=np.ones(2, np.bool_))
