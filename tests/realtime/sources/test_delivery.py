"""How a source delivers, and how far its stream lags behind it; the test is source and clock."""

from __future__ import annotations

import pytest

from realtime.buffers.lag import MAX_LAG_NS, Lag
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.sources.delivery import Delivery
from realtime.sources.playout import MAX_BYTES, Playout, Stamps

PATIENCE_NS = NS_PER_S // 4
FRAME_NS = 40 * NS_PER_MS


class Source:
    """A sender of pictures, each of which arrives when a test says."""

    def __init__(self) -> None:
        self.delivery = Delivery(PATIENCE_NS)
        self.lag = Lag()
        self.playout: Playout[int] = Playout(self.delivery, self.lag)
        self.began_ns = 1000 * NS_PER_S
        self.now_ns = self.began_ns

    def send(self, media_ns: int, at_ns: int, stream: int = 0) -> None:
        self.now_ns = self.began_ns + at_ns
        stamps = Stamps(
            stream=stream, start_ns=media_ns, end_ns=media_ns + FRAME_NS, play_ns=media_ns
        )
        self.playout.put(media_ns, 1000, stamps, self.now_ns)

    def settles_after_s(self, limit_s: float = 30.0) -> float | None:
        """Return in how long it would be settled if nothing more came."""
        for step in range(round(limit_s * 10)):
            if self.playout.is_settled(self.now_ns + step * NS_PER_S // 10):
                return step / 10
        return None

    def smooth(self, from_s: float, to_s: float, late_ns: int = 0) -> None:
        for media_ns in range(round(from_s * NS_PER_S), round(to_s * NS_PER_S), FRAME_NS):
            self.send(media_ns, media_ns + FRAME_NS + late_ns)
            self.playout.is_settled(self.now_ns)

    def lump(self, from_s: float, to_s: float, at_s: float) -> None:
        """Send all between two times at once."""
        at_ns = round(at_s * NS_PER_S)
        for i, media_ns in enumerate(
            range(round(from_s * NS_PER_S), round(to_s * NS_PER_S), FRAME_NS)
        ):
            self.send(media_ns, at_ns + i * NS_PER_MS // 10)
        self.playout.is_settled(self.now_ns)


def test_a_smooth_source_has_no_lag_and_is_known_after_a_second() -> None:
    source = Source()
    source.smooth(0, 1.2)

    assert source.playout.is_settled(source.now_ns)
    assert source.lag.ns == 0


def test_the_backlog_of_the_opening_is_no_lump() -> None:
    source = Source()
    source.lump(0, 5, 5.0)  # what was read to find out what there is
    source.smooth(5, 8)

    assert source.playout.is_settled(source.now_ns)
    assert source.lag.ns == 0


@pytest.mark.parametrize("speed", [1.05, 1.2, 5.0])
def test_a_source_whose_time_stamps_run_faster_than_time_is_played_after_ten_seconds(
    speed: float,
) -> None:
    source = Source()
    for n in range(round(15 * speed * NS_PER_S / FRAME_NS)):
        source.send(n * FRAME_NS, round((n + 1) * FRAME_NS / speed))
        if source.playout.is_settled(source.now_ns):
            break

    assert source.now_ns - source.began_ns == pytest.approx(10.5 * NS_PER_S, abs=NS_PER_S // 4)
    assert source.lag.ns == 0


@pytest.mark.parametrize("part_s", [0.37, 1.0, 4.0, 10.0])
def test_a_source_of_lumps_lags_by_one_and_a_margin(part_s: float) -> None:
    source = Source()
    source.lump(0, 3 * part_s, 3 * part_s)  # three parts are there when it is opened
    for k in range(4, 10):
        source.lump((k - 1) * part_s, k * part_s, k * part_s)
        source.playout.is_settled(source.now_ns + 6 * NS_PER_S // 10)

    assert part_s < source.lag.ns / NS_PER_S <= 1.1 * part_s + 0.2


def test_nothing_is_played_until_a_playlist_shows_that_it_goes_on() -> None:
    source = Source()
    source.lump(0, 12, 12.0)
    assert source.settles_after_s() is None  # its encoder may have died an hour ago

    source.lump(12, 16, 16.0)
    assert source.settles_after_s() is not None
    assert source.lag.ns > 4 * NS_PER_S


def test_one_stall_of_a_smooth_source_is_no_habit() -> None:
    source = Source()
    source.smooth(0, 10)
    source.lump(10, 13, 13.0)
    source.smooth(13, 60)
    assert source.lag.ns == 0

    source.lump(60, 63, 63.0)
    source.smooth(63, 70)
    source.lump(70, 73, 73.0)
    assert 3.0 < source.lag.ns / NS_PER_S < 3.6


def test_the_lag_falls_slowly_when_no_such_lump_came_for_a_minute() -> None:
    source = Source()
    for k in range(1, 6):
        source.lump(4 * (k - 1), 4 * k, 4 * k)
    before_ns = source.lag.ns
    source.smooth(20, 70)
    assert source.lag.ns == before_ns
    source.smooth(70, 110)
    assert before_ns - 3 * NS_PER_S < source.lag.ns < before_ns
    source.smooth(110, 250)
    assert source.lag.ns == 0


def test_a_pause_of_minutes_is_no_lump() -> None:
    source = Source()
    source.smooth(0, 5)
    for k in range(3):
        source.lump(5 + 90 * k, 95 + 90 * k, 95.0 + 90 * k)

    assert source.lag.ns <= MAX_LAG_NS


def test_a_new_origin_of_time_is_no_lump() -> None:
    source = Source()
    source.lump(0, 12, 12.0)
    source.lump(12, 16, 16.0)
    before_ns = source.lag.ns
    for media_ns in range(0, 4 * NS_PER_S, FRAME_NS):  # an advertisement begins at 0
        source.send(media_ns, 20 * NS_PER_S)
    source.send(4 * NS_PER_S, 24 * NS_PER_S)

    assert source.lag.ns <= 1.1 * before_ns


def test_what_waits_is_due_after_the_lag_and_dated_without_it() -> None:
    source = Source()
    source.lump(0, 12, 12.0)
    source.lump(12, 16, 16.0)
    source.lump(16, 20, 20.0)
    playout, lag_ns = source.playout, source.lag.ns
    while (arrived := playout.take(source.now_ns)) is not None:
        newest_ns = playout.time_ns(arrived.item, arrived)

    wait_ns = playout.wait_ns(source.now_ns)
    assert wait_ns is not None
    assert 0 < wait_ns <= FRAME_NS
    assert abs(source.now_ns - lag_ns - newest_ns) <= FRAME_NS + 2 * NS_PER_MS


def test_sound_behind_the_pictures_of_a_lump_does_not_wait_for_them() -> None:
    source = Source()
    source.lump(0, 12, 12.0)
    source.lump(12, 16, 16.0)
    for k in range(100):  # a lump whose sound comes behind all its pictures
        source.send(16 * NS_PER_S + k * FRAME_NS, 20 * NS_PER_S)
    for k in range(100):
        source.send(16 * NS_PER_S + k * FRAME_NS, 20 * NS_PER_S, stream=1)
    played = []
    while (arrived := source.playout.take(source.now_ns + 2 * NS_PER_S)) is not None:
        if arrived.item >= 16 * NS_PER_S:
            played.append(arrived.item)

    assert played == sorted(played)
    assert len(played) > 60


def test_packets_are_bounded_and_each_loss_is_counted() -> None:
    source = Source()
    for k in range(3):
        stamps = Stamps(stream=0, start_ns=k, end_ns=k, play_ns=k)
        source.playout.put(k, MAX_BYTES // 2, stamps, source.now_ns)

    assert source.playout.n_dropped == 1
    taken = source.playout.take(source.now_ns + NS_PER_S)
    assert taken is not None
    assert taken.item == 1


def test_what_bears_no_time_is_dated_and_due_when_it_arrives() -> None:
    source = Source()
    source.playout.put(7, 100, None, source.now_ns)

    assert source.playout.is_settled(source.now_ns)
    arrived = source.playout.take(source.now_ns)
    assert arrived is not None
    assert source.playout.time_ns(0, arrived) == source.now_ns


def test_what_came_late_while_the_networks_loaded_is_not_held_against_the_source() -> None:
    source = Source()
    source.smooth(0, 2)
    source.lump(2, 4, 4.0)  # this program had no processor
    source.lump(4, 7, 7.0)
    assert source.lag.ns > 2 * NS_PER_S
    source.playout.begin(source.now_ns)
    assert source.lag.ns == 0
    assert not source.playout.is_settled(source.now_ns)
    source.smooth(7, 8)

    assert source.playout.is_settled(source.now_ns)
    assert source.lag.ns == 0


def test_a_source_of_lumps_is_known_by_its_next_one_when_the_stream_begins() -> None:
    source = Source()
    for k in range(1, 6):
        source.lump(4 * (k - 1), 4 * k, 4 * k)
    source.playout.begin(source.now_ns + NS_PER_S)
    assert source.settles_after_s() is None
    source.lump(20, 24, 24.0)

    assert source.settles_after_s() is not None
    assert 4.0 < source.lag.ns / NS_PER_S < 4.6


def test_a_stall_of_a_source_with_small_lumps_is_no_lump() -> None:
    source = Source()
    for k in range(20):
        source.lump(0.4 * k, 0.4 * (k + 1), 0.4 * (k + 1))
    before_ns = source.lag.ns
    source.lump(8.0, 16.0, 16.0)
    for k in range(40, 60):
        source.lump(0.4 * k, 0.4 * (k + 1), 0.4 * (k + 1))

    assert 0 < before_ns < NS_PER_S
    assert source.lag.ns == before_ns


def test_a_stall_that_is_made_up_for_slowly_is_one() -> None:
    source = Source()
    source.smooth(0, 10)
    for k in range(75):  # 3 s of it come in 1.5 s, after 3 s of nothing
        source.send(10 * NS_PER_S + k * FRAME_NS, 13 * NS_PER_S + k * FRAME_NS // 2)
    source.smooth(13, 20, late_ns=NS_PER_S // 10)

    assert source.lag.ns == 0


def test_what_is_always_late_is_lagged_behind() -> None:
    source = Source()
    source.smooth(0, 10)
    for k in range(300):  # a second stream that comes half a second after the first
        media_ns = 10 * NS_PER_S + k * FRAME_NS
        source.send(media_ns, media_ns + FRAME_NS)
        source.send(media_ns - NS_PER_S // 2, media_ns + FRAME_NS, stream=1)

    assert 0.5 < source.lag.ns / NS_PER_S < 0.8
