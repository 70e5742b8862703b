"""The scripted faults: what they do to the blocks and frames of a device before they arrive.

A device's deliveries are a list; each fault takes one list and gives another, and says what it
destroyed, so that a test can hold the counters to it. Times are seconds of the run's clock, which
starts at 0 with the stream.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
BLOCK_S = 0.02
BLOCK_SAMPLES = 320
FRAME_S = 0.04


@dataclass(frozen=True, slots=True)
class Delivery:
    """One block or frame.

    Attributes:
        at_s: When it reaches the reader.
        dated_s: When its first sample was heard, or it was seen, as the reader dates it.
        true_s: When that really was.
        payload: Samples float32 `(n,)` or `(n, channels)`; a picture RGB uint8 `(H, W, 3)`.
        rate: Of a block, Hz.
    """

    at_s: float
    dated_s: float
    true_s: float
    payload: NDArray[Any]
    rate: int = SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line of a script: what, on which sense, from when, for how long, how much.

    `reach_s` is how far beyond its end it may be felt by right: what was destroyed cannot be
    waited for, and 3 s are what recovery may take.
    """

    kind: str
    sense: str  # sound, picture, or run
    start_s: float
    length_s: float
    amount: float = 0.0

    @property
    def end_s(self) -> float:
        return self.start_s + self.length_s


@dataclass
class Injected:
    """What the layer did, by the name of the counter that must show it."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, n: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + n


def apply(
    deliveries: list[Delivery], faults: list[Fault], sense: str, injected: Injected, seed: int = 0
) -> list[Delivery]:
    """Put the faults of one sense on its deliveries; return them in order of arrival."""
    rng = random.Random(seed)
    for fault in faults:
        if fault.sense != sense:
            continue
        hit = [d for d in deliveries if fault.start_s <= d.true_s < fault.end_s]
        rest = [d for d in deliveries if not fault.start_s <= d.true_s < fault.end_s]
        deliveries = [*rest, *_KINDS[fault.kind](hit, fault, rng, injected)]
    return sorted(deliveries, key=lambda d: (d.at_s, d.true_s))


def _stall(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Nothing comes, then all of it at once, dated by its arrival as a driver's queue is."""
    return [
        replace(d, at_s=max(d.at_s, fault.end_s), dated_s=max(d.dated_s, fault.end_s - BLOCK_S))
        for d in hit
    ]


def _drop(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Nothing comes and nothing is kept: an unplugged cable, an overrun."""
    if fault.sense == "sound":
        injected.add("lost_samples", sum(len(d.payload) for d in hit))
    return []


def _loss(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Each block or frame is lost with the fault's amount as its chance."""
    kept = [d for d in hit if rng.random() >= fault.amount]
    if fault.sense == "sound":
        n_samples = sum(len(d.payload) for d in hit) - sum(len(d.payload) for d in kept)
        injected.add("lost_samples", n_samples)
    return kept


def _swap(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Neighbours change places, with their dates."""
    out = list(hit)
    for k in range(0, len(out) - 1, 2):
        first, second = out[k], out[k + 1]
        out[k] = replace(second, at_s=second.at_s)
        out[k + 1] = replace(first, at_s=second.at_s + 1e-6)
        if fault.sense == "picture":
            injected.add("dropped_frames", 1)  # the one whose time lies before what came
    return out


def _late(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Each comes up to the fault's amount of seconds late, in order, dated by its arrival."""
    out, newest_s = [], 0.0
    for d in hit:
        late_s = rng.random() * fault.amount
        newest_s = max(newest_s, d.at_s + late_s)
        out.append(replace(d, at_s=newest_s, dated_s=d.dated_s + newest_s - d.at_s))
    return out


def _nan(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    out = []
    for d in hit:
        samples = d.payload.copy()
        samples[::7] = rng.choice((np.nan, np.inf, -np.inf))
        injected.add("bad_samples", len(samples[::7]))
        out.append(replace(d, payload=samples))
    return out


def _full_scale(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Far above full scale, as a float device may send."""
    return [
        replace(d, payload=np.where(d.payload >= 0, 1e30, -1e30).astype(np.float32)) for d in hit
    ]


def _tear(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Half of a picture is noise; of a block only the first half comes."""
    out = []
    noise = np.random.default_rng(rng.randrange(1 << 30))
    for d in hit:
        if fault.sense == "sound":
            injected.add("lost_samples", len(d.payload) - len(d.payload) // 2)
            out.append(replace(d, payload=d.payload[: len(d.payload) // 2]))
            continue
        image = d.payload.copy()
        half = len(image) // 2
        image[half:] = noise.integers(0, 60, image[half:].shape, np.uint8)
        out.append(replace(d, payload=image))
    return out


def _resize(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Other sizes in mid-stream, each frame another."""
    out = []
    for d in hit:
        height, width = rng.choice(((8, 8), (1, 1), (48, 2), (3, 100), (120, 160)))
        colour = d.payload[0, 0]
        out.append(replace(d, payload=np.broadcast_to(colour, (height, width, 3)).copy()))
    return out


def _repeat(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Each comes twice with the same date, as some capture cards do."""
    return [d for one in hit for d in (one, replace(one, at_s=one.at_s + 1e-6))]


def _jump(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """The device's clock is off by the fault's amount of seconds while it lasts."""
    return [replace(d, dated_s=d.dated_s + fault.amount) for d in hit]


def _channels(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Another number of channels, told beforehand."""
    return [replace(d, payload=np.tile(d.payload[:, None], (1, int(fault.amount)))) for d in hit]


def _rate(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Another rate, told beforehand: every sample a few times, or every few samples one."""
    factor = fault.amount
    out = []
    for d in hit:
        index = (np.arange(round(len(d.payload) * factor)) / factor).astype(int)
        out.append(replace(d, payload=d.payload[index], rate=round(SAMPLE_RATE * factor)))
    return out


def _wrong_rate(
    hit: list[Delivery], fault: Fault, rng: random.Random, injected: Injected
) -> list[Delivery]:
    """Another rate than is told: fewer or more samples come in a block's time."""
    factor = 1.0 + fault.amount
    out = []
    for d in hit:
        index = (np.arange(round(len(d.payload) * factor)) / factor).astype(int)
        out.append(replace(d, payload=d.payload[np.minimum(index, len(d.payload) - 1)]))
    return out


_KINDS = {
    "stall": _stall,
    "drop": _drop,
    "loss": _loss,
    "swap": _swap,
    "late": _late,
    "nan": _nan,
    "full scale": _full_scale,
    "tear": _tear,
    "resize": _resize,
    "repeat": _repeat,
    "jump": _jump,
    "channels": _channels,
    "rate": _rate,
    "wrong rate": _wrong_rate,
}
SOUND_KINDS = (
    "stall", "drop", "loss", "swap", "late", "nan", "full scale", "tear", "jump", "channels",
    "rate", "wrong rate",
)  # fmt: skip
PICTURE_KINDS = ("stall", "drop", "loss", "swap", "late", "tear", "resize", "repeat", "jump")
