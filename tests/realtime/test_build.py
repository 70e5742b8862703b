"""What settings mean once the bundle is known."""

from __future__ import annotations

import numpy as np
import pytest

from predictions import prediction
from realtime.build import chosen_labels, lookback_s
from realtime.bundle_settings import find_bundle
from realtime.clock import NS_PER_S
from realtime.errors import UsageError
from realtime.events.detector import EventDetector
from realtime.packets import Phase
from weights.event_spec import EventSpec


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        ([], ()),
        (["Bark, Siren"], ("Bark", "Siren")),
        (["Violin, fiddle"], ("Violin, fiddle",)),
        (["Bark,Violin,fiddle,Siren"], ("Bark", "Violin, fiddle", "Siren")),
        (["Siren", "Violin, fiddle"], ("Siren", "Violin, fiddle")),
    ],
)
def test_labels_are_found_when_they_hold_commas(texts: list[str], labels: tuple[str, ...]) -> None:
    assert chosen_labels(texts, find_bundle("starter")) == labels


@pytest.mark.parametrize(("text", "unknown"), [("Violin,Siren", "Violin"), ("Siren,cat", "cat")])
def test_labels_are_refused_when_the_bundle_has_them_not(text: str, unknown: str) -> None:
    with pytest.raises(UsageError, match=f"has not: {unknown};"):
        chosen_labels([text], find_bundle("starter"))


@pytest.mark.parametrize("min_duration_s", [0.0, 2.0, 8.0])
@pytest.mark.parametrize("hop_s", [0.25, 1.0])
def test_recorder_looks_back_as_far_as_an_onset_may_lie(
    hop_s: float, min_duration_s: float
) -> None:
    config = EventSpec(
        off=0.3, confirm=(2, 3), merge_gap_s=2.0, min_duration_s=min_duration_s, window_weight=0.0
    )
    tracker = EventDetector(config, ["Bark"])
    end_s = np.arange(1.0, 30.0, hop_s)
    rising = np.where(end_s < 10.0, 0.4, 0.9)  # from `off` on for long, then `on`

    behind_s = None
    for now_s, score in zip(end_s.tolist(), rising.tolist(), strict=True):
        for event in tracker.update(prediction(now_s, score)):
            if event.phase is Phase.ONSET:
                behind_s = now_s - event.onset_t_ns / NS_PER_S

    assert behind_s is not None
    assert 5.0 < behind_s <= lookback_s(config, hop_s)
