"""The tracker's states, thresholds and times."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions import prediction
from realtime.clock import NS_PER_S
from realtime.events.detector import EventDetector
from realtime.events.label_states import LONGEST_RISE_NS
from realtime.events.tracker import EventTracker
from realtime.packets import Event, LabelScores, Phase
from weights.event_spec import EventSpec

HOP_S = 0.25


def track(config: EventSpec, scores: list[float], start_s: float = 1.0) -> list[Event]:
    tracker = EventDetector(config, ["Bark"])
    events: list[Event] = []
    for index, score in enumerate(scores):
        events += tracker.update(prediction(start_s + HOP_S * index, score))
    return events


def settings(**changes: object) -> EventSpec:
    plain: dict[str, object] = {"on": 0.5, "off": 0.3, "merge_gap_s": 0.0, "window_weight": 0.0}
    plain |= {"confirm": (1, 1), "min_duration_s": 0.0}
    return EventSpec(**{**plain, **changes})  # type: ignore[arg-type]


def phases(events: list[Event]) -> list[Phase]:
    return [event.phase for event in events]


def test_onset_and_offset_share_a_number_when_a_label_rises_and_falls() -> None:
    events = track(settings(), [0.1, 0.9, 0.9, 0.1, 0.1])

    assert phases(events) == [Phase.ONSET, Phase.OFFSET]
    assert {event.number for event in events} == {1}


def test_onset_lies_half_a_clip_before_its_first_clip_ends_when_quiet_came_before() -> None:
    events = track(settings(), [0.1, 0.9])

    assert events[0].onset_t_ns == round(0.75 * NS_PER_S)


def test_onset_is_zero_when_the_first_clip_of_a_stream_has_the_event() -> None:
    events = track(settings(), [0.9])

    assert events[0].onset_t_ns == 0


def test_event_goes_on_when_the_score_lies_between_the_thresholds() -> None:
    events = track(settings(), [0.9, 0.4, 0.4, 0.4])

    assert Phase.OFFSET not in phases(events)


def test_nothing_starts_when_the_score_lies_between_the_thresholds() -> None:
    assert track(settings(), [0.4] * 8) == []


def test_pause_does_not_end_an_event_when_shorter_than_the_merge_gap() -> None:
    events = track(settings(merge_gap_s=0.5), [0.9, 0.1, 0.1, 0.9, 0.9])

    assert Phase.OFFSET not in phases(events)


def test_pause_ends_an_event_when_longer_than_the_merge_gap() -> None:
    events = track(settings(merge_gap_s=0.5), [0.9, 0.9, 0.1, 0.1, 0.1])

    assert phases(events) == [Phase.ONSET, Phase.OFFSET]
    assert events[1].offset_t_ns == round(0.75 * NS_PER_S)  # centre of the clip that ended at 1.25


def test_one_hit_is_not_enough_when_two_of_three_are_asked_for() -> None:
    config = settings(confirm=(2, 3))

    assert track(config, [0.1, 0.9, 0.1, 0.1, 0.9, 0.1]) == []
    assert phases(track(config, [0.1, 0.9, 0.1, 0.9])) == [Phase.ONSET]


def test_onset_is_dated_to_the_first_hit_when_confirmed_later() -> None:
    events = track(settings(confirm=(2, 3)), [0.1, 0.9, 0.1, 0.9])

    assert events[0].onset_t_ns == round(0.75 * NS_PER_S)


def test_onset_is_the_oldest_hit_of_the_window_when_hits_trickled_in_before() -> None:
    events = track(settings(confirm=(2, 3)), [0.1, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.9, 0.9])

    assert events[0].onset_t_ns == round(2.25 * NS_PER_S)  # centre of the clip that ended at 2.75


def test_lone_hit_dates_the_onset_when_a_running_event_would_have_outlived_the_pause() -> None:
    config = settings(confirm=(2, 3), merge_gap_s=0.75)
    lone_hit_then_run = [0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9]

    events = track(config, lone_hit_then_run)

    assert events[0].onset_t_ns == round(0.75 * NS_PER_S)  # centre of the lone hit's clip


def test_lone_hit_does_not_date_the_onset_when_the_pause_would_have_ended_an_event() -> None:
    config = settings(confirm=(2, 3), merge_gap_s=0.75)

    events = track(config, [0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9])

    assert events[0].onset_t_ns == round(2.0 * NS_PER_S)


def test_onset_reaches_back_over_every_pause_that_a_running_event_would_have_outlived() -> None:
    config = settings(confirm=(2, 3), merge_gap_s=0.75)
    trickle = [0.9, 0.1, 0.1, 0.1] * 5 + [0.9, 0.9]

    events = track(config, [0.1, *trickle])

    assert events[0].onset_t_ns == round(0.75 * NS_PER_S)  # centre of the first hit's clip


def test_onset_is_at_the_first_clip_that_would_have_held_a_running_event() -> None:
    rising = [0.1, 0.1, 0.35, 0.4, 0.9]  # off is 0.3, on 0.5

    events = track(settings(merge_gap_s=0.5), rising)

    assert events[0].onset_t_ns == round((1.0 + 2 * HOP_S - 0.5) * NS_PER_S)


def test_clip_that_would_hold_dates_nothing_after_a_pause_that_ends_an_event() -> None:
    events = track(settings(merge_gap_s=0.5), [0.1, 0.4, 0.1, 0.1, 0.1, 0.9])

    assert events[0].onset_t_ns == round((1.0 + 5 * HOP_S - 0.5) * NS_PER_S)


def test_onset_is_at_a_clip_that_would_hold_when_what_trickles_began_longer_ago() -> None:
    config = settings(merge_gap_s=2.0)
    trickle = [0.4, *[0.1] * 7] * 4  # a clip every two seconds

    events = track(config, [0.1, *trickle, 0.9])

    hit_t_ns = round((1.0 + 33 * HOP_S - 0.5) * NS_PER_S)
    assert events[0].onset_t_ns == hit_t_ns - 4 * NS_PER_S


def test_label_that_trickles_on_is_dated_five_seconds_before_its_run_at_most() -> None:
    n_clips = 80

    events = track(settings(), [0.1] + [0.4] * n_clips + [0.9])

    centre_t_ns = round((1.0 + (n_clips + 1) * HOP_S - 0.5) * NS_PER_S)
    assert events[0].onset_t_ns == centre_t_ns - LONGEST_RISE_NS


def test_clip_that_would_hold_is_forgotten_when_an_event_has_ended_since() -> None:
    config = settings(merge_gap_s=0.5)

    events = track(config, [0.9, 0.1, 0.1, 0.1, 0.9])

    assert phases(events) == [Phase.ONSET, Phase.OFFSET, Phase.ONSET]
    assert events[2].onset_t_ns == round((1.0 + 4 * HOP_S - 0.5) * NS_PER_S)


def test_clip_that_would_hold_dates_nothing_when_it_falls_into_the_cool_down() -> None:
    config = settings(cool_down_s=1.5)  # to 2.0 s: the first event ends at 0.5 s

    events = track(config, [0.9, 0.1, 0.4, 0.4, 0.4, 0.4, 0.9])

    assert events[1].offset_t_ns == round(0.5 * NS_PER_S)
    assert events[2].onset_t_ns == round(1.5 * NS_PER_S)  # centre of the clip that ended at 2.0


def test_minimum_duration_counts_from_the_first_hit_when_a_lower_clip_dates_the_event() -> None:
    config = settings(min_duration_s=0.75, merge_gap_s=0.5)

    events = track(config, [0.1, 0.4, 0.4, 0.4, 0.9, 0.1, 0.1, 0.1])

    assert events == []


def test_minimum_duration_counts_from_the_runs_first_hit_when_longer_than_the_window() -> None:
    config = settings(confirm=(2, 3), min_duration_s=1.5)

    events = track(config, [0.1, 0.9, 0.9, 0.1, 0.9, 0.9])

    assert phases(events) == [Phase.ONSET]
    assert events[0].onset_t_ns == round(0.75 * NS_PER_S)


def test_minimum_duration_counts_anew_when_hits_became_too_few() -> None:
    config = settings(confirm=(2, 3), min_duration_s=1.5)

    assert track(config, [0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9]) == []


def test_onset_waits_when_the_event_has_not_lasted_the_minimum_duration() -> None:
    events = track(settings(min_duration_s=1.0), [0.1, 0.9, 0.9, 0.9, 0.9])

    assert phases(events) == [Phase.ONSET]
    assert track(settings(min_duration_s=1.0), [0.1, 0.9, 0.9, 0.1, 0.1]) == []


def test_label_stays_silent_when_it_cools_down() -> None:
    events = track(settings(cool_down_s=2.0), [0.9, 0.1, 0.9, 0.9, 0.1])

    assert phases(events) == [Phase.ONSET, Phase.OFFSET]


def test_update_comes_each_update_time_when_an_event_goes_on() -> None:
    events = track(settings(update_s=0.5), [0.9] * 6)

    assert phases(events) == [Phase.ONSET, Phase.UPDATE, Phase.UPDATE]


def test_background_is_never_an_event_when_it_is_named() -> None:
    assert track(settings(background="Bark"), [0.9] * 4) == []


def test_own_thresholds_count_when_a_label_has_them() -> None:
    assert track(settings(per_label={"Bark": {"on": 0.95, "off": 0.2}}), [0.9] * 4) == []


def test_event_ends_for_want_of_data_when_predictions_stop_for_long() -> None:
    tracker = EventDetector(settings(), ["Bark"])
    tracker.update(prediction(1.0, 0.9))

    events = tracker.update(prediction(9.0, 0.1))

    assert [(e.phase, e.reason) for e in events] == [(Phase.OFFSET, "no data")]


def test_close_ends_running_events_at_the_streams_end() -> None:
    tracker = EventDetector(settings(), ["Bark"])
    tracker.update(prediction(1.0, 0.9))
    tracker.update(prediction(1.25, 0.9))

    (event,) = tracker.close(round(1.25 * NS_PER_S))

    assert (event.phase, event.reason) == (Phase.OFFSET, "stream ended")
    assert event.offset_t_ns == round(1.25 * NS_PER_S)


def test_window_decides_beside_the_newest_clip_when_it_has_a_weight() -> None:
    tracker = EventDetector(settings(window_weight=0.5), ["Bark"])
    mixed = prediction(1.0, 0.9)
    mixed.window[0] = 0.0  # 0.9 now, 0 in the window: 0.45 joined

    assert tracker.update(mixed) == ()


CONFUSABLE = settings(merge_gap_s=1.0, confirm=(2, 2), confusable=(("Man", "Woman"),))


def track_confusable(rows: list[tuple[float, float, float]]) -> list[Event]:
    tracker = EventDetector(CONFUSABLE, ["Man", "Woman", "Bark"])
    events: list[Event] = []
    for index, row in enumerate(rows):
        events += tracker.update(prediction(1.0 + HOP_S * index, *row))
    return events


def test_kin_that_share_what_is_heard_are_an_event_of_the_likelier() -> None:
    events = track_confusable([(0.2, 0.4, 0.1), (0.3, 0.4, 0.1), (0.1, 0.9, 0.0)])

    assert [(event.label, event.phase) for event in events] == [("Woman", Phase.ONSET)]
    assert events[0].onset_t_ns == 0
    assert events[0].confidence == pytest.approx(0.7)


def test_event_is_dated_from_a_clip_that_was_first_taken_for_its_kins() -> None:
    nothing = (0.1, 0.1, 0.0)
    somebody, woman = (0.4, 0.3, 0.0), (0.1, 0.9, 0.0)

    (onset,) = track_confusable([somebody, nothing, woman, woman])

    assert (onset.label, onset.onset_t_ns) == ("Woman", 0)
    assert track_confusable([somebody, nothing, somebody, nothing, somebody]) == []  # two in a row


@pytest.mark.parametrize(
    "before",
    [
        (0.3, 0.15, 0.0),  # too little even together
        (0.49, 0.02, 0.0),  # enough together, but hers is next to nothing
    ],
)
def test_clip_that_is_hardly_a_labels_own_does_not_date_its_event(
    before: tuple[float, float, float],
) -> None:
    nothing, woman = (0.1, 0.1, 0.0), (0.1, 0.9, 0.0)

    (onset,) = track_confusable([before, nothing, nothing, woman, woman])

    assert onset.label == "Woman"
    assert onset.onset_t_ns == round((1.0 + 3 * HOP_S - 0.5) * NS_PER_S)  # its own first hit


def test_clips_that_a_kin_label_hits_date_no_event_of_the_other() -> None:
    nothing, man, woman = (0.0, 0.0, 0.0), (0.7, 0.45, 0.0), (0.05, 0.9, 0.0)

    events = track_confusable([nothing] * 3 + [man] * 3 + [woman] * 3)

    onsets = {event.label: event.onset_t_ns for event in events if event.phase is Phase.ONSET}
    assert onsets["Man"] == round((1.0 + 3 * HOP_S - 0.5) * NS_PER_S)
    assert onsets["Woman"] == round((1.0 + 6 * HOP_S - 0.5) * NS_PER_S)


def test_clip_that_kin_share_while_one_of_them_goes_on_dates_no_event_of_the_other() -> None:
    woman, both, nothing, man = (0.1, 0.9, 0.0), (0.3, 0.4, 0.0), (0.0, 0.1, 0.0), (0.9, 0.1, 0.0)

    events = track_confusable([woman, woman, both, nothing, nothing, man, man])

    onsets = {event.label: event.onset_t_ns for event in events if event.phase is Phase.ONSET}
    assert onsets == {"Woman": 0, "Man": round((1.0 + 5 * HOP_S - 0.5) * NS_PER_S)}


def test_labels_that_are_no_kin_are_never_added_up() -> None:
    assert track_confusable([(0.1, 0.3, 0.4), (0.1, 0.3, 0.4), (0.1, 0.3, 0.4)]) == []


def test_kin_of_a_label_that_is_surely_heard_gets_nothing_of_its_score() -> None:
    tracker = EventDetector(CONFUSABLE, ["Man", "Woman", "Bark"])
    events: list[Event] = []
    for index in range(4):
        heard = prediction(1.0 + HOP_S * index, 0.45, 0.5, 0.0)
        of_a_man = np.array([0.9, 0.1, 0.0], np.float32)
        events += tracker.update(replace(heard, window=of_a_man))

    assert [event.label for event in events if event.phase is Phase.ONSET] == ["Woman"]
    assert {event.confidence for event in events} == {0.5}


@pytest.mark.parametrize(
    "confusable", [(("Man",),), (("Man", "Man"),), (("Man", "Bark"), ("Bark", "Cat"))]
)
def test_confusable_labels_that_are_none_are_refused(
    confusable: tuple[tuple[str, ...], ...],
) -> None:
    with pytest.raises(ValueError, match="each label once"):
        settings(confusable=confusable)


def test_thresholds_for_an_unknown_label_are_refused() -> None:
    with pytest.raises(ValueError, match="Meow"):
        EventDetector(settings(per_label={"Meow": {"on": 0.5, "off": 0.3}}), ["Bark"])


@given(
    scores=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=80),
    merge_gap_s=st.sampled_from([0.0, 0.5, 1.0]),
    cool_down_s=st.sampled_from([0.0, 1.0]),
    confirm=st.sampled_from([(1, 1), (2, 3), (3, 3)]),
    min_duration_s=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_phases_alternate_and_times_never_go_back(
    scores: list[tuple[float, float]],
    merge_gap_s: float,
    cool_down_s: float,
    confirm: tuple[int, int],
    min_duration_s: float,
) -> None:
    config = settings(
        merge_gap_s=merge_gap_s,
        cool_down_s=cool_down_s,
        confirm=confirm,
        min_duration_s=min_duration_s,
        update_s=0.25,
    )
    tracker = EventDetector(config, ["Bark", "Siren"])
    events: list[Event] = []
    end_s = 1.0
    for index, pair in enumerate(scores):
        end_s = 1.0 + HOP_S * index
        events += tracker.update(prediction(end_s, *pair))
    events += tracker.close(round(end_s * NS_PER_S))

    by_label: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_label[event.label].append(event)
    onsets = [event.number for event in events if event.phase is Phase.ONSET]
    assert onsets == list(range(1, len(onsets) + 1))
    for told in by_label.values():
        last_offset = 0
        running: Event | None = None
        for event in told:
            if event.phase is Phase.ONSET:
                assert running is None
                assert event.onset_t_ns >= last_offset
                running = event
                continue
            assert running is not None
            assert event.number == running.number
            assert event.onset_t_ns == running.onset_t_ns
            if event.phase is Phase.OFFSET:
                assert event.offset_t_ns is not None
                assert event.onset_t_ns < event.offset_t_ns <= round(end_s * NS_PER_S)
                last_offset = event.offset_t_ns
                running = None
        assert running is None


def test_tracker_wants_scores_and_times_and_nothing_else() -> None:
    tracker = EventTracker(settings(), ["Bark"])
    events: list[Event] = []
    for second, score in enumerate([0.1, 0.9, 0.1], 1):
        scores = np.array([score])
        heard = LabelScores(
            end_t_ns=second * NS_PER_S, scores=scores, window=scores.astype(np.float32)
        )
        events += tracker.update(heard)

    assert phases(events) == [Phase.ONSET, Phase.OFFSET]
    assert events[0].alone is None
