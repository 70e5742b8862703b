import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.buffers.frame_ring import END_SLOT, FrameRing
from realtime.buffers.signal import DataSignal
from realtime.stats import Stats
from realtime.threads.mailbox import Policy


def image(value: int, size: int = 2) -> NDArray[np.uint8]:
    return np.full((size, size, 3), value, np.uint8)


def make_ring(capacity: int = 4, policy: Policy = Policy.DROP_OLDEST) -> tuple[FrameRing, Stats]:
    stats = Stats()
    return FrameRing(capacity, 2, policy, DataSignal(), stats), stats


def test_read_returns_copies_when_frames_lie_in_the_range() -> None:
    ring, _ = make_ring()
    for slot in (0, 2, 3):
        ring.append(slot, slot * 100, image(slot))

    frames = ring.read(1, 3)
    frames[0].image[:] = 77

    assert [(f.slot, f.time_ns) for f in frames] == [(2, 200), (3, 300)]
    assert ring.read(2, 2)[0].image.max() == 2


def test_append_copies_when_the_caller_reuses_its_array() -> None:
    ring, _ = make_ring()
    mine = image(1)
    ring.append(0, 0, mine)
    mine[:] = 9

    assert ring.read(0, 0)[0].image.max() == 1


def test_append_refuses_and_counts_when_the_slot_is_not_later() -> None:
    ring, stats = make_ring()
    ring.append(3, 300, image(3))

    assert not ring.append(3, 310, image(4))
    assert not ring.append(2, 200, image(4))
    assert stats.snapshot().count("dropped_frames") == 2
    assert ring.newest_at(END_SLOT) == (3, 300)


def test_append_refuses_when_the_slot_was_declared_final() -> None:
    ring, _ = make_ring()
    ring.mark(5)

    assert not ring.append(5, 500, image(1))
    assert ring.append(6, 600, image(1))


def test_append_drops_the_oldest_and_counts_when_full() -> None:
    ring, stats = make_ring(capacity=2)
    for slot in range(3):
        ring.append(slot, slot, image(slot))

    assert [f.slot for f in ring.read(0, 9)] == [1, 2]
    assert stats.snapshot().count("dropped_frames") == 1


def test_newest_at_finds_the_frame_to_hold_when_slots_are_missing() -> None:
    ring, _ = make_ring()
    ring.append(1, 100, image(1))
    ring.append(4, 400, image(4))

    assert ring.newest_at(0) is None
    assert ring.newest_at(3) == (1, 100)
    assert ring.newest_at(9) == (4, 400)


def test_release_keeps_the_newest_earlier_frame_when_it_may_be_held() -> None:
    ring, _ = make_ring()
    for slot in (0, 1, 5):
        ring.append(slot, slot, image(slot))

    ring.release(4)

    assert [f.slot for f in ring.read(0, 9)] == [1, 5]


def test_watermark_only_grows_when_marked() -> None:
    ring, _ = make_ring()
    assert ring.final_slot == -1
    ring.mark(4)
    ring.mark(2)
    assert ring.final_slot == 4
    ring.end()
    assert ring.ended
    assert ring.final_slot == END_SLOT


@pytest.mark.timeout(20)
def test_append_waits_for_release_when_full_and_waiting() -> None:
    ring, stats = make_ring(capacity=2, policy=Policy.WAIT)
    taken: list[bool] = []

    def feed() -> None:
        taken.extend(ring.append(slot, slot, image(slot)) for slot in range(50))

    feeder = threading.Thread(target=feed)
    feeder.start()
    read: list[int] = []
    while feeder.is_alive() or ring.read(len(read), 50):
        for frame in ring.read(len(read), 50):
            assert frame.image.max() == frame.slot
            read.append(frame.slot)
        ring.release(len(read))
    feeder.join()

    assert read == list(range(50))
    assert all(taken)
    assert stats.snapshot().count("dropped_frames") == 0


@pytest.mark.timeout(20)
def test_append_gives_up_when_the_ring_closes_under_it() -> None:
    ring, _ = make_ring(capacity=1, policy=Policy.WAIT)
    ring.append(0, 0, image(0))
    taken: list[bool] = []
    feeder = threading.Thread(target=lambda: taken.append(ring.append(1, 1, image(1))))
    feeder.start()

    ring.close()
    feeder.join(10.0)

    assert taken == [False]


@pytest.mark.timeout(60)
def test_no_frame_is_torn_when_a_reader_races_the_writer() -> None:
    ring = FrameRing(4, 32, Policy.DROP_OLDEST, DataSignal())
    pictures = [image(value, size=32) for value in range(256)]

    def feed() -> None:
        for slot in range(5_000):
            ring.append(slot, slot, pictures[slot % 256])
        ring.end()

    feeder = threading.Thread(target=feed)
    feeder.start()
    while not ring.ended:
        frames = ring.read(0, END_SLOT)
        slots = [f.slot for f in frames]
        assert slots == sorted(set(slots))
        for frame in frames:
            assert (frame.image == frame.slot % 256).all()
    feeder.join()


def test_first_frame_of_a_stride_is_read_when_nobody_had_one_of_it() -> None:
    ring, stats = make_ring(8)
    for slot in (5, 6, 8, 9):
        ring.append(slot, slot, image(slot))

    assert [f.slot for f in ring.read(5, END_SLOT, stride=4)] == [5, 8]
    assert stats.snapshot().count("skipped_frames") == 2


def test_stride_whose_frame_was_handed_out_gives_no_other_and_counts_it_once() -> None:
    ring, stats = make_ring(8)
    ring.append(4, 4, image(4))
    assert [f.slot for f in ring.read(0, END_SLOT, stride=4)] == [4]
    for slot in (5, 6, 7):
        ring.append(slot, slot, image(slot))
        assert ring.read(5, END_SLOT, stride=4) == []
    ring.append(8, 8, image(8))

    assert [f.slot for f in ring.read(5, END_SLOT, stride=4)] == [8]
    assert stats.snapshot().count("skipped_frames") == 3
