"""What the recognizer keeps and forgets between clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from extractors.frame_transform import FrameTransform
from extractors.log_mel import LogMel
from extractors.trunks import TorchTrunks
from mafnet.evidence import EvidenceClasses
from mafnet.model import MAFnet, MAFnetConfig
from realtime.clock import ManualClock
from realtime.packets import CLIP_SLOTS, SLOT_NS, Clip, GridFrame, Prediction
from realtime.recognition.batch import BatchRecognizer
from realtime.recognition.memory import FrameFeatures
from realtime.recognition.models import Models
from realtime.stats import Stats

SIZE = 4
MISSING = (-1,) * CLIP_SLOTS


class MeanColour(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean(dim=(2, 3))


class Bench:
    """A recognizer of one stream."""

    def __init__(self, models: Models) -> None:
        self.batch = BatchRecognizer(models, ManualClock())
        self.batch.add("one", n_clips=3, stride_ns=4 * SLOT_NS, stats=Stats(), dated=False)

    def step(self, clip: Clip) -> Prediction | None:
        (prediction,) = self.batch.step([("one", clip)])
        return prediction


@pytest.fixture
def recognizer() -> Bench:
    torch.manual_seed(0)
    return Bench(make_models())


def make_models(**config: Any) -> Models:
    return Models(
        trunks=TorchTrunks(
            visual=MeanColour(),  # type: ignore[arg-type]  # a stand-in
            transform=FrameTransform(
                resize_to=SIZE,
                size=SIZE,
                crop="none",
                interpolation="nearest",
                mean=(0.5, 0.5, 0.5),
                std=(0.5, 0.5, 0.5),
            ),
            sound=nn.Identity(),  # type: ignore[arg-type]  # these clips are silent
            device=torch.device("cpu"),
        ),
        front_end=LogMel().eval(),
        head=MAFnet(MAFnetConfig(visual_dim=3, n_labels=2, **config)).eval(),
        device=torch.device("cpu"),
    )


def clip(end_slot: int, slots: tuple[int, ...], new: range) -> Clip:
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    return Clip(
        index=(end_slot - CLIP_SLOTS) // 4,
        end_t_ns=end_slot * SLOT_NS,
        decide=True,
        waveform=None,
        slots=slots,
        new_frames=tuple(GridFrame(slot=s, time_ns=s * SLOT_NS, image=image) for s in new),
        newest_ns=end_slot * SLOT_NS,
        av_skew_ms=None,
    )


def test_frames_of_a_clip_without_picture_serve_the_next_one(recognizer: Bench) -> None:
    recognizer.step(clip(16, MISSING, range(12, 16)))  # too few to be a picture

    prediction = recognizer.step(clip(20, (-1,) * 8 + tuple(range(12, 20)), range(16, 20)))

    assert prediction is not None
    assert prediction.present[-1].tolist() == [True, False]


def test_held_frame_is_kept_however_long_it_is_shown(recognizer: Bench) -> None:
    recognizer.step(clip(16, (0,) * CLIP_SLOTS, range(1)))
    for end_slot in range(20, 400, 4):
        recognizer.step(clip(end_slot, MISSING, range(0)))

    prediction = recognizer.step(clip(400, (0,) * CLIP_SLOTS, range(0)))

    assert prediction is not None
    assert prediction.present[-1].tolist() == [True, False]


def test_features_are_forgotten_once_no_later_clip_can_show_their_frame() -> None:
    features = FrameFeatures()
    for end_slot in range(16, 1600, 4):
        slots = range(end_slot - CLIP_SLOTS, end_slot)
        new = slots[-4:] if end_slot > 16 else slots
        features.keep(new, torch.zeros(len(new), 3))
        assert features.mean(slots) is not None
        features.forget(slots[0])

    assert len(features) <= CLIP_SLOTS


def test_streams_of_one_batch_keep_to_their_own_memories() -> None:
    torch.manual_seed(0)
    models = make_models()
    both = BatchRecognizer(models, ManualClock())
    for name in ("seen", "blind"):
        both.add(name, n_clips=3, stride_ns=4 * SLOT_NS, stats=Stats(), dated=False)
    shown, hidden = clip(16, tuple(range(16)), range(16)), clip(16, MISSING, range(0))

    seen, blind = both.step([("seen", shown), ("blind", hidden)])

    assert seen is not None
    assert blind is not None
    assert [each.present[-1].tolist() for each in (seen, blind)] == [[True, False], [False, False]]
    alone = Bench(models).step(shown)
    assert alone is not None
    np.testing.assert_allclose(seen.window, alone.window, atol=1e-6)


def test_silent_clips_are_decided_when_the_sound_map_is_not_the_papers() -> None:
    classes = EvidenceClasses(sound=((0,), (1,)), picture=((2,), ()))
    models = make_models(sound_map=(24, 3, 2), evidence=classes, activation="sigmoid")

    prediction = Bench(models).step(clip(16, tuple(range(16)), range(16)))

    assert prediction is not None
    assert prediction.present[-1].tolist() == [True, False]
    assert (prediction.window > 0).all()


def test_prediction_names_its_clips_when_some_were_skipped(recognizer: Bench) -> None:
    for end_slot in (16, 20, 32, 52, 68):
        prediction = recognizer.step(clip(end_slot, MISSING, range(0)))

    assert prediction is not None  # of three clips the one a second ago is there, not two
    assert prediction.clip_ends_t_ns == (52 * SLOT_NS, 68 * SLOT_NS)
    assert prediction.n_clips == 2
    assert prediction.attention.shape == (2, 2)
