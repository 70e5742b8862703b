"""An edge's samples on their way into the rings: dates that lie, losses, what is no picture."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.cluster.ingest.edge_reader import MAX_AGE_NS, EdgeReader, edge_kind
from realtime.cluster.ingest.hub import Hub
from realtime.cluster.ingest.link import SILENT_NS, Link
from realtime.cluster.wire.pictures import encode
from realtime.cluster.wire.protocol import (
    JPEG,
    RAW,
    Answer,
    FromEdge,
    Hello,
    PictureSent,
    SoundSent,
    Start,
    Welcome,
)
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.packets import SLOT_NS, Sense, SenseState
from realtime.sources.inquiry import inquire
from realtime.sources.reconnecting import ReconnectingReader
from source_builders import SIZE, Stream, make_stream

OFFSET_NS = 5 * NS_PER_S  # the edge's clock is ahead
BLOCK = 640
BLOCK_NS = 40 * NS_PER_MS
WELCOME = Welcome(resize_to=SIZE, size=SIZE, crop="none", interpolation="nearest", grid_hz=16)


class Scene:
    """A pool with one edge, without sockets; the test moves the time."""

    def __init__(self) -> None:
        self.clock = ManualClock(100 * NS_PER_S)
        self.hub = Hub("tcp://127.0.0.1:*", None, self.clock)
        self.hub._welcome = WELCOME
        self.config = SourceConfig(name="door", kind="media", media="edge://door", nature="live")
        self.stream: Stream = make_stream(live=True, clock=self.clock)
        self.link: Link = self.hub.link("door")
        self.number = self.index = 0

    @property
    def now_ns(self) -> int:
        return self.clock.now_ns()

    def connect(self, session: int = 1, *, picture: bool = True, sound: bool = True) -> None:
        hello = Hello(name="door", session=session, picture=picture, sound=sound)
        assert self.link.greet(hello, b"peer", self.now_ns) is None
        for _ in range(8):
            self.clock.advance(NS_PER_S // 2)
            question = self.link.ask(self.now_ns)
            assert question is not None
            edge_ns = self.now_ns + OFFSET_NS
            self.link.answered(
                Answer(nonce=question.nonce, received_ns=edge_ns, sent_ns=edge_ns), self.now_ns
            )
            self.link.hear(self.now_ns)

    def reader(self, *, takes_window: bool = False) -> EdgeReader:
        reader = EdgeReader(self.config, self.stream.inlet, self.hub, takes_window=takes_window)
        reader.open()
        self.link.attach(reader, lambda: None)
        reader._has_begun = True
        return reader

    def put(self, message: FromEdge) -> None:
        self.link.hear(self.now_ns)
        self.link.put(message, self.now_ns)

    def picture(self, lie_ns: int = 0, coding: int = RAW, body: bytes | None = None) -> None:
        if body is None:
            body = np.full((SIZE, SIZE, 3), 100, np.uint8).tobytes()
        time_ns = self.now_ns + OFFSET_NS + lie_ns
        self.put(PictureSent(number=self.number, time_ns=time_ns, coding=coding, body=body))
        self.number += 1

    def sound(self, lie_ns: int = 0) -> None:
        body = np.full(BLOCK, 8192, "<i2").tobytes()
        time_ns = self.now_ns - BLOCK_NS + OFFSET_NS + lie_ns
        self.put(SoundSent(index=self.index, time_ns=time_ns, body=body))
        self.index += BLOCK


def test_samples_have_the_pools_time_when_the_edges_clock_is_off() -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader()
    began_ns = scene.now_ns
    scene.put(Start(epoch_ns=began_ns + OFFSET_NS))
    scene.picture()
    reader.step()
    reader.step()
    for _ in range(5):
        scene.clock.advance(BLOCK_NS)
        scene.sound()
        reader.step()
    scene.picture()
    reader.step()

    assert scene.stream.timeline.epoch_ns == pytest.approx(began_ns, abs=NS_PER_MS)
    assert scene.stream.count("frames") == 2
    assert scene.stream.sounds.end_index == 5 * BLOCK
    first_ns = scene.stream.sounds.clock.time_at(0)
    assert first_ns == pytest.approx(began_ns, abs=NS_PER_MS)
    assert np.all(scene.stream.sound() == np.float32(0.25))


@pytest.mark.parametrize(
    ("lie_ns", "counter"),
    [(NS_PER_S, "edge_false_times"), (-2 * MAX_AGE_NS, "edge_late_messages")],
)
def test_sample_whose_time_cannot_be_is_passed_over_and_counted(lie_ns: int, counter: str) -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader()
    scene.picture(lie_ns)
    scene.sound(lie_ns)
    reader.step()
    reader.step()

    assert scene.stream.count(counter) == 2
    assert scene.stream.count("frames") == 0
    assert scene.stream.sounds.end_index == 0


def test_losses_are_counted_and_are_a_gap() -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader()
    for k in range(40):
        scene.clock.advance(BLOCK_NS)
        if 10 <= k < 15:
            scene.index += BLOCK
            scene.number += 1
            continue
        scene.sound()
        scene.picture()
        reader.step()
        reader.step()

    assert scene.stream.count("edge_lost_pictures") == 5
    assert scene.stream.count("edge_lost_samples") == 5 * BLOCK
    span = scene.stream.sounds.read(0, 40 * BLOCK)
    assert (span.n_gap, span.n_missing) == (5 * BLOCK, 0)


def test_late_samples_are_a_gap_too() -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader()
    for k in range(30):
        scene.clock.advance(BLOCK_NS)
        scene.sound(lie_ns=-2 * MAX_AGE_NS if 10 <= k < 13 else 0)
        reader.step()

    assert scene.stream.count("edge_late_messages") == 3
    assert scene.stream.sounds.read(0, 30 * BLOCK).n_gap == 3 * BLOCK


@pytest.mark.parametrize(
    "body", [b"x" * 20, encode(np.zeros((8, 8, 3), np.uint8), JPEG)], ids=["noise", "another-size"]
)
def test_what_is_no_picture_is_counted(body: bytes) -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader()
    scene.picture(coding=JPEG, body=body)
    scene.picture()
    reader.step()
    reader.step()

    assert scene.stream.count("edge_bad_messages") == 1
    assert scene.stream.count("frames") == 1


def test_sense_that_was_not_announced_is_counted_and_goes_nowhere() -> None:
    scene = Scene()
    scene.connect(picture=False)
    reader = scene.reader()
    scene.picture()
    reader.step()

    assert reader.senses.there() == [Sense.SOUND]
    assert reader.name == "capture-audio"
    assert scene.stream.count("edge_bad_messages") == 1


def test_what_came_before_is_passed_over() -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader()
    for _ in range(2):
        scene.index = scene.number = 0
        scene.sound()
        scene.picture()
        reader.step()
        reader.step()

    assert scene.stream.count("frames") == 1
    assert scene.stream.sounds.end_index == BLOCK


@pytest.mark.parametrize("takes_window", [True, False])
def test_stream_begins_with_its_window_where_another_recognizer_had_it(takes_window: bool) -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader(takes_window=takes_window)
    began_ns = scene.now_ns - 10 * NS_PER_S
    for k in range(5 * 25):
        scene.sound(lie_ns=began_ns + (k + 1) * BLOCK_NS - scene.now_ns)
        reader.step()
        if k % 25 == 0:
            scene.picture(lie_ns=began_ns + k * BLOCK_NS - scene.now_ns)
            reader.step()

    n_late = scene.stream.count("edge_late_messages")
    if takes_window:
        assert (n_late, scene.stream.sounds.end_index) == (0, 5 * 25 * BLOCK)
        assert scene.stream.timeline.epoch_ns == pytest.approx(began_ns, abs=NS_PER_MS)
    else:
        assert (n_late, scene.stream.sounds.end_index) == (5 * 25 + 5, 0)


def test_old_samples_are_late_once_the_window_has_come() -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader(takes_window=True)
    scene.sound()
    reader.step()
    scene.sound(lie_ns=-2 * MAX_AGE_NS)
    reader.step()

    assert scene.stream.count("edge_late_messages") == 1


def test_reader_fails_with_one_sentence_when_no_edge_is_there() -> None:
    scene = Scene()

    with pytest.raises(SourceError, match="no edge called door is connected; start it"):
        scene.reader()


def test_stream_is_lost_and_goes_on_when_its_edge_is_cut_off() -> None:
    scene = Scene()
    scene.connect()
    kind = edge_kind(scene.hub)
    settings = inquire_with(kind, scene.config)
    reader = ReconnectingReader(
        make=lambda inlet, _: EdgeReader(settings, inlet, scene.hub),
        senses=list(Sense),
        config=settings,
        inlet=scene.stream.inlet,
    )
    reader.open()

    def go_on(seconds: float, *, sends: bool) -> None:
        for _ in range(round(seconds * 25)):
            scene.clock.advance(BLOCK_NS)
            if sends:
                scene.picture()
                scene.sound()
            else:
                scene.index += BLOCK
                scene.number += 1
            reader.tick()
            wait_until_taken(scene.link)

    def state() -> SenseState | None:
        status = reader.statuses().get(Sense.SOUND)
        return None if status is None else status.state

    try:
        go_on(3.0, sends=True)
        assert state() is SenseState.OK
        go_on(10.0, sends=False)
        assert state() is SenseState.LOST
        go_on(8.0, sends=True)
        assert state() is SenseState.OK
    finally:
        reader.close()
    lost_s = scene.stream.count("edge_lost_samples") / 16_000
    assert lost_s >= 10.0 - 0.05
    assert scene.stream.sounds.read(0, 16_000).n_gap == 0
    assert scene.stream.frames.newest_at(1 << 60) is not None


def inquire_with(kind: object, config: SourceConfig) -> SourceConfig:
    """Return a source's settings as a run has them, with the kind's waits."""
    from dataclasses import replace

    retry_s = getattr(kind, "retry_s", None)
    assert retry_s == (1.0,)
    return replace(config, retry_s=retry_s)


def wait_until_taken(link: Link) -> None:
    """Let the session's thread take what is there."""
    import time

    for _ in range(200):
        with link._lock:
            if not link._waiting or link._owner is None:
                return
        time.sleep(0.001)


def test_waits_of_a_kind_are_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    from realtime.sources import registry
    from realtime.stats import Stats

    scene = Scene()
    monkeypatch.setattr(registry, "_kinds", {"edge": edge_kind(scene.hub)})
    answer = inquire(scene.config, scene.clock, Stats())

    assert answer.config.retry_s == (1.0,)
    assert answer.config.live


def test_picture_of_another_place_of_the_grid_is_another() -> None:
    scene = Scene()
    scene.connect()
    reader = scene.reader()
    for _ in range(5):
        scene.clock.advance(SLOT_NS)
        scene.picture()
        reader.step()
    assert scene.stream.count("grid_frames") >= 4
    assert SILENT_NS == 3 * NS_PER_S
