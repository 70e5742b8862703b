"""What a recorder takes of a camera: so many frames a second, however unevenly they come."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.outputs.recording.feed import RecordFeed

IMAGE = np.zeros((16, 16, 3), np.uint8)


def taken_of(times_ns: list[int], max_fps: float = 30.0) -> list[int]:
    feed = RecordFeed(live=True, max_fps=max_fps)
    taken = []
    for time_ns in times_ns:
        feed.take_frame(time_ns, lambda: IMAGE)
        while (frame := feed.frames.get(0.0)) is not None:
            taken.append(frame.time_ns)
    return taken


def test_camera_that_keeps_to_the_rate_unevenly_loses_nothing() -> None:
    """Pictures over HTTP are dated when they come: now 20 ms apart, now 47."""
    uneven = [n * NS_PER_S // 30 + (n % 3) * 7 * NS_PER_MS for n in range(300)]
    assert taken_of(uneven) == uneven


def test_burst_after_a_pause_is_no_loss() -> None:
    burst = [500 * NS_PER_MS + n * NS_PER_MS for n in range(7)]
    times = [n * 50 * NS_PER_MS for n in range(4)] + burst
    assert taken_of(times) == times


@pytest.mark.parametrize(("fps", "max_fps"), [(60, 30.0), (120, 30.0), (50, 25.0), (30, 1.0)])
def test_of_a_faster_camera_so_many_a_second_are_taken(fps: int, max_fps: float) -> None:
    times = [n * NS_PER_S // fps for n in range(20 * fps)]
    taken = taken_of(times, max_fps)
    later = [time_ns for time_ns in taken if time_ns >= 10 * NS_PER_S]
    assert len(later) / 10 <= max_fps / 0.85 + 0.2
    assert len(later) / 10 >= 0.95 * max_fps


def test_clock_that_goes_back_does_not_stop_it() -> None:
    times = [100 * NS_PER_S + n * NS_PER_S // 20 for n in range(20)]
    times += [n * NS_PER_S // 20 for n in range(20)]
    assert taken_of(times) == times
