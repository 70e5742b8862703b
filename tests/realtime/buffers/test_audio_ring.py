import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.signal import DataSignal
from realtime.stats import Stats
from realtime.threads.mailbox import Policy


def ramp(start: int, stop: int) -> NDArray[np.float32]:
    return np.arange(start, stop, dtype=np.float32)


def make_ring(capacity: int = 10, policy: Policy = Policy.DROP_OLDEST) -> tuple[AudioRing, Stats]:
    stats = Stats()
    return AudioRing(capacity, policy, DataSignal(), stats), stats


def test_read_returns_the_samples_when_they_wrap_around() -> None:
    ring, _ = make_ring()
    ring.append(ramp(0, 7))
    ring.append(ramp(7, 14))

    span = ring.read(5, 13)

    np.testing.assert_array_equal(span.samples, ramp(5, 13))
    assert (span.n_missing, span.n_gap) == (0, 0)


def test_read_reports_missing_when_samples_were_overwritten_or_have_not_come() -> None:
    ring, stats = make_ring()
    ring.append(ramp(0, 14))

    span = ring.read(2, 16)

    np.testing.assert_array_equal(span.samples, [0, 0, *range(4, 14), 0, 0])
    assert span.n_missing == 4
    assert stats.snapshot().count("dropped_samples") == 4


def test_released_samples_are_no_loss_when_overwritten() -> None:
    ring, stats = make_ring()
    ring.append(ramp(0, 10))
    ring.release(6)
    ring.append(ramp(10, 14))

    assert ring.first_index == 6
    assert stats.snapshot().count("dropped_samples") == 0


def test_read_reports_the_gap_when_one_was_stored() -> None:
    ring, stats = make_ring()
    ring.append(ramp(1, 4))
    ring.append(ramp(6, 9), gap_before=2)

    span = ring.read(2, 7)

    np.testing.assert_array_equal(span.samples, [3, 0, 0, 6, 7])
    assert (span.n_missing, span.n_gap) == (0, 2)
    assert stats.snapshot().count("audio_gap_samples") == 2


@pytest.mark.parametrize("policy", list(Policy))
def test_a_gap_of_a_year_is_cheap_when_longer_than_the_ring(policy: Policy) -> None:
    ring, _ = make_ring(policy=policy)
    year = 365 * 24 * 3600 * 16_000
    ring.append(ramp(0, 5))
    ring.append(ramp(0, 0), gap_before=year)
    ring.release(year)
    ring.append(ramp(0, 3))

    span = ring.read(year + 3, year + 8)

    np.testing.assert_array_equal(span.samples, [0, 0, 0, 1, 2])
    assert span.n_gap == 2


def test_waiting_ring_keeps_the_samples_before_a_long_gap_until_released() -> None:
    ring, _ = make_ring(policy=Policy.WAIT)
    ring.append(ramp(0, 8))
    ring.append(ramp(0, 0), gap_before=1000)

    np.testing.assert_array_equal(ring.read(0, 8).samples, ramp(0, 8))
    assert ring.end_index == 1008


def test_indices_start_where_told_when_the_sound_begins_later() -> None:
    ring, _ = make_ring()
    ring.start_at(8000)
    ring.append(ramp(0, 4))

    assert (ring.first_index, ring.end_index) == (8000, 8004)
    assert ring.read(7998, 8002).n_missing == 2
    with pytest.raises(ValueError, match="fixed"):
        ring.start_at(0)


def test_append_refuses_when_ended_or_closed() -> None:
    ring, _ = make_ring()
    ring.append(ramp(0, 2))
    ring.end()

    assert not ring.append(ramp(2, 4))
    assert ring.end_index == 2


@pytest.mark.timeout(20)
def test_nothing_is_lost_when_a_waiting_ring_is_fed_odd_blocks() -> None:
    ring, stats = make_ring(capacity=97, policy=Policy.WAIT)
    rng = np.random.default_rng(0)
    sizes = [int(n) for n in rng.integers(1, 400, 60)]

    def feed() -> None:
        start = 0
        for n in sizes:
            ring.append(ramp(start, start + n))
            start += n
        ring.end()

    feeder = threading.Thread(target=feed)
    feeder.start()
    position = 0
    while not ring.ended or position < ring.end_index:
        stop = min(ring.end_index, position + 31)
        span = ring.read(position, stop)
        np.testing.assert_array_equal(span.samples, ramp(position, stop))
        position = stop
        ring.release(position)
    feeder.join()

    assert position == sum(sizes)
    assert stats.snapshot().count("dropped_samples") == 0


@pytest.mark.timeout(20)
def test_append_gives_up_when_the_ring_closes_under_it() -> None:
    ring, _ = make_ring(policy=Policy.WAIT)
    taken: list[bool] = []
    feeder = threading.Thread(target=lambda: taken.append(ring.append(ramp(0, 100))))
    feeder.start()

    ring.close()
    feeder.join(10.0)

    assert taken == [False]


@pytest.mark.timeout(60)
def test_no_sample_is_out_of_place_when_a_reader_races_the_writer() -> None:
    ring, _ = make_ring(capacity=1000)
    n_total = 400_000

    def feed() -> None:
        for start in range(0, n_total, 160):
            ring.append(ramp(start, start + 160))
        ring.end()

    feeder = threading.Thread(target=feed)
    feeder.start()
    while not ring.ended:
        end = ring.end_index
        span = ring.read(max(0, end - 900), end)
        there = span.samples[span.n_missing :]
        np.testing.assert_array_equal(there, ramp(end - len(there), end))
    feeder.join()


def test_samples_that_do_not_come_count_as_lost_at_once_and_not_again_with_their_gap() -> None:
    ring, stats = make_ring()
    ring.append(ramp(0, 8))

    ring.miss(5)  # they are there
    assert stats.snapshot().count("audio_gap_samples") == 0
    ring.miss(20)
    ring.miss(20)
    assert stats.snapshot().count("audio_gap_samples") == 12
    ring.append(ramp(38, 40), gap_before=30)
    assert stats.snapshot().count("audio_gap_samples") == 30
    ring.append(ramp(45, 46), gap_before=5)
    assert stats.snapshot().count("audio_gap_samples") == 35


def test_sound_that_never_began_or_is_over_is_no_loss() -> None:
    ring, stats = make_ring()
    ring.miss(100)
    ring.append(ramp(0, 4))
    ring.end()
    ring.miss(100)

    assert stats.snapshot().count("audio_gap_samples") == 0


def test_samples_that_come_after_all_are_no_loss_in_the_end() -> None:
    """A device's lost samples are found some blocks later, and the gap lies behind these."""
    ring, stats = make_ring()
    ring.append(ramp(0, 8))
    ring.miss(20)
    ring.append(ramp(0, 5))
    ring.append(ramp(0, 5), gap_before=30)

    assert stats.snapshot().count("audio_gap_samples") == 30
