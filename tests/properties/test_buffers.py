"""Each ring and mailbox against a plain model, over any sequence of calls."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import END_SLOT, FrameRing
from realtime.buffers.signal import DataSignal
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy


class FrameRingMachine(RuleBasedStateMachine):
    CAPACITY = 5

    def __init__(self) -> None:
        super().__init__()
        self.stats = Stats()
        self.ring = FrameRing(self.CAPACITY, 1, Policy.DROP_OLDEST, DataSignal(), self.stats)
        self.model: list[tuple[int, int]] = []
        self.newest = self.final = -1
        self.n_dropped = 0

    @rule(step=st.integers(-2, 4), value=st.integers(0, 255))
    def append(self, step: int, value: int) -> None:
        slot = self.newest + step
        taken = self.ring.append(slot, slot * 10, np.full((1, 1, 3), value, np.uint8))
        assert taken == (slot > max(self.newest, self.final))
        if not taken:
            self.n_dropped += 1
            return
        self.newest = slot
        self.model.append((slot, value))
        if len(self.model) > self.CAPACITY:
            self.model.pop(0)
            self.n_dropped += 1

    @rule(step=st.integers(-3, 6))
    def mark(self, step: int) -> None:
        self.ring.mark(self.newest + step)
        self.final = max(self.final, self.newest + step)

    @rule(step=st.integers(-8, 8))
    def release(self, step: int) -> None:
        before = self.newest + step
        self.ring.release(before)
        earlier = [slot for slot, _ in self.model if slot < before]
        keep_from = earlier[-1] if earlier else before
        self.model = [place for place in self.model if place[0] >= keep_from]

    @rule(step=st.integers(-8, 2))
    def newest_at(self, step: int) -> None:
        slot = self.newest + step
        held = [(s, s * 10) for s, _ in self.model if s <= slot]
        assert self.ring.newest_at(slot) == (held[-1] if held else None)

    @invariant()
    def reads_as_the_model(self) -> None:
        frames = self.ring.read(-1, END_SLOT)
        assert [(f.slot, int(f.image[0, 0, 0])) for f in frames] == self.model
        assert self.ring.final_slot == self.final
        assert self.stats.snapshot().count("dropped_frames") == self.n_dropped


class AudioRingMachine(RuleBasedStateMachine):
    CAPACITY = 23

    def __init__(self) -> None:
        super().__init__()
        self.ring = AudioRing(self.CAPACITY, Policy.DROP_OLDEST, DataSignal())
        self.model: list[float | None] = []  # None is a gap
        self.released = self.first = 0

    @rule(n=st.integers(0, 60), gap=st.sampled_from([0, 0, 0, 1, 7, 50]))
    def append(self, n: int, gap: int) -> None:
        start = len(self.model) + gap
        samples = np.arange(start + 1, start + n + 1, dtype=np.float32)
        assert self.ring.append(samples, gap)
        self.model += [None] * gap + samples.tolist()
        end = len(self.model)
        self.first = max(self.first, end - self.CAPACITY, min(self.released, end))

    @rule(step=st.integers(-30, 10))
    def release(self, step: int) -> None:
        before = len(self.model) + step
        self.ring.release(before)
        self.released = max(self.released, before)
        self.first = max(self.first, min(self.released, len(self.model)))

    @rule(back=st.integers(-5, 40), n=st.integers(0, 45))
    def read(self, back: int, n: int) -> None:
        start = len(self.model) - back
        span = self.ring.read(start, start + n)
        wanted = [self.at(i) for i in range(start, start + n)]
        assert span.samples.tolist() == [w or 0.0 for w in wanted]
        assert span.n_gap == wanted.count(None)
        assert span.n_missing == wanted.count(0.0)

    def at(self, index: int) -> float | None:
        """The model's sample, None in a gap, 0.0 where nothing is stored."""
        if not self.first <= index < len(self.model):
            return 0.0
        return self.model[index]

    @invariant()
    def bounds_agree(self) -> None:
        assert self.ring.first_index == self.first
        assert self.ring.end_index == len(self.model)


class MailboxMachine(RuleBasedStateMachine):
    CAPACITY = 3
    POLICY = Policy.DROP_OLDEST

    def __init__(self) -> None:
        super().__init__()
        self.mailbox: Mailbox[int] = Mailbox(self.CAPACITY, self.POLICY)
        self.model: list[int] = []
        self.n_dropped = 0
        self.closed = False

    @rule(item=st.integers())
    def put(self, item: int) -> None:
        full = len(self.model) == self.CAPACITY
        taken = not self.closed and not (full and self.POLICY is Policy.WAIT)
        assert self.mailbox.put(item, timeout_s=0.0) == taken
        if taken:
            self.model.append(item)
            if full:
                self.model.pop(0)
                self.n_dropped += 1

    @rule()
    def get(self) -> None:
        assert self.mailbox.get(0.0) == (self.model.pop(0) if self.model else None)

    @rule()
    def close(self) -> None:
        self.mailbox.close()
        self.closed = True

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert len(self.mailbox) == len(self.model)
        assert self.mailbox.n_dropped == self.n_dropped
        assert self.mailbox.closed == (self.closed and not self.model)


class WaitingMailboxMachine(MailboxMachine):
    POLICY = Policy.WAIT


TestMailbox = MailboxMachine.TestCase
TestWaitingMailbox = WaitingMailboxMachine.TestCase
TestFrameRing = FrameRingMachine.TestCase
TestAudioRing = AudioRingMachine.TestCase
for case in (TestFrameRing, TestAudioRing, TestMailbox, TestWaitingMailbox):
    case.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
