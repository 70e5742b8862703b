"""A detector that goes on for another one: events keep their numbers, labels their states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from realtime.events.detector import EventDetector
from realtime.packets import Event, Phase, Prediction
from weights.event_spec import EventSpec

HOP_NS = 250_000_000
SETTINGS = EventSpec(on=0.6, off=0.3, min_duration_s=0.0, confirm=(2, 3), smooth=2)


def tell(detector: EventDetector, hop: int, scores: Sequence[float]) -> tuple[Event, ...]:
    said = np.array(scores, np.float32)
    return detector.update(
        Prediction(
            end_t_ns=1_000_000_000 + hop * HOP_NS,
            window=said,
            newest=said,
            attention=np.full((1, 2), 0.5, np.float32),
            present=np.ones((1, 2), np.bool_),
            newest_ns=0,
            latency_ms=None,
            compute_ms=0.0,
            av_skew_ms=None,
            gap_samples=0,
            alone=np.stack([np.stack([said, said])] * 2),
            independent=True,
        )
    )


def run(detector: EventDetector, hops: range, scores: Sequence[float]) -> list[Event]:
    return [event for hop in hops for event in tell(detector, hop, scores)]


def test_event_keeps_its_number_and_its_onset_when_labels_are_added_in_front() -> None:
    first = EventDetector(SETTINGS, ("Bark", "Siren"))
    before = run(first, range(6), (0.9, 0.1))
    second = EventDetector(SETTINGS, ("Kettle", "Siren", "Bark"), first)

    after = run(second, range(6, 30), (0.1, 0.1, 0.9)) + run(second, range(30, 50), (0.1, 0.1, 0.1))

    (onset,) = [event for event in before if event.phase is Phase.ONSET]
    (offset,) = [event for event in after if event.phase is Phase.OFFSET]
    assert not [event for event in after if event.phase is Phase.ONSET]
    assert (offset.label, offset.number, offset.onset_t_ns) == ("Bark", 1, onset.onset_t_ns)
    assert offset.reason == "quiet"
    assert first.give_up() == ()


def test_new_label_begins_events_with_the_next_number() -> None:
    first = EventDetector(SETTINGS, ("Bark",))
    run(first, range(6), (0.9,))
    second = EventDetector(SETTINGS, ("Bark", "Kettle"), first)

    told = run(second, range(6, 12), (0.9, 0.9))

    (onset,) = [event for event in told if event.phase is Phase.ONSET]
    assert (onset.label, onset.number) == ("Kettle", 2)


def test_confirming_goes_on_where_it_stood() -> None:
    first = EventDetector(SETTINGS, ("Bark",))
    assert run(first, range(3), (0.1,)) == []
    assert run(first, range(3, 5), (0.95,)) == []  # smoothed, only the second of them is a hit
    second = EventDetector(SETTINGS, ("Bark",), first)

    (onset,) = tell(second, 5, (0.95,))

    assert onset.phase is Phase.ONSET


def test_event_of_a_label_that_is_gone_ends_for_want_of_data() -> None:
    first = EventDetector(SETTINGS, ("Bark", "Kettle"))
    run(first, range(6), (0.1, 0.9))
    EventDetector(SETTINGS, ("Bark",), first)

    (offset,) = first.give_up()

    assert (offset.label, offset.phase, offset.reason) == ("Kettle", Phase.OFFSET, "no data")
