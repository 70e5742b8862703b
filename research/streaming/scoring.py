"""Events against the truth: matching, precision, recall, F1, errors of time, delay. Pure.

Two questions, two matchings.

*Event-based* (Mesaros, Heittola, Virtanen 2016, section 3.2; what `sed_eval` computes): a detection
is right when label and onset (within a collar) and offset (within the collar or half of the
event, whichever is longer) are right; one to one, as many pairs as can be.

*Found*: an event is found when a detection of its label overlaps it at all, and a detection is a
false event when it overlaps none of its label. Errors of time and delays are of found events,
taken from the first detection that overlaps, so that they are not cut off by a collar.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from research.streaming.scene import SceneEvent

COLLAR_S = 1.0  # a clip is a second
OF_LENGTH = 0.5  # share of an event's length that its offset may be off by
ANY_OF = "|"  # parts the labels of a truth of which any is right


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """An event that is there: stream seconds, and its level over the bed where it is known."""

    label: str
    onset_s: float
    offset_s: float
    snr_db: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """An event that was published.

    Attributes:
        label: What it says.
        onset_s: Where it says that the event began, stream seconds.
        offset_s: Where it ended.
        told_s: The stream time that had been heard when its onset was published: the end of the
            newest clip. A live run adds its latency.
        confidence: Its highest score.
    """

    label: str
    onset_s: float
    offset_s: float
    told_s: float
    confidence: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One event of the truth and the detection that found it, or None."""

    truth: Truth
    detection: Detection | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamResult:
    """What one stream gave.

    Attributes:
        name: The stream.
        seconds: Its length.
        found: One entry an event of the truth.
        false: Detections that overlap no event of their label.
        n_detections: All detections.
        n_right: Event-based hits.
        n_right_onset: Event-based hits where the offset does not count.
        matched: By index of `found`: whether the event is an event-based hit.
        hits_by_label: Event-based hits, truths, detections of each label.
    """

    name: str
    seconds: float
    found: tuple[Found, ...]
    false: tuple[Detection, ...]
    n_detections: int
    n_right: int
    n_right_onset: int
    matched: tuple[bool, ...]
    hits_by_label: Mapping[str, tuple[int, int, int]]


def truths_of(events: Iterable[SceneEvent]) -> tuple[Truth, ...]:
    """Return what is there in a scene."""
    return tuple(
        Truth(label=e.label, onset_s=e.onset_s, offset_s=e.offset_s, snr_db=e.snr_db)
        for e in events
    )


def detections_of(messages: Iterable[Mapping[str, Any]]) -> list[Detection]:
    """Join the messages of each event.

    Args:
        messages: Event messages in the order in which they were published.

    Raises:
        ValueError: An event has no end: the stream was cut off.
    """
    begun: dict[str, float] = {}
    detections: list[Detection] = []
    for message in messages:
        if message["phase"] == "onset":
            begun[message["id"]] = float(message["evidence"]["clip_end_t_s"][-1])
        elif message["phase"] == "offset":
            detections.append(
                Detection(
                    label=message["label"],
                    onset_s=message["onset"]["t_s"],
                    offset_s=message["offset"]["t_s"],
                    told_s=begun.pop(message["id"]),
                    confidence=message["confidence"],
                )
            )
    if begun:
        raise ValueError(f"{len(begun)} events have no offset: the stream was cut off")
    return sorted(detections, key=lambda detection: detection.onset_s)


def score(
    name: str,
    seconds: float,
    truths: Sequence[Truth],
    detections: Sequence[Detection],
    collar_s: float = COLLAR_S,
) -> StreamResult:
    """Compare a stream's detections with its truth.

    Args:
        name: Of the stream.
        seconds: Its length.
        truths: What is there.
        detections: What was said.
        collar_s: How far an onset may be off.
    """
    pairs = match(truths, detections, collar_s, of_length=OF_LENGTH)
    onset_pairs = match(truths, detections, collar_s, of_length=None)
    false = tuple(d for d in detections if not any(_overlap(t, d) for t in truths))
    labels = sorted({t.label for t in truths} | {d.label for d in detections})
    return StreamResult(
        name=name,
        seconds=seconds,
        found=tuple(Found(truth=t, detection=_first(t, detections)) for t in truths),
        false=false,
        n_detections=len(detections),
        n_right=len(pairs),
        n_right_onset=len(onset_pairs),
        matched=tuple(k in pairs for k in range(len(truths))),
        hits_by_label={
            label: (
                sum(truths[k].label == label for k in pairs),
                sum(t.label == label for t in truths),
                sum(d.label == label for d in detections),
            )
            for label in labels
        },
    )


def match(
    truths: Sequence[Truth],
    detections: Sequence[Detection],
    collar_s: float,
    of_length: float | None,
) -> dict[int, int]:
    """Pair as many events with detections as can be, one to one.

    Args:
        truths: What is there.
        detections: What was said.
        collar_s: How far onset and offset may be off.
        of_length: Share of its length that an event's offset may be off by; None: the offset
            does not count.

    Returns:
        Detection by truth, indices.
    """
    fitting = [
        [k for k, d in enumerate(detections) if _fits(t, d, collar_s, of_length)] for t in truths
    ]
    taken: dict[int, int] = {}  # truth by detection

    def find(truth: int, tried: set[int]) -> bool:
        # Kuhn's augmenting path: whoever has the detection looks for another.
        for k in fitting[truth]:
            if k in tried:
                continue
            tried.add(k)
            if k not in taken or find(taken[k], tried):
                taken[k] = truth
                return True
        return False

    for truth in range(len(truths)):
        find(truth, set())
    return {truth: detection for detection, truth in taken.items()}


def summarize(results: Sequence[StreamResult]) -> dict[str, Any]:
    """Put some streams' results into numbers.

    Returns:
        Counts, event-based precision, recall and F1 (with and without the offset), the share
        found, false events an hour, and median and 95th percentile of the errors' sizes and of
        the delay, in seconds; None where there is nothing to divide.
    """
    n_truths = sum(len(r.found) for r in results)
    n_detections = sum(r.n_detections for r in results)
    hours = sum(r.seconds for r in results) / 3600.0
    found = [f for r in results for f in r.found]
    n_false = sum(len(r.false) for r in results)
    return {
        "seconds": round(hours * 3600.0, 3),
        "events": n_truths,
        "detections": n_detections,
        **_shares("", sum(r.n_right for r in results), n_truths, n_detections),
        **_shares("onset_", sum(r.n_right_onset for r in results), n_truths, n_detections),
        **_of_found(found),
        "false_events": n_false,
        "false_events_an_hour": None if hours == 0 else round(n_false / hours, 3),
    }


def by_label(results: Sequence[StreamResult]) -> dict[str, dict[str, Any]]:
    """Likewise for each label that happens or was said; false events are those of that name."""
    labels = sorted({label for r in results for label in r.hits_by_label})
    rows: dict[str, dict[str, Any]] = {}
    for label in labels:
        counts = [r.hits_by_label.get(label, (0, 0, 0)) for r in results]
        n_right, n_truths, n_detections = (sum(column) for column in zip(*counts, strict=True))
        found = [f for r in results for f in r.found if f.truth.label == label]
        rows[label] = {
            "events": n_truths,
            "detections": n_detections,
            **_shares("", n_right, n_truths, n_detections),
            **_of_found(found),
            "false_events": sum(d.label == label for r in results for d in r.false),
        }
    return rows


def by_snr(results: Sequence[StreamResult]) -> dict[str, dict[str, Any]]:
    """Share of events found, event-based recall, errors and delay at each level over the bed."""
    levels = sorted(
        {f.truth.snr_db for r in results for f in r.found if f.truth.snr_db is not None}
    )
    rows: dict[str, dict[str, Any]] = {}
    for level in levels:
        found = [f for r in results for f in r.found if f.truth.snr_db == level]
        hits = [
            hit
            for r in results
            for f, hit in zip(r.found, r.matched, strict=True)
            if f.truth.snr_db == level
        ]
        rows[f"{level:g}"] = {
            "events": len(found),
            "recall": round(float(np.mean(hits)), 4),
            **_of_found(found),
        }
    return rows


def _of_found(found: Sequence[Found]) -> dict[str, Any]:
    pairs = [(f.truth, f.detection) for f in found if f.detection is not None]
    return {
        "found": None if not found else round(len(pairs) / len(found), 4),
        "onset_error_s": _spread([abs(d.onset_s - t.onset_s) for t, d in pairs]),
        "offset_error_s": _spread([abs(d.offset_s - t.offset_s) for t, d in pairs]),
        "delay_s": _spread([d.told_s - t.onset_s for t, d in pairs]),
    }


def _shares(prefix: str, n_right: int, n_truths: int, n_detections: int) -> dict[str, Any]:
    total = n_truths + n_detections
    return {
        f"{prefix}precision": None if n_detections == 0 else round(n_right / n_detections, 4),
        f"{prefix}recall": None if n_truths == 0 else round(n_right / n_truths, 4),
        f"{prefix}f1": None if total == 0 else round(2 * n_right / total, 4),
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    median, high = np.percentile(values, [50, 95])
    return {"median": round(float(median), 3), "p95": round(float(high), 3)}


def _names(truth: Truth, detection: Detection) -> bool:
    return detection.label in truth.label.split(ANY_OF)


def _overlap(truth: Truth, detection: Detection) -> bool:
    return (
        _names(truth, detection)
        and detection.onset_s < truth.offset_s
        and truth.onset_s < detection.offset_s
    )


def _first(truth: Truth, detections: Sequence[Detection]) -> Detection | None:
    return min((d for d in detections if _overlap(truth, d)), key=lambda d: d.onset_s, default=None)


def _fits(truth: Truth, detection: Detection, collar_s: float, of_length: float | None) -> bool:
    if not _names(truth, detection) or abs(truth.onset_s - detection.onset_s) > collar_s:
        return False
    if of_length is None:
        return True
    room_s = max(collar_s, of_length * (truth.offset_s - truth.onset_s))
    return abs(truth.offset_s - detection.offset_s) <= room_s
