"""What a round of the scheduler costs an actor: measured on this machine, or published of a GPU.

`python -m benchmarks.pool_simulation` replays them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from extractors.backends import N_THREADS
from realtime.bundle_settings import find_bundle
from realtime.clock import NS_PER_S, BootClock
from realtime.packets import CLIP_SAMPLES, CLIP_SLOTS, SLOT_NS, Clip, GridFrame
from realtime.recognition.batch import BatchRecognizer
from realtime.recognition.models import load_models
from realtime.stats import Stats
from weights.store import default_home

SIZES = (1, 2, 4, 8, 16)  # frames or clips at once
_N_TIMES = 15
_FRAMES_A_HOP = 2  # the starter's 8 pictures a second, at a hop of 0.25 s

# NVIDIA/DeepLearningExamples, PyTorch/Classification/ConvNets/efficientnet/README.md, "Inference
# performance: NVIDIA A100 (1x A100 80GB)", TF32, efficientnet-b0, 224 x 224: average latency in ms
# by batch size. EfficientNet-B0 is the starter's Lite0 with squeeze-and-excitation besides.
A100_MS = {1: 9.33, 2: 9.39, 4: 9.68, 8: 9.85, 16: 10.27, 32: 11.46, 64: 19.58, 128: 31.03}


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Milliseconds of an actor by how much is computed at once.

    Attributes:
        name: Of the machine.
        frames_ms: Of so many pictures through their trunk.
        sounds_ms: Of so many seconds of sound through theirs.
        head_ms: Of so many clips through the rest: MAFnet, windows, decisions.
    """

    name: str
    frames_ms: Mapping[int, float]
    sounds_ms: Mapping[int, float]
    head_ms: Mapping[int, float]

    def frames_ns(self, n_frames: int) -> int:
        """Return what so many pictures cost."""
        return self._frames[min(n_frames, len(self._frames) - 1)]

    def clips_ns(self, n_clips: int) -> int:
        """Return what so many clips cost, without their pictures."""
        return self._clips[min(n_clips, len(self._clips) - 1)]

    @cached_property
    def _frames(self) -> list[int]:
        return [_between(self.frames_ms, n) for n in range(513)]

    @cached_property
    def _clips(self) -> list[int]:
        return [_between(self.sounds_ms, n) + _between(self.head_ms, n) for n in range(513)]


def _between(of_sizes: Mapping[int, float], n: int) -> int:
    if not n:
        return 0
    sizes = sorted(of_sizes)
    last, before = sizes[-1], sizes[-2]
    if n > last:  # as the last two go on
        slope = (of_sizes[last] - of_sizes[before]) / (last - before)
        return round((of_sizes[last] + slope * (n - last)) * 1e6)
    return round(float(np.interp(n, sizes, [of_sizes[size] for size in sizes])) * 1e6)


def measured(backend: str) -> Costs:
    """Measure the starter on one core of this machine.

    It is processor time, the median: what others do here meanwhile counts little.

    Args:
        backend: Of the trunks.

    Raises:
        ValueError: The process computes with more threads than one.
    """
    bundle = find_bundle("starter")
    models = load_models(bundle, backend=backend, home=default_home())
    if N_THREADS != 1:
        raise ValueError(f"start this with OMP_NUM_THREADS=1, torch has {N_THREADS} threads")
    clock = BootClock()
    recognizer = BatchRecognizer(models, clock)
    names = [f"stream-{k}" for k in range(max(SIZES))]
    for each in names:
        recognizer.add(each, n_clips=10, stride_ns=NS_PER_S // 4, stats=Stats(), dated=True)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    sound = (0.1 * random.standard_normal(CLIP_SAMPLES)).astype(np.float32)

    def frames(slots: range) -> list[GridFrame]:
        return [GridFrame(slot=slot, time_ns=slot * SLOT_NS, image=image) for slot in slots]

    frames_ms: dict[int, list[float]] = {size: [] for size in SIZES}
    sounds_ms: dict[int, list[float]] = {size: [] for size in SIZES}
    clips_ms: dict[int, list[float]] = {size: [] for size in SIZES}
    index, end_slot = 0, CLIP_SLOTS
    for turn in range(_N_TIMES + 1):
        for size in SIZES:
            took = [_timed(lambda n=size: recognizer.encode([(names[0], frames(range(n)))]))]
            took.append(_timed(lambda n=size: models.trunks.encode_log_mel(
                models.front_end(torch.from_numpy(np.stack([sound] * n))))))  # fmt: skip
            shown = range(end_slot - CLIP_SLOTS, end_slot)
            recognizer.encode([(each, frames(shown)) for each in names[:size]])
            work = [
                (each, _clip(index, end_slot, sound, tuple(shown), clock.now_ns()))
                for each in names[:size]
            ]
            took.append(_timed(lambda due=work: recognizer.step(due)))
            end_slot += CLIP_SLOTS // 4
            index += 1
            if turn:  # the first one warms up
                for times, ms in zip((frames_ms, sounds_ms, clips_ms), took, strict=True):
                    times[size].append(ms)
    medians = [
        {size: float(np.median(each)) for size, each in times.items()}
        for times in (frames_ms, sounds_ms, clips_ms)
    ]
    head_ms = {size: max(0.0, medians[2][size] - medians[1][size]) for size in SIZES}
    name = f"1 core, {models.describe()}"
    return Costs(name=name, frames_ms=medians[0], sounds_ms=medians[1], head_ms=head_ms)


def published(cpu: Costs) -> Costs:
    """Return an A100's: both trunks as its published EfficientNet-B0, the rest as measured here."""
    return Costs(name="A100", frames_ms=A100_MS, sounds_ms=A100_MS, head_ms=cpu.head_ms)


def _clip(
    index: int, end_slot: int, sound: np.ndarray, slots: tuple[int, ...], now_ns: int
) -> Clip:
    return Clip(
        index=index,
        end_t_ns=end_slot * SLOT_NS,
        decide=True,
        waveform=sound,
        slots=slots,
        new_frames=(),
        newest_ns=now_ns,
        av_skew_ms=None,
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    with torch.inference_mode():
        work()
    return (time.process_time() - began) * 1e3
