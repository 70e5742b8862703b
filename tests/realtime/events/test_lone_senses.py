"""A sense that is gone for a while frees the other to say nothing new that it denied before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from realtime.clock import NS_PER_S
from realtime.events.detector import EventDetector
from realtime.packets import Event, Phase, Prediction, Sense
from weights.event_spec import EventSpec

HOP_S = 0.25
LABELS = ["Bark", "Siren"]
CONFIG = EventSpec(on=0.6, off=0.4, merge_gap_s=1.0, min_duration_s=0.0, window_weight=0.25)
BOTH = (True, True)
PICTURE_ONLY, SOUND_ONLY, NOTHING = (True, False), (False, True), (False, False)
QUIET = (0.05, 0.05)


class Scene:
    """One stream's tracker, its time, and what it told."""

    def __init__(
        self,
        picture_share: float = 0.1,
        *,
        expects: set[Sense] | None = None,
        confirm_n: int = 1,
    ) -> None:
        config = replace(CONFIG, confirm=(confirm_n, confirm_n))
        self.tracker = EventDetector(config, LABELS)
        self.tracker.expect(expects or set())
        self.share = picture_share
        self.now_s = 0.75
        self.told: list[Event] = []

    def go_on(
        self,
        seconds: float,
        there: tuple[bool, bool] = BOTH,
        *,
        picture: tuple[float, float] = QUIET,
        sound: tuple[float, float] = QUIET,
        joint: tuple[float, float] | None = None,
        gap_samples: int = 0,
    ) -> list[Event]:
        """Let time pass; `joint` is what both together say, by default what the sound says."""
        n_before = len(self.told)
        alone = np.array([[picture] * 2, [sound] * 2], np.float32)
        alone[[not present for present in there]] = 0.0
        shares = np.array([[self.share, 1.0 - self.share]], np.float32) * there
        for _ in range(round(seconds / HOP_S)):
            self.now_s += HOP_S
            if there == BOTH:
                scores = np.array(joint if joint is not None else sound, np.float32)
            else:
                scores = alone[:, 0].max(axis=0)
            self.told += self.tracker.update(
                Prediction(
                    end_t_ns=round(self.now_s * NS_PER_S),
                    window=scores,
                    newest=scores,
                    attention=shares / max(float(shares.sum()), 1e-9),
                    present=np.array([there]),
                    newest_ns=0,
                    latency_ms=None,
                    compute_ms=0.0,
                    av_skew_ms=None,
                    gap_samples=gap_samples,
                    alone=alone,
                )
            )
        return self.told[n_before:]


def phases(events: list[Event]) -> list[tuple[str, Phase]]:
    return [(event.label, event.phase) for event in events if event.phase is not Phase.UPDATE]


@pytest.mark.parametrize("length_s", [0.5, 1.0, 3.0, 10.0, 30.0])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_picture_starts_nothing_that_the_sound_denied_when_that_is_gone(
    length_s: float, share: float
) -> None:
    scene = Scene(share)
    scene.go_on(12.0, picture=(0.9, 0.05), joint=QUIET)  # a dog that does not bark

    assert scene.go_on(length_s, PICTURE_ONLY, picture=(0.9, 0.05)) == []
    assert scene.go_on(12.0, picture=(0.9, 0.05), joint=QUIET) == []


@pytest.mark.parametrize("length_s", [0.5, 1.0, 3.0, 10.0, 30.0])
def test_sound_starts_nothing_that_the_picture_denied_when_that_is_gone(length_s: float) -> None:
    scene = Scene(0.1)
    scene.go_on(12.0, sound=(0.9, 0.05), joint=QUIET)

    assert scene.go_on(length_s, SOUND_ONLY, sound=(0.9, 0.05)) == []
    assert scene.go_on(12.0, sound=(0.9, 0.05), joint=QUIET) == []


def test_what_was_denied_for_less_than_its_first_second_is_not_freed_either() -> None:
    scene = Scene(0.1)
    scene.go_on(5.0)
    scene.go_on(0.5, picture=(0.9, 0.05), joint=QUIET)

    assert scene.go_on(10.0, PICTURE_ONLY, picture=(0.9, 0.05)) == []


def test_sense_that_carries_little_has_no_say_in_the_first_minute() -> None:
    scene = Scene(picture_share=0.1)
    scene.go_on(10.0)
    scene.go_on(5.0, PICTURE_ONLY)

    assert scene.go_on(30.0, PICTURE_ONLY, picture=(0.9, 0.05)) == []


def test_sense_that_carries_tells_what_it_says_anew_at_once() -> None:
    scene = Scene(picture_share=0.1)
    scene.go_on(10.0)
    scene.go_on(0.5, SOUND_ONLY)

    told = scene.go_on(5.0, SOUND_ONLY, sound=(0.05, 0.9))

    assert phases(told) == [("Siren", Phase.ONSET)]
    assert told[0].onset_t_ns == round((0.75 + 10.5 + HOP_S - 0.5) * NS_PER_S)


def test_event_ends_within_its_gap_when_the_sense_that_carried_it_is_gone() -> None:
    scene = Scene(picture_share=0.2)
    scene.go_on(5.0)
    scene.go_on(3.0, picture=(0.9, 0.05), sound=(0.9, 0.05))
    lost_s = scene.now_s

    told = scene.go_on(30.0, PICTURE_ONLY, picture=(0.9, 0.05))

    assert phases(told) == [("Bark", Phase.OFFSET)]
    assert told[-1].reason == "sense gone"
    assert told[-1].offset_t_ns == round((lost_s - 0.5) * NS_PER_S)


def test_event_goes_on_when_the_sense_that_is_gone_did_not_carry_it() -> None:
    scene = Scene(picture_share=0.2)
    scene.go_on(5.0)
    scene.go_on(3.0, sound=(0.05, 0.9))

    assert phases(scene.go_on(30.0, SOUND_ONLY, sound=(0.05, 0.9))) == []
    (offset,) = scene.go_on(3.0)
    assert (offset.phase, offset.reason) == (Phase.OFFSET, "quiet")


def test_event_goes_on_over_a_stall_that_is_shorter_than_its_gap() -> None:
    scene = Scene()
    scene.go_on(5.0)
    scene.go_on(3.0, sound=(0.9, 0.05))

    assert phases(scene.go_on(0.75, PICTURE_ONLY)) == []
    assert phases(scene.go_on(3.0, sound=(0.9, 0.05))) == []


def test_event_ends_with_that_reason_when_both_senses_are_gone() -> None:
    scene = Scene()
    scene.go_on(5.0)
    scene.go_on(3.0, sound=(0.9, 0.05))

    (offset,) = scene.go_on(5.0, NOTHING)
    assert (offset.phase, offset.reason) == (Phase.OFFSET, "sense gone")


def test_stream_is_one_of_one_sense_when_the_other_was_gone_for_a_minute() -> None:
    scene = Scene(picture_share=0.1)
    scene.go_on(10.0, picture=(0.9, 0.05), joint=QUIET)
    assert scene.go_on(65.0, PICTURE_ONLY, picture=(0.9, 0.05)) == []  # still denied

    told = scene.go_on(5.0, PICTURE_ONLY, picture=(0.05, 0.9))
    assert phases(told) == [("Siren", Phase.ONSET)]
    scene.go_on(5.0, PICTURE_ONLY)
    told = scene.go_on(5.0, PICTURE_ONLY, picture=(0.9, 0.05))
    assert phases(told) == [("Bark", Phase.ONSET)]


@pytest.mark.parametrize("there", [PICTURE_ONLY, SOUND_ONLY])
def test_stream_that_never_had_the_other_sense_tells_from_its_first_clip(
    there: tuple[bool, bool],
) -> None:
    scene = Scene(expects={Sense.PICTURE if there[0] else Sense.SOUND})

    told = scene.go_on(1.0, there, picture=(0.9, 0.05), sound=(0.9, 0.05))

    assert phases(told) == [("Bark", Phase.ONSET)]
    assert told[0].onset_t_ns == 0


def test_sense_that_comes_a_little_late_at_the_start_is_waited_for() -> None:
    scene = Scene(expects=set(Sense))

    assert scene.go_on(3.0, PICTURE_ONLY, picture=(0.9, 0.05)) == []
    assert scene.go_on(10.0, picture=(0.9, 0.05), joint=QUIET) == []


def test_sense_that_never_comes_is_given_up_after_a_while() -> None:
    scene = Scene(expects=set(Sense))

    told = scene.go_on(12.0, PICTURE_ONLY, picture=(0.9, 0.05))

    assert phases(told) == [("Bark", Phase.ONSET)]


def test_sound_that_comes_and_goes_starts_nothing() -> None:
    scene = Scene()
    scene.go_on(10.0, picture=(0.9, 0.05), joint=QUIET)
    for _ in range(20):
        assert scene.go_on(1.25, PICTURE_ONLY, picture=(0.9, 0.05)) == []
        assert scene.go_on(0.75, picture=(0.9, 0.05), joint=QUIET) == []


def test_second_with_a_hole_at_the_edge_of_a_stall_starts_nothing() -> None:
    scene = Scene(confirm_n=2)
    scene.go_on(10.0)
    assert scene.go_on(HOP_S, sound=(0.9, 0.05)) == []  # one hit of two

    assert scene.go_on(0.5, sound=(0.9, 0.05), gap_samples=3200) == []
    assert scene.go_on(3.0) == []


def test_second_with_a_hole_ends_no_event_that_goes_on() -> None:
    scene = Scene()
    scene.go_on(5.0)
    scene.go_on(3.0, sound=(0.9, 0.05))

    assert phases(scene.go_on(1.0, sound=(0.9, 0.05), gap_samples=3200)) == []


def test_sound_that_always_has_holes_is_told_all_the_same() -> None:
    scene = Scene()
    scene.go_on(10.0)

    told = scene.go_on(4.0, sound=(0.9, 0.05), gap_samples=3200)

    assert phases(told) == [("Bark", Phase.ONSET)]
