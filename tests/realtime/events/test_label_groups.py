"""Several labels at once, wider and narrower ones, smoothed scores, and what each sense says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predictions import prediction
from realtime.clock import NS_PER_S
from realtime.events.detector import EventDetector
from realtime.events.label_scores import LabelGroups, ScoreSmoother
from realtime.packets import Event, Phase, Prediction, join_scores
from weights.event_spec import EventSpec

LABELS = ("Music", "Piano", "Speech", "Grand piano")
GROUPS = {"Piano": "Music", "Grand piano": "Piano"}


def settings(**changes: object) -> EventSpec:
    plain: dict[str, object] = {"on": 0.6, "off": 0.3, "merge_gap_s": 0.0, "window_weight": 0.0}
    plain |= {"confirm": (1, 1), "min_duration_s": 0.0}
    return EventSpec(**{**plain, **changes})  # type: ignore[arg-type]


def track(rows: list[tuple[float, ...]], **changes: object) -> list[Event]:
    tracker = EventDetector(settings(**changes), LABELS)
    events: list[Event] = []
    for index, row in enumerate(rows):
        scores = (*row, *(0.0,) * (len(LABELS) - len(row)))
        events += tracker.update(prediction(1.0 + 0.25 * index, *scores))
    return events


def told(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.label, event.phase.value) for event in events if event.phase != Phase.UPDATE]


def test_two_labels_are_told_at_once_when_both_are_sure() -> None:
    events = track([(0.0, 0.0, 0.0), (0.9, 0.0, 0.9)], groups=GROUPS)

    assert told(events) == [("Speech", "onset"), ("Music", "onset")]  # narrower ones first


def test_only_the_narrower_is_told_when_both_are_sure() -> None:
    events = track([(0.9, 0.8), (0.9, 0.8), (0.9, 0.8)], groups=GROUPS)

    assert told(events) == [("Piano", "onset")]


def test_the_wider_is_told_when_no_narrower_is_sure() -> None:
    events = track([(0.9, 0.5), (0.9, 0.5)], groups=GROUPS)

    assert told(events) == [("Music", "onset")]


def test_the_wider_is_as_sure_as_the_surest_that_belongs_to_it() -> None:
    per_label = {name: {"on": 0.9, "off": 0.3} for name in ("Piano", "Grand piano")}

    events = track([(0.1, 0.0, 0.0, 0.7)] * 2, groups=GROUPS, per_label=per_label)

    assert told(events) == [("Music", "onset")]
    assert events[0].score == pytest.approx(0.7)


def test_the_wider_gives_way_where_the_narrower_begins() -> None:
    rows = [(0.9, 0.1)] * 8 + [(0.9, 0.9)] * 2

    events = track(rows, groups=GROUPS)

    assert told(events) == [("Music", "onset"), ("Music", "offset"), ("Piano", "onset")]
    ended, begun = events[-2:]
    assert ended.reason == "finer"
    assert ended.offset_t_ns == begun.onset_t_ns
    assert ended.number != begun.number


def test_an_event_of_no_length_is_the_least_when_the_narrower_began_before() -> None:
    # What rises slowly is dated back: before the wider one's event began.
    rows = [(0.0, 0.0)] * 4 + [(0.0, 0.4)] * 4 + [(0.9, 0.4)] + [(0.9, 0.9)]

    events = track(rows, groups=GROUPS, merge_gap_s=1.0)

    ended = next(event for event in events if event.phase is Phase.OFFSET)
    assert ended.offset_t_ns is not None
    assert ended.offset_t_ns >= ended.onset_t_ns


def test_the_widest_gives_way_to_the_narrowest() -> None:
    events = track([(0.9,)] * 2 + [(0.9, 0.0, 0.0, 0.9)], groups=GROUPS)

    assert told(events) == [
        ("Music", "onset"),
        ("Music", "offset"),
        ("Grand piano", "onset"),
    ]


def test_the_wider_goes_on_from_where_the_narrower_ended() -> None:
    rows = [(0.9, 0.9)] * 4 + [(0.9, 0.0)] * 4

    events = track(rows, groups=GROUPS)

    assert told(events) == [("Piano", "onset"), ("Piano", "offset"), ("Music", "onset")]
    assert events[-1].onset_t_ns >= (events[-2].offset_t_ns or 0)


def test_groups_mean_nothing_to_labels_outside_them() -> None:
    rows = [(0.0, 0.9, 0.9)] * 3

    assert told(track(rows, groups=GROUPS)) == [("Speech", "onset"), ("Piano", "onset")]
    assert told(track(rows)) == [("Piano", "onset"), ("Speech", "onset")]


def test_one_loud_hop_is_no_event_when_three_are_joined() -> None:
    rows = [(0.0,)] * 3 + [(1.0,)] + [(0.0,)] * 3

    assert told(track(rows)) == [("Music", "onset"), ("Music", "offset")]
    assert told(track(rows, smooth=3)) == []


def test_smoothing_begins_anew_after_a_pause() -> None:
    tracker = EventDetector(settings(smooth=3), ["Bark"])
    for end_s in (1.0, 1.25, 1.5):
        tracker.update(prediction(end_s, 0.0))

    (event,) = tracker.update(prediction(60.0, 0.9))

    assert event.score == pytest.approx(0.9)


def test_smoother_gives_the_mean_of_what_there_is() -> None:
    smoother = ScoreSmoother(3)
    means = [float(smoother.update(np.array([s]), False)[0]) for s in (1.0, 0.0, 0.5, 0.7)]

    assert means == pytest.approx([1.0, 0.5, 0.5, 0.4])


def test_widening_raises_every_row_and_no_narrower_label() -> None:
    scores = np.array([[0.1, 0.2, 0.0, 0.7], [0.9, 0.0, 0.3, 0.0]])

    LabelGroups(LABELS, GROUPS).widen(scores)

    assert scores.tolist() == [[0.7, 0.7, 0.0, 0.7], [0.9, 0.0, 0.3, 0.0]]


def hear(end_s: float, both: float, picture: float, sound: float) -> Prediction:
    alone = np.array([[[picture]] * 2, [[sound]] * 2], np.float32)
    return replace(prediction(end_s, both), alone=alone)


def test_an_event_says_what_each_sense_said_when_it_was_surest() -> None:
    tracker = EventDetector(settings(update_s=0.25), ["Bark"])
    events: list[Event] = []
    for end_s, scores in ((1.0, (0.7, 0.1, 0.6)), (1.25, (0.97, 0.5, 0.625)), (1.5, (0.8, 0.7, 0))):
        events += tracker.update(hear(end_s, *scores))
    events += tracker.close(round(1.5 * NS_PER_S))

    assert [event.alone for event in events] == [
        pytest.approx((0.1, 0.6)),
        pytest.approx((0.5, 0.625)),
        pytest.approx((0.5, 0.625)),
        pytest.approx((0.5, 0.625)),
    ]


def test_a_sense_that_is_missing_says_nothing() -> None:
    tracker = EventDetector(settings(), ["Bark"])
    present = np.array([[False, True]])

    (event,) = tracker.update(replace(hear(1.0, 0.9, 0.0, 0.9), present=present))

    assert event.alone == (None, pytest.approx(0.9))


def test_nobody_knows_where_nobody_asked() -> None:
    (event,) = EventDetector(settings(), ["Bark"]).update(prediction(1.0, 0.9))

    assert event.alone is None


def test_senses_are_smoothed_as_the_score_is() -> None:
    tracker = EventDetector(settings(smooth=2), ["Bark"])
    tracker.update(hear(1.0, 0.5, 0.2, 0.4))

    (event,) = tracker.update(hear(1.25, 0.9, 0.4, 0.8))

    assert event.score == pytest.approx(0.7)
    assert event.alone == pytest.approx((0.3, 0.6))


def test_independent_labels_join_their_logits() -> None:
    window, newest = np.array([0.9, 0.5, 0.0], np.float32), np.array([0.5, 0.5, 1.0], np.float32)

    linear = join_scores(window, newest, 0.5)
    joined = join_scores(window, newest, 0.5, independent=True)

    assert linear == pytest.approx([0.7, 0.5, 0.5])
    assert joined == pytest.approx([0.75, 0.5, 0.5])  # odds 9 and 1 → 3


@pytest.mark.parametrize("window_weight", [0.0, 1.0])
def test_joined_logits_are_one_side_when_the_other_has_no_share(window_weight: float) -> None:
    window, newest = np.array([0.9], np.float32), np.array([0.2], np.float32)

    joined = join_scores(window, newest, window_weight, independent=True)

    assert joined == pytest.approx(window if window_weight else newest, abs=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"smooth": 0},
        {"groups": {"Music": "Music"}},
        {"groups": {"Music": "Piano", "Piano": "Music"}},
        {"groups": {"Music": "Nothing"}, "background": "Nothing"},
        {"groups": {str(k): str(k + 1) for k in range(9)}},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"'groups' must be|'smooth' must be"):
        settings(**changes)


def test_groups_of_labels_that_the_bundle_has_not_are_refused() -> None:
    with pytest.raises(ValueError, match="labels that the bundle has not"):
        EventDetector(settings(groups={"Piano": "Noise"}), LABELS)
