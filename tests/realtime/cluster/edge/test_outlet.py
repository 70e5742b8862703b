"""What an edge sends of its rings, and what it counts as lost."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.clock import NS_PER_S, Timeline
from realtime.cluster.edge import outlet
from realtime.cluster.edge.outlet import BLOCK, HELD_NS, MAX_BEHIND_NS, WINDOW_NS, Outlet
from realtime.cluster.wire.protocol import RAW, FromEdge, PictureSent, SoundSent, Start, from_edge
from realtime.config import SourceConfig
from realtime.packets import SAMPLE_RATE, SLOT_NS
from realtime.rings import Rings
from realtime.stats import Stats

SIZE = 4
MAX_BEHIND_SLOTS = MAX_BEHIND_NS // SLOT_NS
HELD_SLOTS = HELD_NS // SLOT_NS


class Edge:
    """Rings with an outlet; `room` is how many messages may go."""

    def __init__(self) -> None:
        config = SourceConfig(name="door", kind="live", camera="0", microphone="default")
        self.rings = Rings(config, SIZE, Timeline(), Stats())
        self.outlet = Outlet(self.rings, RAW, 90)
        self.sent: list[FromEdge] = []
        self.room = 1000
        self.rings.timeline.start(0)
        self.n_heard = 0

    def see(self, *slots: int) -> None:
        for slot in slots:
            image = np.full((SIZE, SIZE, 3), slot % 256, np.uint8)
            self.rings.frames.append(slot, slot * SLOT_NS, image)

    def hear(self, n: int, gap: int = 0) -> None:
        ring = self.rings.sounds
        ring.append(np.full(n, 0.25, np.float32), gap_before=gap)
        self.n_heard += n + gap
        ring.clock.observe(self.n_heard, self.n_heard * NS_PER_S // SAMPLE_RATE)

    def send(self) -> None:
        self.outlet.send(self._take, lambda: self.room > 0)

    def _take(self, message: bytes) -> None:
        self.room -= 1
        self.sent.append(from_edge(message, SIZE))

    def pictures(self) -> list[tuple[int, int]]:
        return [(m.number, m.time_ns // SLOT_NS) for m in self.sent if isinstance(m, PictureSent)]

    def blocks(self) -> list[tuple[int, int]]:
        return [(m.index, m.n_samples) for m in self.sent if isinstance(m, SoundSent)]


def test_all_is_sent_when_there_is_room() -> None:
    edge = Edge()
    edge.see(0, 1, 3)
    edge.hear(2 * BLOCK + 5)
    edge.send()

    assert isinstance(edge.sent[0], Start)
    assert edge.pictures() == [(0, 0), (1, 1), (2, 3)]
    assert edge.blocks() == [(0, BLOCK), (BLOCK, BLOCK)]  # the rest waits for its block to fill
    assert edge.outlet.n_lost_pictures == edge.outlet.n_lost_samples == 0


def test_sound_is_sent_as_it_was_heard() -> None:
    edge = Edge()
    edge.hear(BLOCK)
    edge.send()

    block = edge.sent[1]
    assert isinstance(block, SoundSent)
    assert set(np.frombuffer(block.body, "<i2")) == {8192}
    assert block.time_ns == 0


def test_newest_win_when_there_was_no_room() -> None:
    edge = Edge()
    edge.see(0)
    edge.hear(BLOCK)
    edge.send()
    edge.room = 0
    for slot in range(1, 17):
        edge.see(slot)
        edge.hear(SAMPLE_RATE // 16)
        edge.send()
    edge.room, edge.sent = 1000, []
    edge.send()

    kept = edge.pictures()
    assert kept[-1] == (16, 16)
    assert len(kept) <= MAX_BEHIND_SLOTS + 1
    assert edge.outlet.n_lost_pictures == 16 - len(kept)
    n_heard = sum(n for _, n in edge.blocks())
    assert n_heard <= SAMPLE_RATE * MAX_BEHIND_NS // NS_PER_S + BLOCK
    assert edge.blocks()[0][0] == BLOCK + edge.outlet.n_lost_samples


def test_gap_is_not_sent_as_silence() -> None:
    edge = Edge()
    edge.hear(BLOCK)
    edge.hear(BLOCK, gap=BLOCK)
    edge.send()

    assert edge.blocks() == [(0, BLOCK), (2 * BLOCK, BLOCK)]
    assert edge.outlet.n_lost_samples == BLOCK


def test_what_nobody_takes_is_held_for_a_while_and_sent_then() -> None:
    edge = Edge()
    edge.see(0)
    edge.hear(BLOCK)
    edge.send()
    for slot in range(1, 30):  # nearly two seconds
        edge.see(slot)
        edge.hear(BLOCK)
        edge.outlet.hold()
    edge.sent.clear()
    edge.send()

    assert edge.pictures() == [(slot, slot) for slot in range(1, 30)]
    assert edge.blocks() == [(k * BLOCK, BLOCK) for k in range(1, 30)]
    assert edge.outlet.n_lost_pictures == edge.outlet.n_lost_samples == 0


def test_what_is_held_too_long_is_lost_and_counted_on() -> None:
    edge = Edge()
    edge.see(0)
    edge.hear(BLOCK)
    edge.send()
    for slot in range(1, 60):
        edge.see(slot)
        edge.outlet.hold()
    edge.sent.clear()
    edge.send()

    first = 59 - HELD_SLOTS
    assert edge.pictures() == [(slot, slot) for slot in range(first, 60)]
    assert edge.outlet.n_lost_pictures == first - 1


def test_no_more_than_half_a_second_waits_once_all_that_was_held_has_gone() -> None:
    edge = Edge()
    edge.see(0)
    edge.outlet.hold()
    edge.send()
    edge.room = 0
    for slot in range(1, 30):
        edge.see(slot)
        edge.send()
    edge.room = 1000
    edge.sent.clear()
    edge.send()

    assert edge.pictures()[0] == (29 - MAX_BEHIND_SLOTS, 29 - MAX_BEHIND_SLOTS)


def test_another_recognizer_gets_the_window_first_and_in_the_order_of_its_time() -> None:
    edge = Edge()
    edge.outlet.keep(WINDOW_NS)
    for k in range(16 * 16):  # sixteen seconds
        edge.see(k)
        edge.hear(SAMPLE_RATE // 16)
        edge.send()
    before = [m for m in edge.sent if isinstance(m, PictureSent | SoundSent)]
    edge.sent.clear()
    edge.outlet.replay()
    edge.room = 10
    edge.send()
    edge.room = 1000
    edge.send()

    again = [m for m in edge.sent if isinstance(m, PictureSent | SoundSent)]
    newest_ns = before[-1].time_ns
    wanted = [m.pack() for m in before if m.time_ns >= newest_ns - WINDOW_NS]
    assert [m.pack() for m in again] == wanted
    assert [m.time_ns for m in again] == sorted(m.time_ns for m in again)
    assert edge.outlet.n_lost_pictures == edge.outlet.n_lost_samples == 0


def test_what_was_passed_over_is_not_lost_when_it_is_sent_again() -> None:
    edge = Edge()
    edge.outlet.keep(WINDOW_NS)
    edge.see(0)
    edge.send()
    edge.room = 0
    for slot in range(1, 40):
        edge.see(slot)
        edge.send()
    assert edge.outlet.n_lost_pictures == 39 - MAX_BEHIND_SLOTS - 1
    edge.outlet.replay()
    edge.room = 1000
    edge.send()

    assert edge.pictures()[1:] == [(slot, slot) for slot in range(40)]
    assert edge.outlet.n_lost_pictures == 0


def test_window_that_a_slow_network_does_not_take_is_passed_over() -> None:
    edge = Edge()
    edge.outlet.keep(WINDOW_NS)
    for slot in range(13 * 16):
        edge.see(slot)
        edge.send()
    edge.outlet.replay()
    for slot in range(13 * 16, 20 * 16):
        edge.see(slot)
        edge.room = slot % 2  # half of what comes
        edge.send()

    newest = edge.pictures()[-1][1]
    assert newest > 20 * 16 - MAX_BEHIND_SLOTS - 4


def test_sense_that_is_dated_after_the_other_is_sent() -> None:
    edge = Edge()
    for k in range(16, 16 * 4):
        edge.hear(SAMPLE_RATE // 16)
        edge.see(k - 16)
        edge.send()

    assert len(edge.pictures()) == 16 * 3
    assert edge.outlet.n_lost_pictures == 0


def test_long_gap_is_passed_over_at_once() -> None:
    edge = Edge()
    edge.hear(BLOCK)
    edge.send()
    edge.hear(8 * BLOCK, gap=3600 * SAMPLE_RATE)
    edge.send()

    assert edge.blocks()[-1][0] == 3600 * SAMPLE_RATE + 8 * BLOCK
    n_sent = sum(n for _, n in edge.blocks())
    assert edge.outlet.n_lost_samples == 3600 * SAMPLE_RATE + 9 * BLOCK - n_sent


def test_no_more_is_kept_than_a_hub_lets_in_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "MAX_KEPT_BYTES", 1000)
    edge = Edge()
    edge.outlet.keep(WINDOW_NS)
    for slot in range(100):
        edge.see(slot)
        edge.send()
    edge.sent.clear()
    edge.outlet.replay()
    edge.send()

    n_bytes = sum(len(m.pack()) for m in edge.sent)
    assert 900 <= n_bytes <= 1000
    assert edge.pictures()[-1] == (99, 99)


def test_it_is_over_when_both_senses_have_ended_and_all_was_sent() -> None:
    edge = Edge()
    edge.see(0)
    edge.hear(BLOCK + 7)
    edge.rings.frames.end()
    edge.rings.sounds.end()
    assert not edge.outlet.is_over

    edge.send()
    assert edge.blocks() == [(0, BLOCK), (BLOCK, 7)]
    assert edge.outlet.is_over
