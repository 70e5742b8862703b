"""Stamps in, shifts out: joins, leaps of one sense, and stamps that were torn, also the first."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from extractors.decoding.one_clock import OneClock
from extractors.decoding.stamped import Stamped

S = 1_000_000_000
PICTURE_S, SOUND_S = 0.04, 0.064

Item = tuple[str, float, float]  # track, stamp, length; seconds


def both(start_s: float = 0.0, seconds: float = 2.0, *, sound_late_s: float = 0.0) -> list[Item]:
    """Return a part's packets, in a muxer's order."""
    pictures = [("picture", k * PICTURE_S, PICTURE_S) for k in range(round(seconds / PICTURE_S))]
    sounds = [
        ("sound", sound_late_s + k * SOUND_S, SOUND_S)
        for k in range(round((seconds - sound_late_s) / SOUND_S))
    ]
    return [(n, start_s + t, length) for n, t, length in sorted(pictures + sounds, key=_stamp)]


def _stamp(item: Item) -> float:
    return item[1]


def torn(items: Sequence[Item], track: str, to_s: float, *, n: int = 1) -> list[Item]:
    """Move the stamps of a track's first packets."""
    left, out = n, []
    for name, t, length in items:
        if name == track and left:
            t, left = to_s + (n - left) * length, left - 1
        out.append((name, t, length))
    return out


class Played:
    """What a clock made of packets: each track's times, in seconds, and the faults it told."""

    def __init__(self, items: Sequence[Item], *, is_joinable: bool, origin_s: float | None) -> None:
        self.faults: list[str] = []
        origin_ns = None if origin_s is None else round(origin_s * S)
        clock: OneClock[Item] = OneClock(
            is_joinable=is_joinable, on_fault=self.faults.append, origin_ns=origin_ns
        )
        settled = [pair for item in items for pair in clock.put(stamped(item))]
        settled += clock.flush()
        assert len(settled) == len(items)
        self.times: dict[str, list[float]] = {}
        for (track, t, _), shift_ns in settled:
            self.times.setdefault(track, []).append(t + shift_ns / S)

    @property
    def span_s(self) -> float:
        every = [t for times in self.times.values() for t in times]
        return max(every) - min(every)

    @property
    def skew_s(self) -> float:
        """By how much the senses ended apart, of parts in which they end together."""
        return abs(self.times["picture"][-1] - self.times["sound"][-1])


def stamped(item: Item) -> Stamped[Item]:
    track, t, length = item
    ns = round(t * S)
    return Stamped(track=track, payload=item, dts_ns=ns, pts_ns=ns, length_ns=round(length * S))


def play(
    items: Sequence[Item], *, is_joinable: bool = True, origin_s: float | None = None
) -> Played:
    """Let a clock take packets; the origin is what FFmpeg would tell: the least first stamp."""
    if origin_s is None:
        firsts = {track: t for track, t, _ in reversed(items)}
        origin_s = min(firsts.values())
    return Played(items, is_joinable=is_joinable, origin_s=origin_s)


@pytest.mark.parametrize("is_joinable", [True, False])
@pytest.mark.parametrize("start_s", [0.0, 3600.0, 95_440.0])
def test_stamps_that_go_on_are_left_as_they_are(is_joinable: bool, start_s: float) -> None:
    items = both(start_s)

    played = play(items, is_joinable=is_joinable)

    assert played.times["picture"] == [t for name, t, _ in items if name == "picture"]
    assert played.times["sound"] == [t for name, t, _ in items if name == "sound"]
    assert played.faults == []


@pytest.mark.parametrize("second_s", [0.0, 40.0, 600.0, 86_400.0])
def test_join_moves_both_senses_by_the_same(second_s: float) -> None:
    played = play(both(10.0) + both(second_s, sound_late_s=0.4))

    assert played.span_s == pytest.approx(4.0, abs=0.2)
    assert played.skew_s < 0.1
    sounds = played.times["sound"]
    leap_s = max(b - a for a, b in itertools.pairwise(sounds))
    assert leap_s == pytest.approx(0.4 + SOUND_S, abs=0.1)  # it begins later than its picture


def test_sense_that_leaps_while_the_other_goes_on_goes_on_where_it_was() -> None:
    items = both(seconds=6.0)
    leaping = [
        (name, t + 7200 if name == "picture" and t > 3 else t, length) for name, t, length in items
    ]

    played = play(leaping)

    assert played.span_s < 6.1
    assert played.faults == ["picture"]


def test_one_torn_stamp_is_put_where_it_was_expected() -> None:
    items = both()
    items[20] = (items[20][0], 5e5, items[20][2])

    played = play(items)

    assert played.span_s < 2.1
    assert len(played.faults) == 1


@pytest.mark.parametrize("is_joinable", [True, False])
@pytest.mark.parametrize("start_s", [0.0, 3600.0])
@pytest.mark.parametrize("track", ["picture", "sound"])
@pytest.mark.parametrize(
    ("far_s", "n"),
    [(t, n) for t in (30.0, 1200.0, 1790.0, 7200.0, 864_000.0) for n in (1, 2)]
    + [(-1200.0, 1), (-7200.0, 1), (-864_000.0, 1)],
)
def test_first_stamp_far_from_the_rest_counts_as_torn(
    is_joinable: bool, start_s: float, track: str, far_s: float, n: int
) -> None:
    items = torn(both(start_s), track, start_s + far_s, n=n)

    played = play(items, is_joinable=is_joinable)

    assert played.span_s < 2.2
    assert played.skew_s < 0.2
    assert played.faults


@pytest.mark.parametrize("is_joinable", [True, False])
@pytest.mark.parametrize("far_s", [30.0, 7200.0, 864_000.0, -1200.0, -7200.0])
def test_first_stamp_of_a_lone_sense_counts_as_torn(is_joinable: bool, far_s: float) -> None:
    pictures = [item for item in both() if item[0] == "picture"]

    played = play(torn(pictures, "picture", far_s), is_joinable=is_joinable)

    assert played.span_s < 2.1
    assert played.faults == ["picture"]


def test_file_that_begins_far_from_its_told_origin_begins_there() -> None:
    played = play(both(95_443.0), origin_s=0.0)

    assert min(played.times["picture"]) == pytest.approx(0.0, abs=0.1)
    assert played.span_s < 2.1


@pytest.mark.parametrize("is_joinable", [True, False])
def test_sense_that_begins_late_is_not_torn(is_joinable: bool) -> None:
    items = both(seconds=60.0, sound_late_s=45.0)

    played = play(items, is_joinable=is_joinable)

    assert min(played.times["sound"]) == 45.0
    assert played.faults == []


@pytest.mark.parametrize("is_joinable", [True, False])
@pytest.mark.parametrize("step_s", [2.0, 15.0, 120.0])
def test_slow_pictures_are_not_torn(is_joinable: bool, step_s: float) -> None:
    items = [("picture", k * step_s, PICTURE_S) for k in range(8)]

    played = play(items, is_joinable=is_joinable)

    assert played.times["picture"] == [t for _, t, _ in items]
    assert played.faults == []


def test_first_picture_that_is_told_to_stand_is_not_torn() -> None:
    rest = [("picture", 300 + k * PICTURE_S, PICTURE_S) for k in range(20)]

    played = play([("picture", 0.0, 300.0), *rest], is_joinable=False)

    assert played.times["picture"][1] == 300.0
    assert played.faults == []


def test_senses_that_lie_apart_in_the_file_keep_their_stamps() -> None:
    items = both(seconds=30.0)
    apart = sorted(items, key=lambda item: item[0])  # all pictures first

    played = play(apart, is_joinable=False)

    assert played.times["sound"][0] == 0.0
    assert played.faults == []


def test_packets_that_are_put_again_get_the_same_times() -> None:
    faults: list[str] = []
    clock: OneClock[Item] = OneClock(is_joinable=True, on_fault=faults.append)
    first = [pair for item in both(50.0) for pair in clock.put(stamped(item))]
    place = clock.place()
    again = both(0.0, 4.0)
    once = [pair for item in again for pair in clock.put(stamped(item))] + clock.flush()

    clock.go_back(place)
    twice = [pair for item in again for pair in clock.put(stamped(item))] + clock.flush()

    assert once == twice
    assert once[0][1] == pytest.approx(52 * S, abs=0.1 * S)
    assert {shift for _, shift in first} == {0}


def test_packets_without_a_stamp_pass() -> None:
    clock: OneClock[str] = OneClock(is_joinable=True, on_fault=lambda _: None)

    settled = clock.put(Stamped(track="sound", payload="a", dts_ns=None, pts_ns=None, length_ns=0))

    assert settled == [("a", 0)]
    assert clock.end_ns() is None
