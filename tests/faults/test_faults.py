"""Each fault by itself, once on each sense that it can hit: what must hold afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults.fault_layer import FRAME_S, SAMPLE_RATE, Fault
from faults.invariants import check, figures
from faults.rig import HOP_S, Rig, Told

pytestmark = pytest.mark.timeout(120)

LENGTH_S = 34.0


def one(kind: str, sense: str, amount: float = 0.0, length_s: float = 2.0) -> list[Fault]:
    return [Fault(kind=kind, sense=sense, start_s=11.0, length_s=length_s, amount=amount)]


def lost_samples_are_a_gap(told: Told) -> None:
    gap, lost = told.counts["audio_gap_samples"], told.injected.counts["lost_samples"]
    assert gap == pytest.approx(lost, abs=SAMPLE_RATE // 25)  # what DEVICE_LOSS_NS lets pass


def bad_samples_are_counted(told: Told) -> None:
    assert told.counts["bad_samples"] == told.injected.counts["bad_samples"] > 0


def frames_that_go_back_are_counted(told: Told) -> None:
    assert told.counts["dropped_frames"] == told.injected.counts["dropped_frames"] > 0


def nothing_is_counted_as_lost(told: Told) -> None:
    names = ("audio_gap_samples", "dropped_frames", "dropped_samples", "dropped_messages")
    assert [told.counts.get(name, 0) for name in names] == [0, 0, 0, 0]


Verdict = Callable[[Told], None]


def a_gap_of(seconds: float) -> Verdict:
    def verdict(told: Told) -> None:
        assert told.counts["audio_gap_samples"] == seconds * SAMPLE_RATE

    return verdict


def a_gap_of_at_most(seconds: float) -> Verdict:
    """What comes late is missing where it was wanted, and is no loss of the device's."""

    def verdict(told: Told) -> None:
        assert 0 < told.counts["audio_gap_samples"] <= seconds * SAMPLE_RATE
        assert told.counts.get("dropped_samples", 0) == 0

    return verdict


def a_second_of_frames_is_dropped(told: Told) -> None:
    assert told.counts["dropped_frames"] == pytest.approx(1 / FRAME_S, abs=1)


def clips_are_skipped_for(seconds: float) -> Verdict:
    def verdict(told: Told) -> None:
        assert told.counts["skipped_clips"] == seconds / HOP_S

    return verdict


CASES: dict[str, tuple[list[Fault], Verdict]] = {
    "none": ([], nothing_is_counted_as_lost),
    "sound stalls, then all at once": (one("stall", "sound"), a_gap_of_at_most(2.0)),
    "sound is lost for 2 s": (one("drop", "sound"), lost_samples_are_a_gap),
    "sound is lost for 10 s": (one("drop", "sound", length_s=10.0), lost_samples_are_a_gap),
    "a third of the blocks is lost": (one("loss", "sound", 0.33), lost_samples_are_a_gap),
    "blocks change places": (one("swap", "sound"), nothing_is_counted_as_lost),
    "blocks come up to 0.15 s late": (one("late", "sound", 0.15), a_gap_of_at_most(0.15)),
    "half of each block is torn off": (one("tear", "sound"), lost_samples_are_a_gap),
    "NaN and infinities": (one("nan", "sound"), bad_samples_are_counted),
    "sound far above full scale": (one("full scale", "sound"), nothing_is_counted_as_lost),
    "two channels": (one("channels", "sound", 2), nothing_is_counted_as_lost),
    "six channels": (one("channels", "sound", 6), nothing_is_counted_as_lost),
    "48 kHz": (one("rate", "sound", 3.0), nothing_is_counted_as_lost),
    "8 kHz": (one("rate", "sound", 0.5), nothing_is_counted_as_lost),
    "1 % fewer samples than told": (one("wrong rate", "sound", -0.01), nothing_is_counted_as_lost),
    "8 % more samples than told": (one("wrong rate", "sound", 0.08), nothing_is_counted_as_lost),
    "sound's clock jumps 1 s ahead": (one("jump", "sound", 1.0), a_gap_of(1.0)),
    "sound's clock jumps 1 s back": (one("jump", "sound", -1.0), a_gap_of(1.0)),
    "sound's clock jumps an hour ahead": (one("jump", "sound", 3600.0), a_gap_of(3600.0)),
    "sound's clock jumps an hour back": (one("jump", "sound", -3600.0), a_gap_of(3600.0)),
    "pictures stall, then all at once": (one("stall", "picture"), nothing_is_counted_as_lost),
    "no pictures for 2 s": (one("drop", "picture"), nothing_is_counted_as_lost),
    "no pictures for 10 s": (one("drop", "picture", length_s=10.0), nothing_is_counted_as_lost),
    "half of the frames is lost": (one("loss", "picture", 0.5), nothing_is_counted_as_lost),
    "frames change places": (one("swap", "picture"), frames_that_go_back_are_counted),
    "frames come up to 0.15 s late": (one("late", "picture", 0.15), nothing_is_counted_as_lost),
    "torn frames": (one("tear", "picture"), nothing_is_counted_as_lost),
    "each frame of another size": (one("resize", "picture"), nothing_is_counted_as_lost),
    "each frame twice": (one("repeat", "picture"), nothing_is_counted_as_lost),
    "pictures' clock jumps 1 s ahead": (one("jump", "picture", 1.0), nothing_is_counted_as_lost),
    "pictures' clock jumps 1 s back": (one("jump", "picture", -1.0), a_second_of_frames_is_dropped),
    "pictures' clock jumps an hour ahead": (
        one("jump", "picture", 3600.0),
        nothing_is_counted_as_lost,
    ),
    "recognition has no processor for 3 s": (
        one("busy", "run", length_s=3.0),
        clips_are_skipped_for(3.0),
    ),
    "recognition has no processor for 10 s": (
        one("busy", "run", length_s=10.0),
        clips_are_skipped_for(10.0),
    ),
    "publishing has no processor for 5 s": (
        one("deaf", "run", length_s=5.0),
        nothing_is_counted_as_lost,
    ),
    "another subscriber does not read": (
        one("held", "run", length_s=30.0),
        nothing_is_counted_as_lost,
    ),
    "both senses are lost for 5 s": (
        [*one("drop", "sound", length_s=5.0), *one("drop", "picture", length_s=5.0)],
        lost_samples_are_a_gap,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_costs_no_more_than_its_own_span(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    faults, verdict = CASES[name]
    told = Rig(faults, LENGTH_S).run()
    felt = [fault for fault in faults if fault.kind != "held"]  # costs the others nothing at all
    record_property("fault", name)
    for key, value in figures(told, felt, LENGTH_S).items():
        record_property(key, value)
    check(told, felt, LENGTH_S)
    verdict(told)
