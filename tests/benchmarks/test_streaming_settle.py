"""Kept scores are tracked as a run tracks them, and thresholds are chosen for what they give."""

import dataclasses
import itertools

import numpy as np
import pytest

from benchmarks.streaming.choose import (
    ON_GRID,
    KeptStream,
    Times,
    all_times,
    choose,
    count,
    quieted,
    raised,
    results,
    settled,
)
from benchmarks.streaming.replay import Scores, as_prediction, replay
from benchmarks.streaming.scoring import Detection, StreamResult, Truth, score, summarize
from benchmarks.streaming.settle import AS_GOOD, Tried, best_of, with_quieted
from realtime.build import tracker_config as bundles_config
from realtime.clock import NS_PER_S
from realtime.event_tracker import EventTracker
from weights.bundle import Bundle, load_bundle

HOP_S = 0.25
TIMES = Times(confirm=(2, 3), merge_gap_s=1.0)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("starter")


def make_stream(
    bundle: Bundle, kind: str, truths: list[Truth], high: dict[str, float]
) -> KeptStream:
    """A minute in which a label scores what `high` says while it happens, everything else 0.02."""
    end_s = np.arange(1.0, 60.0, HOP_S)
    scores = np.full((len(end_s), len(bundle.labels)), 0.02, np.float32)
    for truth in truths:
        at = (end_s >= truth.onset_s + 0.5) & (end_s <= truth.offset_s + 0.5)
        scores[at, bundle.labels.index(truth.label)] = high[truth.label]
    kept = Scores(end_t_ns=(end_s * NS_PER_S).astype(np.int64), window=scores, newest=scores)
    return KeptStream(kind=kind, fold=1, seconds=60.0, truths=tuple(truths), scores=kept)


def happens(label: str, onset_s: float) -> Truth:
    return Truth(label=label, onset_s=onset_s, offset_s=onset_s + 3.0)


def test_replay_dates_an_event_and_tells_when_it_was_told(bundle: Bundle) -> None:
    stream = make_stream(bundle, "both", [happens("Bark", 10.0)], {"Bark": 0.9})

    (found,) = replay(stream.scores, bundle)

    assert found.label == "Bark"
    assert found.onset_s == pytest.approx(10.0, abs=HOP_S)
    assert found.offset_s == pytest.approx(13.0, abs=HOP_S)
    assert 10.5 < found.told_s < 11.5
    assert found.confidence == pytest.approx(0.9)


def test_label_alone_is_tracked_as_among_all(bundle: Bundle) -> None:
    truths = [happens("Bark", 10.0), happens("Siren", 11.0), happens("Bark", 30.0)]
    stream = make_stream(bundle, "both", truths, {"Bark": 0.9, "Siren": 0.8})

    together = replay(stream.scores, bundle)

    for label in ("Bark", "Siren", "Cat"):
        alone = replay(stream.scores, bundle, only=label)
        assert alone == [each for each in together if each.label == label]


def test_labels_that_never_reach_their_threshold_change_nothing_when_they_are_left_out(
    bundle: Bundle,
) -> None:
    rng = np.random.default_rng(3)
    highest = rng.uniform(0.2, 1.0, len(bundle.labels))  # some labels reach theirs, some do not
    scores = (rng.random((240, len(bundle.labels))) ** 0.3 * highest).astype(np.float32)
    end_t_ns = ((np.arange(240) * HOP_S + 1.0) * NS_PER_S).astype(np.int64)
    every = EventTracker(bundles_config(bundle, {}), bundle.labels)
    told = [
        e
        for t, row in zip(end_t_ns.tolist(), scores, strict=True)
        for e in every.update(as_prediction(t, row, row))
    ]
    told += every.close(int(end_t_ns[-1]))

    found = replay(Scores(end_t_ns=end_t_ns, window=scores, newest=scores), bundle)

    spans = {
        (e.label, e.onset_t_ns / NS_PER_S, e.offset_t_ns / NS_PER_S)
        for e in told
        if e.offset_t_ns is not None
    }
    assert {(each.label, each.onset_s, each.offset_s) for each in found} == spans
    assert 3 < len({each.label for each in found}) < len(bundle.labels) - 3


def test_threshold_lies_between_what_happens_and_what_does_not(bundle: Bundle) -> None:
    loud, low = {"Bark": 0.9, "Siren": 0.55}, {"Bark": 0.6}
    busy = make_stream(
        bundle,
        "both",
        [happens("Bark", 5.0 * k) for k in (1, 3, 5)] + [happens("Siren", 40.0)],
        loud,
    )
    empty = make_stream(bundle, "noise", [happens("Bark", 5.0 * k) for k in (1, 4, 7)], low)
    empty = dataclasses.replace(empty, truths=())  # it scores, and nothing happens
    streams = [busy, empty]

    on = choose(count(streams, bundle, TIMES), streams, bundle)

    assert 0.6 < on["Bark"] <= 0.9
    assert on["Siren"] <= 0.55
    assert set(on.values()) <= set(ON_GRID)
    row = summarize(results(streams, settled(bundle, TIMES, on)))
    assert row["f1"] == 1.0
    lower = dict.fromkeys(on, 0.5)
    assert summarize(results(streams, settled(bundle, TIMES, lower)))["f1"] < 1.0


def test_raised_thresholds_stay_in_range_and_every_time_is_tried(bundle: Bundle) -> None:
    own = raised(bundle, 0.0)

    assert bundle.background not in own
    assert own["Bark"] == bundle.events.per_label["Bark"]["on"]
    assert max(raised(bundle, 0.9).values()) == 0.95
    assert min(raised(bundle, -0.9).values()) == 0.3
    assert len(set(all_times())) == len(all_times()) > 1
    for times, by in itertools.product(all_times(), (-0.9, 0.0, 0.9)):
        bundles_config(settled(bundle, times, raised(bundle, by)), {})  # refuses what cannot work


def test_only_what_is_told_where_nothing_happens_gets_a_higher_threshold(bundle: Bundle) -> None:
    own = dict.fromkeys(raised(bundle, 0.0), 0.5)
    busy = make_stream(bundle, "both", [happens("Siren", 10.0)], {"Siren": 0.9})
    empty = make_stream(
        bundle,
        "noise",
        [happens("Bark", 10.0), happens("Rain", 30.0)],
        {"Bark": 0.72, "Rain": 0.99},
    )
    empty = dataclasses.replace(empty, truths=())  # it scores, and nothing happens

    on = quieted([busy, empty], bundle, TIMES, own)

    assert on == own | {"Bark": 0.75, "Rain": 0.95}  # 0.95 is as high as it goes
    assert quieted([busy], bundle, TIMES, own) == own


def test_fold_has_no_say_in_the_thresholds_that_it_is_scored_with(bundle: Bundle) -> None:
    own = dict.fromkeys(raised(bundle, 0.0), 0.5)
    noisy = make_stream(bundle, "noise", [happens("Bark", 10.0)], {"Bark": 0.72})
    noisy = dataclasses.replace(noisy, truths=())  # it scores, and nothing happens
    calm = dataclasses.replace(make_stream(bundle, "noise", [], {}), fold=2)

    tried = with_quieted([noisy, calm], bundle, TIMES, own, "own")

    assert [len(result.false) for result in tried.results] == [1, 0]  # at what fold 2 asks for
    assert tried.bundle.events.per_label["Bark"]["on"] == 0.75  # at what both do


def test_fewest_false_alarms_are_taken_among_settings_that_are_as_good(bundle: Bundle) -> None:
    def tried(name: str, f1: float, delay_s: float, n_false: int) -> Tried:
        said = [
            Detection(label="Bark", onset_s=5.0 * k, offset_s=5.0 * k + 1.0, told_s=5.0 * k)
            for k in range(n_false)
        ]
        noise: StreamResult = score("noise", 60.0, [], said)
        total = {"f1": f1, "delay_s": {"median": delay_s}}
        return Tried(name=name, bundle=bundle, results=[noise], total=total)

    best = tried("best F1", 0.60, 0.9, 3)
    calm = tried("as good and calm", 0.60 - AS_GOOD / 2, 0.9, 1)
    late = tried("calm and late", 0.60, 1.2, 0)
    poor = tried("calm and poor", 0.60 - 2 * AS_GOOD, 0.9, 0)

    assert best_of([best, calm, late, poor]) is calm
    assert best_of([best, late, poor]) is best
    assert best_of([late]) is late  # all are late
