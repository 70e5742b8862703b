"""What a stream says of itself, with fakes where recognition would be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.clock import ManualClock, Timeline, WallClock
from realtime.config import RunConfig, SourceConfig
from realtime.controls import Controls
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.packets import Sense, SenseState, SenseStatus
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.stats import Stats
from realtime.stream import Stream
from weights.event_spec import EventSpec

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeAssembler:
    """Gives no clip; its senses are as a test says."""

    finished = False

    def __init__(self) -> None:
        self.sense_states = dict.fromkeys(Sense, SenseState.WAITING)

    hop_s = 0.25
    grid_hz = asked_grid_hz = 16

    def poll(self) -> tuple[None, int]:
        return None, 1

    def states(self) -> dict[Sense, SenseState]:
        return self.sense_states


def make_stream(
    assembler: Any,
    told: list[Message],
    watched: Callable[[], dict[Sense, SenseStatus]] = dict,
    rings: Rings | None = None,
    stats: Stats | None = None,
    controls: Controls | None = None,
) -> Stream:
    config, clock, stats = SourceConfig(name="door", kind="demo"), ManualClock(), stats or Stats()
    bundle: Any = SimpleNamespace(name="b", version="1", labels=("Bark",), background=None)
    run = RunContext(
        config=RunConfig(source=config),
        bundle=bundle,
        events=EventSpec(),
        clock=clock,
        wall=WallClock.fixed(STARTED),
        stamper=MessageStamper("r", clock, WallClock.fixed(STARTED)),
        emit=told.append,
        controls=controls,
    )
    return Stream(
        run,
        config,
        rings=rings or Rings(config, 2, Timeline(WallClock.fixed(STARTED), 0), stats),
        assembler=assembler,
        stats=stats,
        device="cpu",
        backend="fake",
        watched=watched,
    )


def states(told: list[Message]) -> list[object]:
    return [message.body["state"] for message in told if message.body["type"] == "status"]


def test_stream_starts_until_its_first_clip_and_then_runs() -> None:
    assembler, told = FakeAssembler(), list[Message]()
    stream = make_stream(assembler, told)
    stream.poll()
    assembler.sense_states = dict.fromkeys(Sense, SenseState.OK)
    stream.poll()
    stream.poll()  # nothing has changed
    stream.finish(None)

    assert states(told) == ["starting", "running", "ended"]


def test_stream_says_why_when_a_sense_is_lost_before_its_first_clip() -> None:
    assembler, told = FakeAssembler(), list[Message]()
    stream = make_stream(assembler, told)
    stream.sense_ended(Sense.PICTURE, "unplugged")
    stream.poll()

    (status,) = told
    assert status.body["state"] == "starting"
    senses: Any = status.body["senses"]
    assert senses["picture"] == {"state": "lost", "detail": "unplugged"}


def test_stream_tells_each_state_of_a_device_that_comes_back_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assembler, told = FakeAssembler(), list[Message]()
    assembler.sense_states = dict.fromkeys(Sense, SenseState.OK)
    known: dict[Sense, SenseStatus] = {}
    stream = make_stream(assembler, told, lambda: known)
    caplog.set_level("INFO")
    stream.poll()
    for state in (SenseState.FROZEN, SenseState.RECONNECTING, SenseState.LOST, SenseState.OK):
        detail = f"rtsp://user:secret@camera/ {state}"
        known = {Sense.PICTURE: SenseStatus(sense=Sense.PICTURE, state=state, detail=detail)}
        assembler.sense_states[Sense.PICTURE] = SenseState.STALE  # as the last clip saw it
        if state is SenseState.OK:
            assembler.sense_states[Sense.PICTURE] = SenseState.OK
        for _ in range(3):
            stream.poll()

    pictures: Any = [message.body["senses"] for message in told]
    assert [senses["picture"]["state"] for senses in pictures] == [
        "ok", "frozen", "reconnecting", "lost", "ok",
    ]  # fmt: skip
    assert {senses["sound"]["state"] for senses in pictures} == {"ok"}
    assert "secret" not in str(pictures)
    logged = [(r.levelname, r.getMessage().split(":")[0]) for r in caplog.records]
    assert logged == [
        ("INFO", "door picture ok"),
        ("INFO", "door sound ok"),
        ("WARNING", "door picture frozen"),
        ("WARNING", "door picture reconnecting"),
        ("WARNING", "door picture lost"),
        ("INFO", "door picture ok"),
    ]


def test_stream_shows_what_the_last_clip_missed_of_a_device_that_is_well() -> None:
    assembler = FakeAssembler()
    assembler.sense_states = {Sense.PICTURE: SenseState.STALE, Sense.SOUND: SenseState.OK}
    known = {Sense.PICTURE: SenseStatus(sense=Sense.PICTURE, state=SenseState.OK, detail="cam")}
    stream = make_stream(assembler, [], lambda: known)

    assert stream.senses()[0] == SenseStatus(
        sense=Sense.PICTURE, state=SenseState.STALE, detail="cam"
    )


def test_stream_fails_in_one_sentence_when_recognition_failed() -> None:
    told: list[Message] = []
    stream = make_stream(FakeAssembler(), told)
    stream.finish(RuntimeError("out of memory"))

    assert told[-1].body["state"] == "failed"
    assert told[-1].body["detail"] == "out of memory"


def test_stream_says_a_piece_of_news_in_one_status_message() -> None:
    told: list[Message] = []
    stream = make_stream(FakeAssembler(), told)
    stream.poll()
    stream.remark("the disk is full")
    stream.announce("the wall clock was set")
    for _ in range(3):
        stream.poll()
    stream.announce("the wall clock was set back")
    stream.poll()

    assert [message.body["detail"] for message in told] == [
        "",
        "the wall clock was set; the disk is full",
        "the wall clock was set back; the disk is full",
    ]


def test_fewer_pictures_than_the_grid_are_no_sign_of_load_where_no_more_are_asked_for() -> None:
    told: list[Message] = []
    assembler = FakeAssembler()
    assembler.grid_hz = assembler.asked_grid_hz = 8
    stream = make_stream(assembler, told)

    stream.poll()
    assembler.grid_hz = 4
    stream.poll()

    assert [message.body["grid_hz"] for message in told] == [8, 4]
    assert "to keep up" not in str(told[0].body["detail"])
    assert "to keep up: 4 of 8 pictures a second" in str(told[1].body["detail"])


def test_stream_tells_once_by_how_much_it_lags_behind_its_source() -> None:
    config = SourceConfig(name="door", kind="demo")
    rings = Rings(config, 2, Timeline(WallClock.fixed(STARTED), 0), Stats())
    told: list[Message] = []
    stream = make_stream(FakeAssembler(), told, rings=rings)
    stream.poll()
    for lag_s in (4.4, 4.41, 4.5, 4.45, 6.0, 0.0):
        rings.lag.set(round(lag_s * 1e9))
        stream.poll()
        stream.poll()

    details = [message.body["detail"] for message in told]
    lagging = "its source delivers in lumps: decisions lag by {} s"
    assert details == ["", lagging.format("4.4"), lagging.format("6.0"), ""]
    assert [message.body["lag_s"] for message in told] == [0.0, 4.4, 6.0, 0.0]


def test_stream_tells_damage_when_it_is_first_seen_and_each_time_it_has_doubled() -> None:
    stats, told = Stats(), list[Message]()
    stream = make_stream(FakeAssembler(), told, stats=stats)
    stream.poll()
    for _ in range(100):
        stats.count("broken_packets")
        stats.count("missing_sound_ms", 23)
        stream.poll()
    stream.finish(None)

    bodies = [message.body for message in told]
    assert [body["damage"]["broken_packets"] for body in bodies] == [
        0, 1, 2, 4, 8, 16, 32, 64, 100,
    ]  # fmt: skip
    assert bodies[0]["detail"] == ""
    assert "damaged: 64 broken packets; missing: 0.0 s of picture" in bodies[-2]["detail"]
    assert bodies[-1]["damage"]["missing_sound_s"] == 2.3
    assert "2.3 s of sound" in bodies[-1]["detail"]
