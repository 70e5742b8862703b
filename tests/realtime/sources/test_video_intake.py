import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.packets import SLOT_NS
from realtime.sources.video_intake import slot_of
from source_builders import Stream, make_stream

PICTURE: NDArray[np.uint8] = np.zeros((8, 8, 3), np.uint8)


def feed(stream: Stream, times_ns: list[int]) -> list[tuple[int, int]]:
    """Append frames; return the watermark and the newest slot after each."""
    intake = stream.inlet.video_intake()
    seen = []
    for time_ns in times_ns:
        intake.append(time_ns, PICTURE)
        newest = stream.frames.newest_at(1 << 40)
        seen.append((stream.frames.final_slot, -1 if newest is None else newest[0]))
    return seen


def test_slots_round_half_up_when_a_frame_lies_between_two_places() -> None:
    assert slot_of(SLOT_NS // 2 - 1) == 0
    assert slot_of(SLOT_NS // 2) == 1
    assert slot_of(16 * SLOT_NS) == 16
    assert slot_of(-SLOT_NS // 2 - 1) == -1


def test_only_chosen_frames_are_made_when_the_rate_is_high() -> None:
    stream = make_stream()
    intake = stream.inlet.video_intake()
    made: list[int] = []

    def render(i: int) -> NDArray[np.uint8]:
        made.append(i)
        return PICTURE

    for i in range(120):  # 120 a second: about seven a slot
        intake.append_lazy(i * NS_PER_S // 120, lambda i=i: render(i))
    intake.end()

    assert len(made) == len(stream.slots()) == 17
    assert stream.count("frames") == 120
    assert stream.count("dropped_frames") == 0


def test_a_file_frame_waits_for_its_successor() -> None:
    stream = make_stream()

    assert feed(stream, [0, SLOT_NS, 2 * SLOT_NS]) == [(-1, -1), (0, 0), (1, 1)]


def test_a_live_frame_goes_through_at_once_when_no_other_is_due_in_its_slot() -> None:
    stream = make_stream(live=True, clock=ManualClock(NS_PER_S))

    seen = feed(stream, [i * 100 * NS_PER_MS for i in range(4)])

    assert seen[1:] == [(2, 2), (3, 3), (5, 5)]


def test_a_live_slot_without_a_frame_becomes_final_when_a_later_one_comes() -> None:
    stream = make_stream(live=True, clock=ManualClock(NS_PER_S))
    feed(stream, [0, 500 * NS_PER_MS])

    assert stream.slots() == [0, 8]
    assert stream.frames.final_slot == 8


def test_frames_that_go_back_in_time_are_dropped_and_counted() -> None:
    stream = make_stream()
    feed(stream, [NS_PER_S, 2 * NS_PER_S, NS_PER_S + 1, NS_PER_S // 2])

    assert stream.count("dropped_frames") == 2


@pytest.mark.parametrize("live", [False, True])
def test_nothing_is_pending_when_the_stream_has_ended(live: bool) -> None:
    stream = make_stream(live=live)
    intake = stream.inlet.video_intake()
    intake.append(0, PICTURE)
    intake.end()

    assert stream.slots() == [0]
    assert stream.frames.ended


def test_a_live_frame_that_its_device_dates_ahead_of_now_is_dated_now() -> None:
    stream = make_stream(live=True, clock=ManualClock(NS_PER_S))
    feed(stream, [0, 3600 * NS_PER_S, 500 * NS_PER_MS])

    assert stream.slots()[0] == 0
    assert stream.frames.final_slot <= 16


def test_what_nobody_asked_for_is_not_said_to_be_skipped() -> None:
    stream = make_stream(stride=2)
    intake = stream.inlet.video_intake()
    for slot in range(16):
        intake.append(slot * SLOT_NS, PICTURE)
    intake.end()
    assert stream.slots() == list(range(0, 16, 2))
    assert stream.count("skipped_frames") == 0

    stream = make_stream(stride=2)
    stream.frames.thin(8)
    intake = stream.inlet.video_intake()
    for slot in range(16):
        intake.append(slot * SLOT_NS, PICTURE)
    intake.end()
    assert stream.slots() == [0, 8]
    assert stream.count("skipped_frames") == 6
