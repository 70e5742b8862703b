"""A streamed file gives what one full forward pass over the whole window gives.

The head is the real MAFnet and the log-mel the real one; the two trunks are small stand-ins with
the right shapes, so that every hop and every T can be tried in seconds.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.frame_transform import FrameTransform
from extractors.log_mel import LogMel
from extractors.openvino_graphs import convert
from extractors.openvino_trunks import OpenVinoTrunk, with_pixels_in
from extractors.trunks import OpenVinoTrunks, TorchTrunks
from mafnet.evidence import EvidenceClasses
from mafnet.model import MAFnet, MAFnetConfig
from realtime.buffers.audio_clock import AudioClock
from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import FrameRing
from realtime.buffers.signal import DataSignal
from realtime.clips.assembler import ClipAssembler
from realtime.clock import NS_PER_S, MonotonicClock, Timeline
from realtime.config import SourceConfig, WindowConfig
from realtime.packets import (
    CLIP_SAMPLES,
    CLIP_SLOTS,
    GRID_HZ,
    SAMPLE_RATE,
    SLOT_NS,
    Prediction,
    Sense,
)
from realtime.recognition.batch import BatchRecognizer
from realtime.recognition.models import Models
from realtime.stats import Stats
from realtime.threads.mailbox import Policy

SAMPLES_PER_SLOT = SAMPLE_RATE // GRID_HZ
SIZE = 8
DIM = 12
N_LABELS = 5
LONG_S = 11  # a full window of ten clips, and one clip more
SHORT_S = 4
ATOL = 1e-5  # float32; batches of other sizes round otherwise


class SmallPictureTrunk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, DIM, 4, stride=4)

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.relu(self.conv(pixels)).mean(dim=(2, 3))


class SmallSoundTrunk(nn.Module):
    def __init__(self, channels: int = 512, size: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, size, stride=size)

    def forward(self, log_mel: Tensor) -> Tensor:
        return torch.relu(self.conv(log_mel))


@dataclass(frozen=True)
class Scene:
    models: Models
    exact: TorchTrunks  # what the full forward pass computes with, whatever streams
    images: NDArray[np.uint8]  # one a slot
    waveform: NDArray[np.float32]


CLASSES = EvidenceClasses(
    sound=tuple((k, k + 7) for k in range(N_LABELS)),
    picture=tuple((3 * k,) if k % 2 else () for k in range(N_LABELS)),
)


@pytest.fixture(scope="module", params=["torch", "openvino", "classes"])
def scene(request: pytest.FixtureRequest) -> Scene:
    if request.param == "openvino":
        pytest.importorskip("openvino")
    torch.manual_seed(7)
    random = np.random.default_rng(7)
    config, sound = MAFnetConfig(visual_dim=DIM, n_labels=N_LABELS), SmallSoundTrunk()
    if request.param == "classes":  # YAMNet's map, several labels at once
        config = dataclasses.replace(
            config, sound_map=(1024, 3, 2), evidence=CLASSES, activation="sigmoid"
        )
        sound = SmallSoundTrunk(1024, 32)
    head = MAFnet(config)
    with torch.no_grad():  # statistics as if trained, so that the norms do something
        for name, buffer in head.named_buffers():
            if "running" not in name:
                continue
            buffer.copy_(torch.rand_like(buffer) + (0.5 if "var" in name else -0.5))
    exact = TorchTrunks(
        visual=SmallPictureTrunk().eval(),  # type: ignore[arg-type]  # a stand-in
        transform=FrameTransform(
            resize_to=SIZE,
            size=SIZE,
            crop="none",
            interpolation="nearest",
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
        ),
        sound=sound.eval(),  # type: ignore[arg-type]  # a stand-in
        device=torch.device("cpu"),
    )
    models = Models(
        trunks=on_openvino(exact) if request.param == "openvino" else exact,
        front_end=LogMel().eval(),
        head=head.eval(),
        device=torch.device("cpu"),
    )
    images = random.integers(0, 256, (LONG_S * CLIP_SLOTS, SIZE, SIZE, 3), dtype=np.uint8)
    loudness = np.repeat(random.uniform(0.01, 0.5, LONG_S * 4), SAMPLE_RATE // 4)
    waveform = (loudness * random.standard_normal(LONG_S * SAMPLE_RATE)).clip(-1, 1)
    return Scene(models, exact, images, waveform.astype(np.float32))


def on_openvino(trunks: TorchTrunks) -> OpenVinoTrunks:
    picture = with_pixels_in(convert(trunks.visual, (3, SIZE, SIZE)), trunks.transform)
    return OpenVinoTrunks(
        visual=OpenVinoTrunk(picture, "float32", n_threads=1),
        sound=OpenVinoTrunk(convert(trunks.sound, (1, 96, 64)), "float32", n_threads=1),
        precision="float32",
    )


def stream(
    scene: Scene,
    hop_s: float,
    n_clips: int,
    duration_s: int,
    senses: tuple[Sense, ...] = tuple(Sense),
) -> list[Prediction]:
    images = scene.images[: duration_s * CLIP_SLOTS]
    waveform = scene.waveform[: duration_s * SAMPLE_RATE]
    stats, signal, timeline = Stats(), DataSignal(), Timeline()
    timeline.start(0)
    frames = FrameRing(len(images), SIZE, Policy.WAIT, signal, stats)
    sounds = AudioRing(len(waveform), Policy.WAIT, signal, stats)
    sounds.clock = AudioClock.exact(0)
    for slot, image in enumerate(images):
        frames.append(slot, slot * SLOT_NS, image)
    sounds.append(waveform)
    frames.end()
    sounds.end()
    window = WindowConfig(hop_s=hop_s, n_clips=n_clips)
    clock = MonotonicClock()
    assembler = ClipAssembler(
        SourceConfig(name="file", kind="media", media="file"),
        window,
        timeline,
        frames if Sense.PICTURE in senses else None,
        sounds if Sense.SOUND in senses else None,
        clock,
        stats,
    )
    recognizer = BatchRecognizer(scene.models, clock)
    recognizer.add("file", n_clips=n_clips, stride_ns=assembler.stride_ns, stats=stats, dated=False)
    predictions = []
    while (clip := assembler.poll()[0]) is not None:
        (prediction,) = recognizer.step([("file", clip)])
        if prediction is not None:
            predictions.append(prediction)
    assert assembler.finished
    if Sense.PICTURE in senses:
        assert stats.snapshot().count("encoded_frames") == len(images)  # each frame once
    return predictions


@torch.inference_mode()
def offline(
    scene: Scene, end_slot: int, n_clips: int, senses: tuple[bool, bool] = (True, True)
) -> tuple[Tensor, Tensor]:
    """One forward pass over the window that ends at `end_slot`: probabilities and attention."""
    ends = [end_slot - k * CLIP_SLOTS for k in reversed(range(n_clips))]
    ends = [end for end in ends if end >= CLIP_SLOTS]
    visual, audio = [], []
    for end in ends:
        images = torch.from_numpy(scene.images[end - CLIP_SLOTS : end])
        pixels = scene.exact.transform.normalize(images)
        visual.append(scene.exact.visual(pixels).mean(dim=0))
        stop = end * SAMPLES_PER_SLOT
        second = torch.from_numpy(scene.waveform[stop - CLIP_SAMPLES : stop])[None]
        audio.append(scene.exact.sound(scene.models.front_end(second))[0])
    output = scene.models.head(
        torch.stack(visual)[None],
        torch.stack(audio)[None],
        torch.tensor(senses).expand(1, len(ends), 2),
    )
    return output.probabilities[0], output.attention[0]


def check(scene: Scene, hop_s: float, n_clips: int, duration_s: int) -> None:
    predictions = stream(scene, hop_s, n_clips, duration_s)

    hop_slots = round(hop_s * CLIP_SLOTS)
    n_expected = (duration_s - 1) * CLIP_SLOTS // hop_slots + 1
    assert len(predictions) == n_expected
    for index, prediction in enumerate(predictions):
        end_slot = CLIP_SLOTS + index * hop_slots
        assert prediction.end_t_ns == end_slot * SLOT_NS
        assert prediction.n_clips == min(n_clips, end_slot // CLIP_SLOTS)
        if index not in (0, n_expected // 2, n_expected - 1):
            continue  # the reference recomputes everything
        probabilities, attention = offline(scene, end_slot, n_clips)
        np.testing.assert_allclose(prediction.window, probabilities, rtol=0, atol=ATOL)
        np.testing.assert_allclose(prediction.attention, attention, rtol=0, atol=ATOL)
        newest, _ = offline(scene, end_slot, 1)
        np.testing.assert_allclose(prediction.newest, newest, rtol=0, atol=ATOL)
        assert prediction.alone is not None
        for alone, senses in zip(prediction.alone, ((True, False), (False, True)), strict=True):
            for found, n in zip(alone, (n_clips, 1), strict=True):
                masked, _ = offline(scene, end_slot, n, senses)
                np.testing.assert_allclose(found, masked, rtol=0, atol=ATOL)


@pytest.mark.parametrize("hop_slots", range(1, CLIP_SLOTS + 1))
def test_streamed_result_equals_the_full_forward_pass_at_every_hop(
    scene: Scene, hop_slots: int
) -> None:
    check(scene, hop_slots / CLIP_SLOTS, n_clips=3, duration_s=SHORT_S)


@pytest.mark.parametrize("n_clips", range(1, 11))
def test_streamed_result_equals_the_full_forward_pass_at_every_window_length(
    scene: Scene, n_clips: int
) -> None:
    check(scene, 0.5, n_clips, duration_s=LONG_S)


def test_streamed_result_equals_the_full_forward_pass_when_hop_and_second_interleave(
    scene: Scene,
) -> None:
    check(scene, 3 / CLIP_SLOTS, n_clips=10, duration_s=LONG_S)


def test_same_file_gives_the_same_predictions_every_time(scene: Scene) -> None:
    first, second = (stream(scene, 0.25, 10, SHORT_S) for _ in range(2))

    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.window, b.window)
        np.testing.assert_array_equal(a.newest, b.newest)


@pytest.mark.parametrize("sense", list(Sense))
def test_what_a_sense_says_alone_is_what_a_stream_of_it_alone_would_say(
    scene: Scene, sense: Sense
) -> None:
    both = stream(scene, 0.5, 3, LONG_S)
    single = stream(scene, 0.5, 3, LONG_S, (sense,))

    assert len(both) == len(single)
    for of_both, of_one in zip(both, single, strict=True):
        assert of_both.alone is not None
        assert of_one.alone is not None
        window, newest = of_both.alone[list(Sense).index(sense)]
        np.testing.assert_allclose(window, of_one.window, rtol=0, atol=ATOL)
        np.testing.assert_allclose(newest, of_one.newest, rtol=0, atol=ATOL)
        missing = of_one.alone[1 - list(Sense).index(sense)]
        assert not missing.any()


def test_window_says_which_clips_it_has(scene: Scene) -> None:
    for prediction in stream(scene, 0.25, 3, SHORT_S):
        newest = prediction.end_t_ns
        ends = [newest - k * NS_PER_S for k in reversed(range(3)) if newest - k * NS_PER_S > 0]
        assert list(prediction.clip_ends_t_ns) == [end for end in ends if end >= NS_PER_S]
