"""What one sense may say while the other is gone: events only of what it says anew.

Place in the flow: predictions → here → the event tracker. A clip without its sound is
decided by its picture alone, and a picture that shows a dog says Bark as long as the dog is there,
whether it barks or not. While both senses were there the silence denied it. So a sense that is gone
for a moment must not free the other to say what was denied before.

Which sense carries the decisions is what the attention says (of the starter's, sound has 0.9 and
more): masking the one that does turns a whisper into the only voice. So the sense that carried
less has no say in the first minute after a loss. The one that carried more goes on with what it
said in agreement with both together, and may begin what it says anew: a label of which it said
nothing for a while, and was not denied in the last minute. So may either sense after a minute.
What both together denied stays so until that, and until the sense was quiet about it.

At the edges of a stall a second of sound has a hole. What the network makes of that counts against
a label, never for one.

Each sense's word is what the network says with the other masked all along, so that before and
after a loss like is compared with like. A stream that never had the other sense is not touched,
and neither is one whose senses are both there. It knows no label by name and no activation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from realtime.clock import NS_PER_S
from realtime.events.label_scores import moved, places_of
from realtime.events.thresholds import on_and_off
from realtime.packets import SAMPLE_RATE, LabelScores, Prediction, Sense
from weights.event_spec import EventSpec

QUIET_NS = 2 * NS_PER_S  # of a sense's quiet about a label: what it says of it next is new
DENIED_NS = NS_PER_S  # a clip: two answers to the same second may be so far apart and agree
FIRST_NS = 10 * NS_PER_S  # a device that was just opened may take so long for its first sample
LONE_NS = 60 * NS_PER_S  # without the other sense: then the stream is one of one sense
MAX_GAP_SAMPLES = SAMPLE_RATE // 10  # with more lost, a second of sound is ragged, not whole
RAGGED_NS = 2 * NS_PER_S  # so long what is ragged lets no score rise; then such is this stream
CARRIES = 0.5  # of the attention in the newest second
_SHARE_WEIGHT = 0.1  # of the newest hop in the running share: the last seconds

_UNKNOWN, _COUNTS, _DENIED = range(3)


class LoneSenses:
    """Follows both senses of one stream; one thread calls it.

    Args:
        events: Thresholds, and the share of the window in a score.
        labels: The bundle's labels, in the order of the probabilities.
        before: What it goes on for, under other settings or labels.
    """

    def __init__(
        self, events: EventSpec, labels: Sequence[str], before: LoneSenses | None = None
    ) -> None:
        self._labels = tuple(labels)
        self._on, self._off = on_and_off(events, labels)
        self._window_weight = events.window_weight
        self._expected: set[Sense] = set()
        self._known: set[Sense] = set()  # senses that were there
        self._first_end_t_ns: int | None = None
        self._whole_ns: int | None = None  # when all that the stream has was there last
        self._is_whole = False  # whether that was the last prediction
        self._scores = np.zeros(len(labels))  # what all said together then
        self._below_on = np.nextafter(self._on, 0.0)
        shape = (len(Sense), len(labels))
        self._state = np.full(shape, _UNKNOWN)
        self._last = np.ones(shape)  # what each sense said, the last time that all were there
        self._up_ns = np.zeros(shape, np.int64)  # when a sense's word last reached `off`
        self._same_ns = np.zeros(shape, np.int64)  # when all together last did not deny it
        self._denied_ns = np.full(shape, -LONE_NS)  # when they last did
        self._said = np.zeros(shape, np.bool_)  # it reached `on` since it last reached `off`
        self._agreed = np.zeros(shape, np.bool_)  # and an event of it went on meanwhile
        self._share = np.full(len(Sense), CARRIES)  # of the attention, while all were there
        if before is not None:
            self._take_over(before)

    def _take_over(self, before: LoneSenses) -> None:
        self._expected, self._known = set(before._expected), set(before._known)
        self._first_end_t_ns, self._whole_ns = before._first_end_t_ns, before._whole_ns
        self._is_whole, self._share = before._is_whole, before._share.copy()
        places, now_ns = places_of(before._labels, self._labels), before._whole_ns or 0
        self._scores = moved(before._scores, places, 0.0)
        self._state = moved(before._state, places, _UNKNOWN)
        self._last = moved(before._last, places, 1.0)
        self._up_ns = moved(before._up_ns, places, now_ns)
        self._same_ns = moved(before._same_ns, places, now_ns)
        self._denied_ns = moved(before._denied_ns, places, -LONE_NS)
        self._said = moved(before._said, places, False)
        self._agreed = moved(before._agreed, places, False)

    def expect(self, senses: Iterable[Sense]) -> None:
        """Say which senses the stream should have; at first they count as gone till they come."""
        self._expected = set(senses)

    def update(
        self, prediction: Prediction, active: NDArray[np.bool_], *, fresh: bool
    ) -> LabelScores:
        """Take one prediction in.

        Args:
            prediction: The newest.
            active: Of which labels an event goes on, bool `(n_labels,)`.
            fresh: Whether none came shortly before.

        Returns:
            What it counts for.
        """
        end_t_ns = prediction.end_t_ns
        if fresh:
            self._forget(slice(None), end_t_ns)
        there = set(prediction.newest_senses)
        scores = prediction.scores(self._window_weight)
        words = prediction.scores_alone(self._window_weight)
        if there == self._wanted(there, end_t_ns):
            if prediction.gap_samples > MAX_GAP_SAMPLES and self._was_whole(end_t_ns):
                # A hole is no evidence for anything: what goes on may, nothing begins.
                scores = np.minimum(scores, np.where(active, self._scores, self._below_on))
            else:
                self._compare(prediction, scores, words, active)
            return _heard(prediction, scores, words)
        if len(there) == 1:
            return self._listen_to(list(Sense).index(there.pop()), prediction, scores, words)
        return _heard(prediction, scores, words, withheld=np.ones(len(scores), np.bool_))

    def _was_whole(self, end_t_ns: int) -> bool:
        """Whether all was there a moment ago, without holes."""
        return self._whole_ns is not None and end_t_ns - self._whole_ns <= RAGGED_NS

    def _wanted(self, there: set[Sense], end_t_ns: int) -> set[Sense]:
        """Return the senses that the stream has, gone or not."""
        if self._first_end_t_ns is None:
            self._first_end_t_ns = end_t_ns
        self._known |= there
        is_new = end_t_ns - self._first_end_t_ns < FIRST_NS
        return self._known | self._expected if is_new else self._known

    def _listen_to(
        self,
        m: int,
        prediction: Prediction,
        scores: NDArray[np.float64],
        words: NDArray[np.float64] | None,
    ) -> LabelScores:
        """Return what the sense that is left says and may say."""
        window = None
        if words is not None and prediction.alone is not None:
            scores, window = words[m], prediction.alone[m, 0]
        end_t_ns = prediction.end_t_ns
        carries = bool(self._share[m] >= CARRIES)
        if self._is_whole and not carries:
            self._state[m, self._last[m] >= self._off] = _DENIED
        self._is_whole = False
        self._forget(1 - m, end_t_ns)
        self._listen(m, scores, end_t_ns)
        withheld = self._state[m] != _COUNTS
        if not carries and self._whole_ns is not None and end_t_ns - self._whole_ns < LONE_NS:
            withheld[:] = True
        return _heard(prediction, np.where(withheld, 0.0, scores), words, window, withheld)

    def _compare(
        self,
        prediction: Prediction,
        scores: NDArray[np.float64],
        words: NDArray[np.float64] | None,
        active: NDArray[np.bool_],
    ) -> None:
        """Hold what each sense says against what all say together."""
        end_t_ns = prediction.end_t_ns
        self._is_whole, self._whole_ns, self._scores = True, end_t_ns, scores
        newest = prediction.attention[-1].astype(np.float64)
        if newest.any():
            self._share += _SHARE_WEIGHT * (newest / newest.sum() - self._share)
        if words is None:  # anything may have been said
            self._last[:] = 1.0
            self._forget(slice(None), end_t_ns)
            return
        self._last = words
        for m, alone in enumerate(words):
            self._listen(m, alone, end_t_ns)
        says = words >= self._on
        self._state[says & active & (self._state == _UNKNOWN)] = _COUNTS
        self._same_ns[(words < self._off) | (scores >= self._off)] = end_t_ns
        self._said |= says
        self._agreed |= active
        ended = words < self._off
        denied = end_t_ns - self._same_ns >= DENIED_NS
        denied |= ended & self._said & ~self._agreed
        self._state[denied] = _DENIED
        self._denied_ns[denied] = end_t_ns
        self._said[ended] = self._agreed[ended] = False

    def _listen(self, m: int, alone: NDArray[np.float64], end_t_ns: int) -> None:
        """Let a sense's word count again where it has said nothing for a while."""
        self._up_ns[m, alone >= self._off] = end_t_ns
        is_quiet = end_t_ns - self._up_ns[m] >= QUIET_NS
        self._state[m, is_quiet & (end_t_ns - self._denied_ns[m] >= LONE_NS)] = _COUNTS

    def _forget(self, m: int | slice, end_t_ns: int) -> None:
        """Begin anew with a sense: nothing is known of what it said before."""
        self._state[m] = _UNKNOWN
        self._up_ns[m] = self._same_ns[m] = end_t_ns


def _heard(
    prediction: Prediction,
    scores: NDArray[np.float64],
    words: NDArray[np.float64] | None,
    window: NDArray[np.float32] | None = None,
    withheld: NDArray[np.bool_] | None = None,
) -> LabelScores:
    picture, sound = (sense in prediction.senses for sense in Sense)
    return LabelScores(
        end_t_ns=prediction.end_t_ns,
        scores=scores,
        window=prediction.window if window is None else window,
        alone=words,
        senses=(picture, sound),
        withheld=withheld,
    )
