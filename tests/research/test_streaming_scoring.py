"""Scores held to values computed by hand, and to the field's library where it is installed."""

import numpy as np
import pytest

from research.streaming.scoring import (
    Detection,
    Truth,
    by_label,
    by_snr,
    detections_of,
    match,
    score,
    summarize,
)
from research.streaming.sed_check import sed_eval_f1


def truth(label: str, onset_s: float, offset_s: float, snr_db: float | None = None) -> Truth:
    return Truth(label=label, onset_s=onset_s, offset_s=offset_s, snr_db=snr_db)


def said(label: str, onset_s: float, offset_s: float, told_s: float | None = None) -> Detection:
    told_s = onset_s + 1.0 if told_s is None else told_s
    return Detection(label=label, onset_s=onset_s, offset_s=offset_s, told_s=told_s)


TRUTHS = (
    truth("Bark", 10.0, 12.0, 20.0),
    truth("Siren", 20.0, 30.0, 20.0),
    truth("Bark", 40.0, 42.0, 0.0),
    truth("Cat", 50.0, 51.0, 0.0),
)
SAID = (
    said("Bark", 10.5, 12.5, told_s=11.5),  # right
    said("Siren", 20.2, 25.1, told_s=21.0),  # right: within half of its ten seconds
    said("Bark", 41.5, 42.0, told_s=43.0),  # found, but too late for the collar
    said("Cat", 60.0, 61.0),  # false
    said("Drum", 50.0, 51.0),  # false: another name
)


def test_summary_is_as_computed_by_hand() -> None:
    summary = summarize([score("s", 1800.0, TRUTHS, SAID)])

    assert summary["events"] == 4
    assert summary["detections"] == 5
    assert summary["precision"] == 0.4  # 2 of 5
    assert summary["recall"] == 0.5  # 2 of 4
    assert summary["f1"] == pytest.approx(4 / 9, abs=1e-4)
    assert summary["found"] == 0.75
    assert summary["false_events"] == 2
    assert summary["false_events_an_hour"] == 4.0
    # Onset errors 0.5, 0.2, 1.5; offset 0.5, 4.9, 0; delays 1.5, 1.0, 3.0.
    assert summary["onset_error_s"] == {"median": 0.5, "p95": 1.4}
    assert summary["offset_error_s"] == {"median": 0.5, "p95": 4.46}
    assert summary["delay_s"] == {"median": 1.5, "p95": 2.85}


def test_offset_counts_for_f1_but_not_for_that_of_the_onset() -> None:
    summary = summarize([score("s", 60.0, [truth("a", 0.0, 2.0)], [said("a", 0.1, 9.0)])])
    assert (summary["f1"], summary["onset_f1"]) == (0.0, 1.0)


def test_labels_and_levels_are_told_apart() -> None:
    results = [score("s", 1800.0, TRUTHS, SAID)]

    labels = by_label(results)
    levels = by_snr(results)

    assert labels["Bark"]["recall"] == 0.5
    assert labels["Bark"]["found"] == 1.0
    assert labels["Drum"] == {
        "events": 0,
        "detections": 1,
        "precision": 0.0,
        "recall": None,
        "f1": 0.0,
        "found": None,
        "onset_error_s": None,
        "offset_error_s": None,
        "delay_s": None,
        "false_events": 1,
    }
    assert list(levels) == ["0", "20"]
    assert (levels["20"]["recall"], levels["20"]["found"]) == (1.0, 1.0)
    assert (levels["0"]["recall"], levels["0"]["found"]) == (0.0, 0.5)


def test_as_many_pairs_as_can_be_are_matched_one_to_one() -> None:
    # The first event could take either detection, the second only the first one.
    truths = [truth("a", 1.0, 3.0), truth("a", 0.2, 2.2)]
    detections = [said("a", 0.9, 2.9), said("a", 1.9, 3.5)]

    assert match(truths, detections, 1.0, of_length=0.5) == {0: 1, 1: 0}


def test_one_detection_is_right_once_when_it_covers_two_events() -> None:
    truths = [truth("a", 0.0, 2.0), truth("a", 0.5, 2.5)]
    result = score("s", 60.0, truths, [said("a", 0.2, 2.2)])
    assert (result.n_right, len(result.false)) == (1, 0)
    assert summarize([result])["found"] == 1.0


def test_any_label_of_a_truth_with_several_is_right() -> None:
    result = score(
        "s", 60.0, [truth("Male speech|Female speech", 0, 9)], [said("Male speech", 1, 9)]
    )
    assert result.n_right == 1
    assert not result.false


def test_nothing_gives_no_shares() -> None:
    summary = summarize([score("quiet", 3600.0, [], [])])
    assert summary["f1"] is None
    assert summary["false_events_an_hour"] == 0.0


def test_messages_become_detections() -> None:
    evidence = {"clip_end_t_s": [9.0, 10.0, 11.25]}
    onset = {"id": "r-1", "phase": "onset", "label": "Bark", "evidence": evidence}
    update = {"id": "r-1", "phase": "update", "label": "Bark", "evidence": evidence}
    offset = {
        **{"id": "r-1", "phase": "offset", "label": "Bark", "evidence": None},
        **{"onset": {"t_s": 10.5}, "offset": {"t_s": 12.0}, "confidence": 0.8},
    }

    assert detections_of([onset, update, offset]) == [
        Detection(label="Bark", onset_s=10.5, offset_s=12.0, told_s=11.25, confidence=0.8)
    ]
    with pytest.raises(ValueError, match="1 events have no offset"):
        detections_of([onset])


@pytest.mark.filterwarnings("ignore")  # of the library and what it brings
def test_f1_equals_that_of_sed_eval() -> None:
    pytest.importorskip("sed_eval", reason="sed_eval is not installed")
    rng = np.random.default_rng(0)
    streams = []
    for number in range(6):
        onsets = np.cumsum(rng.uniform(2, 8, 30))
        labels = rng.choice(["a", "b", "c"], 30)
        truths = [
            truth(str(n), t, t + rng.uniform(0.5, 6)) for n, t in zip(labels, onsets, strict=True)
        ]
        detections = [
            said(t.label, t.onset_s + rng.normal(0, 0.7), t.offset_s + rng.normal(0, 1.0) + 1)
            for t in truths
            if rng.random() < 0.8
        ]
        streams.append((str(number), truths, detections))
    results = [score(name, 300.0, t, d) for name, t, d in streams]

    theirs = sed_eval_f1(streams)

    assert 0.2 < theirs < 0.9
    assert summarize(results)["f1"] == pytest.approx(theirs, abs=1e-4)
