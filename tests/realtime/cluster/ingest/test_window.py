"""An edge's last window, sent at once: reader, rings of their real size and clips together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from realtime.clips.assembler import ClipAssembler
from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.cluster.edge.outlet import WINDOW_NS
from realtime.cluster.ingest import edge_reader
from realtime.cluster.ingest.edge_reader import EdgeReader
from realtime.cluster.ingest.hub import Hub
from realtime.cluster.ingest.link import WINDOW_WAITING, Link
from realtime.cluster.wire.protocol import RAW, Answer, Hello, PictureSent, SoundSent, Welcome
from realtime.config import SourceConfig, WindowConfig
from realtime.packets import CLIP_SLOTS, SAMPLE_RATE, Clip
from realtime.rings import RING_S
from source_builders import SIZE, make_stream

BLOCK_NS = 40 * NS_PER_MS
BLOCK = SAMPLE_RATE // 25
WELCOME = Welcome(resize_to=SIZE, size=SIZE, crop="none", interpolation="nearest", grid_hz=16)
IMAGE = np.full((SIZE, SIZE, 3), 100, np.uint8).tobytes()


@dataclass(kw_only=True)
class Sends:
    """What an edge has, and how late each sense is."""

    picture_hz: float = 16.0
    picture_late_ms: float = 0.0
    sound: bool = True
    sound_late_ms: float = 0.0


@pytest.fixture(autouse=True)
def reader_never_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_reader, "_ROOM_S", 0.0)


class Taken:
    """A stream that another recognizer had; `clip_ms` is what a clip costs here."""

    def __init__(self, sends: Sends, clip_ms: float) -> None:
        self.clock = ManualClock(100 * NS_PER_S)
        self.clips: list[Clip] = []
        self._clip_ns = round(clip_ms * NS_PER_MS)
        hub = Hub("tcp://127.0.0.1:*", None, self.clock, WINDOW_WAITING)
        hub._welcome = WELCOME
        self._link: Link = hub.link("door")
        config = SourceConfig(name="door", kind="media", media="edge://door", nature="live")
        self.stream = make_stream(
            live=True,
            clock=self.clock,
            n_frames=RING_S * CLIP_SLOTS,
            n_samples=2 * RING_S * SAMPLE_RATE,
        )
        self._greet()
        self.began_ns = self.clock.now_ns()
        self._messages = self._made(sends)
        self._reader = EdgeReader(config, self.stream.inlet, hub, takes_window=True)
        self._reader.open()
        self._link.attach(self._reader, lambda: None)
        self._reader._has_begun = True
        self._assembler = ClipAssembler(
            config,
            WindowConfig(hop_s=0.25, n_clips=10),
            self.stream.timeline,
            self.stream.frames,
            self.stream.sounds,
            self.clock,
            self.stream.stats,
            catches_up=True,
        )

    def run(self, seconds: float) -> None:
        """Let time go by; reader and recognition go on in turn."""
        until_ns = self.clock.now_ns() + round(seconds * NS_PER_S)
        while self.clock.now_ns() < until_ns:
            now_ns = self.clock.now_ns()
            while self._messages and self._messages[0][0] <= now_ns:
                self._link.hear(now_ns)
                self._link.put(self._messages.pop(0)[1], now_ns)
            for _ in range(8):
                if self._link._waiting:
                    self._reader.step()
            clip, _ = self._assembler.poll()
            self.clock.advance(NS_PER_MS if clip is None else self._clip_ns)
            if clip is not None:
                self.clips.append(clip)

    def _greet(self) -> None:
        hello = Hello(name="door", session=1, picture=True, sound=True)
        assert self._link.greet(hello, b"peer", self.clock.now_ns()) is None
        for _ in range(8):
            self.clock.advance(NS_PER_S // 2)
            now_ns = self.clock.now_ns()
            question = self._link.ask(now_ns)
            assert question is not None
            self._link.answered(
                Answer(nonce=question.nonce, received_ns=now_ns, sent_ns=now_ns), now_ns
            )
            self._link.hear(now_ns)

    def _made(self, sends: Sends) -> list[tuple[int, PictureSent | SoundSent]]:
        """Return messages with the time at which each arrives, in the order of the outlet."""
        made: list[tuple[int, int, PictureSent | SoundSent]] = []
        first_ns, last_ns = self.began_ns - WINDOW_NS, self.began_ns + 5 * NS_PER_S
        for number in range(round((last_ns - first_ns) / NS_PER_S * sends.picture_hz)):
            time_ns = first_ns + round(number * NS_PER_S / sends.picture_hz)
            message = PictureSent(number=number, time_ns=time_ns, coding=RAW, body=IMAGE)
            made.append((time_ns + round(sends.picture_late_ms * NS_PER_MS), time_ns, message))
        body = np.full(BLOCK, 8192, "<i2").tobytes()
        for k in range((last_ns - first_ns) // BLOCK_NS if sends.sound else 0):
            time_ns = first_ns + k * BLOCK_NS
            sound = SoundSent(index=k * BLOCK, time_ns=time_ns, body=body)
            late_ns = BLOCK_NS + round(sends.sound_late_ms * NS_PER_MS)
            made.append((time_ns + late_ns, time_ns, sound))
        # What the edge had when it was told goes in the order of its own time.
        past = sorted((x for x in made if x[0] <= self.began_ns), key=lambda x: x[1])
        live = sorted((x for x in made if x[0] > self.began_ns), key=lambda x: x[0])
        return [(max(at_ns, self.began_ns), message) for at_ns, _, message in (*past, *live)]


@pytest.mark.parametrize("clip_ms", [5.0, 30.0])
@pytest.mark.parametrize(
    "sends",
    [
        Sends(),
        Sends(picture_hz=15.0, sound_late_ms=90.0),
        Sends(picture_hz=12.5, picture_late_ms=200.0),
        Sends(sound_late_ms=200.0),
    ],
    ids=["even", "late-sound", "late-picture", "later-sound"],
)
def test_window_is_whole_and_nothing_of_it_is_dropped(sends: Sends, clip_ms: float) -> None:
    taken = Taken(sends, clip_ms)
    taken.run(4.0)

    past = [clip for clip in taken.clips if clip.is_past]
    assert len(past) >= 44
    assert all(clip.has_picture and clip.has_sound for clip in past)
    ends = [clip.end_t_ns for clip in taken.clips]
    assert ends == list(range(NS_PER_S, ends[-1] + 1, NS_PER_S // 4))
    counts = taken.stream.stats.counts()
    for name in ("dropped_frames", "dropped_samples", "skipped_clips", "edge_late_messages"):
        assert not counts.get(name), name
    assert not taken.clips[-1].is_past
    assert taken.began_ns + 4 * NS_PER_S - taken.stream.timeline.time_ns(ends[-1]) < NS_PER_S


@pytest.mark.parametrize(
    "sends", [Sends(sound=False), Sends(sound_late_ms=800.0)], ids=["no-sound", "far-too-late"]
)
def test_pictures_are_not_held_up_by_sound_that_does_not_come(sends: Sends) -> None:
    taken = Taken(sends, 10.0)
    taken.run(4.0)

    past = [clip for clip in taken.clips if clip.is_past]
    assert len(past) >= 40
    assert all(clip.has_picture for clip in past)
    assert not taken.clips[-1].is_past
    assert not taken.stream.stats.counts().get("dropped_frames")


def test_machine_that_is_too_slow_for_it_goes_on_with_what_is_new() -> None:
    taken = Taken(Sends(), 200.0)
    taken.run(8.0)

    last_ns = taken.stream.timeline.time_ns(taken.clips[-1].end_t_ns)
    assert not taken.clips[-1].is_past
    assert taken.stream.stats.counts()["skipped_clips"] > 0
    assert last_ns > taken.began_ns + 4 * NS_PER_S
