"""What passes from a reader to the rings, and what is withheld as if it were not there."""

from __future__ import annotations

import threading

import numpy as np

from realtime.buffers.frame_ring import END_SLOT
from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.config import SourceConfig
from realtime.packets import SAMPLE_RATE, Sense
from realtime.sources.gate import Gate, GatedInlet
from realtime.sources.watch import SenseWatch
from source_builders import Stream, make_stream

CONFIG = SourceConfig(name="c", kind="live", camera="0", frozen_s=2.0, silent_s=2.0)
BLOCK = 1600
BLOCK_NS = 100 * NS_PER_MS


class Passage:
    """A stream with a gate before it."""

    def __init__(self, *, is_watched: bool = True) -> None:
        self.clock = ManualClock(NS_PER_S)
        self.stream: Stream = make_stream(live=True, clock=self.clock)
        self.gate = Gate(threading.Lock())
        self.gate.is_watched = is_watched
        i = self.stream.inlet
        self.inlet = GatedInlet(
            timeline=i.timeline,
            frames=i.frames,
            sounds=i.sounds,
            prepare=i.prepare,
            live=i.live,
            clock=i.clock,
            stats=i.stats,
            gate=self.gate,
            watches={sense: SenseWatch(sense, CONFIG) for sense in Sense},
        )
        self.random = np.random.default_rng(1)
        self.audio = self.inlet.audio_intake(SAMPLE_RATE, 1)
        self.video = self.inlet.video_intake()

    def see(self, n_frames: int, level: int | None = None) -> None:
        for n in range(n_frames):
            self.clock.advance(BLOCK_NS)
            shown = 50 + 3 * n if level is None else level
            self.video.append(self.clock.now_ns(), np.full((8, 8, 3), shown, np.uint8))

    def hear(self, n_blocks: int, loudness: float) -> None:
        for _ in range(n_blocks):
            began_ns = self.clock.now_ns()
            self.clock.advance(BLOCK_NS)
            samples = (loudness * self.random.normal(size=BLOCK)).astype(np.float32)
            self.audio.append(samples, began_ns)


def test_nothing_passes_a_shut_gate() -> None:
    passage = Passage()
    passage.see(5)
    passage.hear(5, 0.1)
    end, slots = passage.stream.sounds.end_index, passage.stream.slots()
    passage.gate.shut()
    passage.see(5)
    passage.hear(5, 0.1)
    passage.audio.retune(48_000, 2)

    assert passage.stream.sounds.end_index == end
    assert passage.stream.slots() == slots
    assert passage.audio.sample_rate == SAMPLE_RATE


def test_a_frozen_picture_is_withheld_and_the_next_that_moves_is_not() -> None:
    passage = Passage()
    passage.see(20)
    passage.see(40, level=90)
    frozen = passage.stream.frames.newest_at(END_SLOT)
    assert frozen is not None
    assert passage.clock.now_ns() - frozen[1] > 1.5 * NS_PER_S

    passage.see(3)

    newest = passage.stream.frames.newest_at(END_SLOT)
    assert newest is not None
    assert passage.clock.now_ns() - newest[1] <= 2 * BLOCK_NS
    assert passage.stream.count("withheld_frames") > 10


def test_zeros_are_withheld_and_sound_is_whole_at_once_when_it_is_back() -> None:
    passage = Passage()
    passage.hear(10, 0.1)
    passage.hear(60, 0.0)
    ring = passage.stream.sounds
    assert passage.stream.count("withheld_blocks") == 40
    assert passage.clock.now_ns() - ring.clock.time_at(ring.end_index) >= 3.9 * NS_PER_S
    passage.hear(2, 0.1)

    now_ns = passage.clock.now_ns()
    assert abs(ring.clock.time_at(ring.end_index) - now_ns) <= NS_PER_MS
    newest = ring.read(ring.end_index - SAMPLE_RATE, ring.end_index)
    assert (newest.n_gap, newest.n_missing) == (0, 0)
    assert not newest.samples[: -2 * BLOCK].any()
    assert newest.samples[-2 * BLOCK :].all()
    assert ring.end_index == 72 * BLOCK
    assert ring.read(0, ring.end_index).n_gap == 40 * BLOCK - SAMPLE_RATE


def test_sound_that_was_silent_before_and_after_its_device_was_opened_again_is_dated() -> None:
    passage = Passage()
    passage.hear(10, 0.1)
    passage.hear(40, 0.0)
    passage.clock.advance(3 * NS_PER_S)
    passage.audio = passage.inlet.audio_intake(SAMPLE_RATE, 1)
    passage.hear(20, 0.0)
    passage.hear(5, 0.1)

    ring = passage.stream.sounds
    assert abs(ring.clock.time_at(ring.end_index) - passage.clock.now_ns()) <= NS_PER_MS
    assert ring.end_index == 75 * BLOCK + 3 * SAMPLE_RATE


def test_all_passes_as_it_comes_when_nobody_watches() -> None:
    passage = Passage(is_watched=False)
    passage.hear(60, 0.0)
    passage.see(60, level=0)

    assert passage.stream.sounds.end_index == 60 * BLOCK
    assert passage.stream.count("withheld_frames") == 0
    assert passage.stream.count("grid_frames") > 50
