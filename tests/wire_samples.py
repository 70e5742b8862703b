"""Packets and messages that several tests of the outputs build on."""

from datetime import UTC, datetime

import numpy as np

from realtime.clock import NS_PER_S, ManualClock, Timeline, WallClock
from realtime.outputs.stamper import MessageStamper
from realtime.packets import Event, Phase, Prediction, Sense, SenseState, SenseStatus

LABELS = (
    "Background",
    "Siren",
    "Male speech, man speaking",
    "Fixed-wing aircraft, airplane",
    "Bark",
)
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROBABILITIES = (0.02, 0.91, 0.55, 0.31, 0.12)


def make_stamper(clock: ManualClock | None = None) -> MessageStamper:
    clock = clock or ManualClock()
    return MessageStamper("a1b2c3d4", clock, WallClock.fixed(STARTED, clock.now_ns()))


def make_timeline() -> Timeline:
    timeline = Timeline(WallClock.fixed(STARTED), 0)
    timeline.start(0)
    return timeline


def make_prediction(
    n_clips: int = 3,
    *,
    latency_ms: float | None = 41.0,
    probabilities: tuple[float, ...] = PROBABILITIES,
    end_t_ns: int = 12 * NS_PER_S,
    newest_ns: int = 0,
) -> Prediction:
    """Sound has three quarters of the attention, most of it in the newest clip."""
    weights = np.arange(1, n_clips + 1, dtype=np.float32)[:, None] * np.array([[1, 3]], np.float32)
    return Prediction(
        end_t_ns=end_t_ns,
        window=np.array(probabilities, np.float32),
        newest=np.array(probabilities, np.float32),
        attention=weights / weights.sum(),
        present=np.ones((n_clips, 2), np.bool_),
        newest_ns=newest_ns,
        latency_ms=latency_ms,
        compute_ms=35.0,
        av_skew_ms=12.34567,
        gap_samples=0,
    )


def make_event(
    number: int = 1,
    label: str = "Siren",
    onset_s: float = 10.25,
    offset_s: float | None = None,
    phase: Phase | None = None,
    confidence: float = 0.97,
) -> Event:
    ended = offset_s is not None
    return Event(
        number=number,
        phase=phase or (Phase.OFFSET if ended else Phase.ONSET),
        label=label,
        confidence=confidence,
        score=0.9,
        onset_t_ns=round(onset_s * NS_PER_S),
        offset_t_ns=round(offset_s * NS_PER_S) if offset_s is not None else None,
        reason="quiet" if ended else None,
    )


def make_senses(
    picture: SenseState = SenseState.OK, sound: SenseState = SenseState.OK
) -> tuple[SenseStatus, SenseStatus]:
    return (
        SenseStatus(sense=Sense.PICTURE, state=picture, detail="camera 0, 640×480 at 30"),
        SenseStatus(sense=Sense.SOUND, state=sound, detail="HDA Intel PCH: ALC295 Analog, 48 kHz"),
    )
