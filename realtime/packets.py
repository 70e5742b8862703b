"""What the stages hand to one another: frozen packets, times in integer nanoseconds.

`time_ns` is on the run's clock, `t_ns` counts from the stream's first sample. Arrays in a packet
belong to the packet: nobody writes to them after it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from extractors.sample_rate import SAMPLE_RATE as SAMPLE_RATE

if TYPE_CHECKING:  # the command line reads constants from here and starts without numpy
    import numpy as np
    from numpy.typing import NDArray

GRID_HZ = 16  # pictures a second (the paper: ffmpeg fps=16, section 4.1)
CLIP_SLOTS = GRID_HZ  # a clip is one second
CLIP_SAMPLES = SAMPLE_RATE
SLOT_NS = 1_000_000_000 // GRID_HZ  # exact: 62,500,000


class Sense(StrEnum):
    """The two senses, in MAFnet's order (picture is m = 0)."""

    PICTURE = "picture"
    SOUND = "sound"


class SenseState(StrEnum):
    """How one sense of one stream is doing; one status message a change."""

    WAITING = "waiting"  # opened, no sample yet
    OK = "ok"
    STALE = "stale"  # nothing new for longer than it may be held
    FROZEN = "frozen"  # the same picture again and again; it is masked
    BLACK = "black"  # pictures without light; they are masked
    SILENT = "silent"  # digital zeros, which no microphone hears; they are masked
    RECONNECTING = "reconnecting"  # gone, and looked for again after 1, 5, 20 s
    LOST = "lost"  # gone for longer, or for good; the other sense goes on
    ENDED = "ended"  # a file came to its end
    ABSENT = "absent"  # the stream has no such sense


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridFrame:
    """A picture chosen for the 16-a-second grid, already resized for the trunk.

    `slot` k covers stream time [(k - 0.5)/16, (k + 0.5)/16) s; `image` is RGB uint8
    `(size, size, 3)`. A frame that is held for later slots keeps its own slot.
    """

    slot: int
    time_ns: int
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """The newest second of a stream, cut at one stride, with only what is new in pictures.

    Attributes:
        index: Counts strides from 0; the first clip ends at t = 1 s.
        end_t_ns: Exclusive end of the second, stream time.
        decide: Whether a decision is due here (`end_t_ns` lies on the hop grid).
        waveform: Mono float32 `(16000,)` in [-1, 1], or None where the sound is missing.
        slots: For each of the 16 grid places the slot of the frame that it shows; -1 is missing.
        new_frames: Frames that were not handed out before, by ascending slot.
        newest_ns: Time of the newest sample used, on the run's clock.
        av_skew_ms: How far the pictures lie behind (+) or ahead of (-) the sound beside them:
            mean over the grid of frame time minus grid time, less the same for the sound; None
            unless both are there.
        gap_samples: Samples of the waveform that the device lost and that are zero-filled.
        is_past: Whether it is of the past with which a stream began that another recognizer had.
    """

    index: int
    end_t_ns: int
    decide: bool
    waveform: NDArray[np.float32] | None
    slots: tuple[int, ...]
    new_frames: tuple[GridFrame, ...]
    newest_ns: int
    av_skew_ms: float | None
    gap_samples: int = 0
    is_past: bool = False

    @property
    def has_picture(self) -> bool:
        """Whether any picture of this second is there."""
        return any(slot >= 0 for slot in self.slots)

    @property
    def has_sound(self) -> bool:
        """Whether the sound of this second is there."""
        return self.waveform is not None


MAX_GAP_NS = 2_000_000_000  # decisions further apart have nothing to do with one another


def begins_anew(last_t_ns: int | None, end_t_ns: int) -> bool:
    """Tell whether no decision came shortly before the one that ends at `end_t_ns`."""
    return last_t_ns is None or end_t_ns - last_t_ns > MAX_GAP_NS


LEAST_PROBABILITY = 1e-6  # what one second may say against all others has a bound


def join_scores(
    window: NDArray[np.float32],
    newest: NDArray[np.float32],
    window_weight: float,
    independent: bool = False,
) -> NDArray[np.float64]:
    """Join probabilities of window and newest clip, see `Prediction.scores`; any shape.

    Args:
        window: Over the whole window.
        newest: From the newest clip alone.
        window_weight: Share of the window.
        independent: Whether each label stands for itself: then their logits are joined.
    """
    whole, last = window.astype("float64"), newest.astype("float64")
    if not independent:
        joined: NDArray[np.float64] = window_weight * whole + (1.0 - window_weight) * last
        return joined
    import numpy as np  # not above: see there

    def logit(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        kept = probabilities.clip(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
        return np.log(kept / (1.0 - kept))

    odds = np.exp(window_weight * logit(whole) + (1.0 - window_weight) * logit(last))
    return np.asarray(odds / (1.0 + odds))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What MAFnet says at one hop.

    Attributes:
        end_t_ns: Exclusive end of the window, stream time.
        window: Probabilities over the whole window, float32 `(n_labels,)`.
        newest: Probabilities from the newest clip alone (T = 1), float32 `(n_labels,)`.
        attention: Float32 `(T, 2)`, oldest clip first, picture first; sums to 1.
        present: Bool `(T, 2)`: which senses were there.
        newest_ns: Time of the newest sample used, on the run's clock.
        latency_ms: From that sample to the end of this computation; None where a file is read
            faster than it plays.
        compute_ms: What this step took, trunks included.
        alone: What each sense says by itself, float32 `(2, 2, n_labels)`: picture first; of each
            the probabilities over the window, then from the newest clip; 0 where it is missing.
            None where nobody asked the senses one by one.
        independent: Whether several labels may be true at once (sigmoid), see `join_scores`.
        clip_ends_t_ns: Exclusive end of each clip of the window, stream time, oldest first; where
            clips were skipped there are holes. Empty for one a second without holes.
    """

    end_t_ns: int
    window: NDArray[np.float32]
    newest: NDArray[np.float32]
    attention: NDArray[np.float32]
    present: NDArray[np.bool_]
    newest_ns: int
    latency_ms: float | None
    compute_ms: float
    av_skew_ms: float | None
    gap_samples: int
    alone: NDArray[np.float32] | None = None
    independent: bool = False
    clip_ends_t_ns: tuple[int, ...] = ()

    def scores(self, window_weight: float) -> NDArray[np.float64]:
        """Join window and newest clip into one score a label, `(n_labels,)` in [0, 1].

        `window_weight * window + (1 - window_weight) * newest`: the newest clip says what is going
        on now, the window lends it weight. A label that only the window knows scores that weight at
        most, so with thresholds above it an event ends when its sound does, not when it leaves the
        window; and what filled the window cannot hide what is new, as a product would let it.
        Of independent labels the logits are joined so, as evidence for or against each.
        """
        return join_scores(self.window, self.newest, window_weight, self.independent)

    def scores_alone(self, window_weight: float) -> NDArray[np.float64] | None:
        """Return each sense's own scores, `(2, n_labels)`, joined as in `scores`, if known."""
        if self.alone is None:
            return None
        return join_scores(self.alone[:, 0], self.alone[:, 1], window_weight, self.independent)

    @property
    def newest_senses(self) -> tuple[Sense, ...]:
        """The senses that the newest clip had."""
        return tuple(sense for m, sense in enumerate(Sense) if self.present[-1, m])

    @property
    def n_clips(self) -> int:
        """T: how many clips the window has so far."""
        return int(self.attention.shape[0])

    @property
    def senses(self) -> tuple[Sense, ...]:
        """The senses that took part anywhere in the window."""
        return tuple(sense for m, sense in enumerate(Sense) if self.present[:, m].any())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelScores:
    """What of a decision counts, for the event tracker.

    Attributes:
        end_t_ns: Exclusive end of the window, stream time.
        scores: Of each label, float64 `(n_labels,)` in [0, 1]; 0 where it is withheld.
        window: Likewise over the whole window, float32: which of confusable labels is likelier.
        alone: What each sense says by itself, `(2, n_labels)`; None where nobody asked.
        senses: Which took part anywhere in the window, picture first.
        withheld: Labels of which the sense that is left has no say, bool `(n_labels,)`; None for
            none.
    """

    end_t_ns: int
    scores: NDArray[np.float64]
    window: NDArray[np.float32]
    alone: NDArray[np.float64] | None = None
    senses: tuple[bool, bool] = (True, True)
    withheld: NDArray[np.bool_] | None = None


class Phase(StrEnum):
    """The life of an event."""

    ONSET = "onset"
    UPDATE = "update"
    OFFSET = "offset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One message in an event's life; the same `number` from onset to offset.

    Attributes:
        number: Counts the stream's events from 1.
        confidence: The highest score so far, 0 to 1.
        score: The score at this moment, 0 to 1.
        onset_t_ns: Stream time at which it began (estimated from the clips).
        offset_t_ns: Stream time at which it ended; None while it goes on.
        reason: Why an offset came: `quiet`, `stream ended`, `paused` where somebody paused the
            source, `finer` where an event of a label that belongs to this one began, `sense gone`
            where what carried it was lost, `recognizer lost` where a pool moved the stream, or
            `no data` after a time without predictions.
        alone: What picture and sound alone said when the score was highest, 0 to 1 each, None of a
            sense that was missing then; None where nobody asked.
    """

    number: int
    phase: Phase
    label: str
    confidence: float
    score: float
    onset_t_ns: int
    offset_t_ns: int | None
    reason: str | None = None
    alone: tuple[float | None, float | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenseStatus:
    """A change in the state of one sense."""

    sense: Sense
    state: SenseState
    detail: str = ""
