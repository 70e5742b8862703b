"""What happens when in a composed stream: pure, seeded, without a sound or a picture.

A scene is a list of events with onsets, offsets and levels over the bed. It refuses to know
files: which sound or picture of a label is taken follows from each event's own seed, where the
stream is rendered.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

# both: heard and seen; unseen: heard, while the camera shows something else; sound, picture: the
# file has that sense alone; quiet, noise, rooms: nothing happens.
KINDS = ("both", "unseen", "sound", "picture", "quiet", "noise", "rooms")
EMPTY = ("quiet", "noise", "rooms")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SceneSettings:
    """How streams are composed.

    Attributes:
        minutes: Length of each stream.
        seed: Of every choice.
        snr_db: Steps of the event's loud level (95th percentile of its 20 ms RMS) over the bed's
            RMS; each label meets them in turn.
        gap_s: Shortest and longest time without an event.
        duration_s: Shortest and longest event.
        scene_s: Shortest and longest time that one picture of nothing in particular is shown.
        bed_db: RMS of the bed under events, full scale 0 dB.
        quiet_db: RMS of the bed of a quiet stream.
        noise_db: RMS of the bed of a noise-only stream.
        rooms_db: Lowest and highest RMS of a room in a stream of rooms, full scale 0 dB.
    """

    minutes: float = 30.0
    seed: int = 1
    snr_db: tuple[float, ...] = (20.0, 10.0, 0.0)
    gap_s: tuple[float, float] = (4.0, 10.0)
    duration_s: tuple[float, float] = (2.0, 6.0)
    scene_s: tuple[float, float] = (10.0, 30.0)
    bed_db: float = -45.0
    quiet_db: float = -65.0
    noise_db: float = -30.0
    rooms_db: tuple[float, float] = (-60.0, -30.0)

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 24 * 60:
            raise ValueError(f"minutes must be over 0 and at most a day, got {self.minutes}")
        for name in ("gap_s", "duration_s", "scene_s"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be two times over 0, rising, got {low} and {high}")
        if not self.rooms_db[0] <= self.rooms_db[1] <= 0:
            raise ValueError(f"rooms_db must be two levels up to 0, rising, got {self.rooms_db}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SceneEvent:
    """One event of a scene.

    Attributes:
        label: What happens.
        onset_s: Stream seconds.
        offset_s: Likewise, exclusive.
        snr_db: Level over the bed; None where it is not heard.
        seed: Fixes which sound and which picture it is.
    """

    label: str
    onset_s: float
    offset_s: float
    snr_db: float | None
    seed: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A whole stream.

    Attributes:
        kind: One of `KINDS`.
        seconds: Its length.
        events: In order of time, never two at once.
        seed: Fixes beds and scenes.
    """

    kind: str
    seconds: float
    events: tuple[SceneEvent, ...]
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return dataclasses.asdict(self)


def compose(kind: str, labels: Sequence[str], settings: SceneSettings) -> Scene:
    """Lay out a stream.

    Args:
        kind: One of `KINDS`.
        labels: What may happen in it; each happens once before one happens twice.
        settings: Lengths, levels and the seed.

    Raises:
        ValueError: No such kind, or nothing that may happen.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind not in EMPTY and not labels:
        raise ValueError(f"a stream of kind {kind} needs labels that may happen in it")
    rng = np.random.default_rng((settings.seed, KINDS.index(kind)))
    seconds = settings.minutes * 60.0
    events: list[SceneEvent] = []
    at_s = 0.0 if kind in EMPTY else float(rng.uniform(*settings.gap_s))
    waiting: list[str] = []
    # Every label begins at another step, so that a short stream has all of them too.
    step_of = {label: int(rng.integers(0, len(settings.snr_db))) for label in labels}
    while kind not in EMPTY:
        offset_s = at_s + float(rng.uniform(*settings.duration_s))
        if offset_s >= seconds:
            break
        if not waiting:
            waiting = [str(label) for label in rng.permutation(list(labels))]
        label = waiting.pop()
        step_of[label] += 1
        snr_db = settings.snr_db[step_of[label] % len(settings.snr_db)]
        events.append(
            SceneEvent(
                label=label,
                onset_s=round(at_s, 3),
                offset_s=round(offset_s, 3),
                snr_db=None if kind == "picture" else snr_db,
                seed=int(rng.integers(0, 2**31)),
            )
        )
        at_s = offset_s + float(rng.uniform(*settings.gap_s))
    return Scene(kind=kind, seconds=seconds, events=tuple(events), seed=int(rng.integers(0, 2**31)))
