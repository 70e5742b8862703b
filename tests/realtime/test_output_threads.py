"""Messages reach the recorder of their own stream, and end with it."""

from __future__ import annotations

import threading
import time
from typing import cast

from realtime.clock import ManualClock
from realtime.output_threads import OutputThreads
from realtime.outputs.recording.feed import RecordFeed
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.wire import Message
from realtime.stats import Stats


class IdleRecorder:
    state = "recording x.mp4"

    def step(self) -> bool:
        return False

    def finish(self) -> None:
        pass


def message(source: str, kind: str, state: str = "running") -> Message:
    return Message(f"{kind}/{source}/", {"type": kind, "source": source, "state": state})


def test_each_stream_s_messages_go_to_its_recorder_and_end_with_the_stream() -> None:
    output_threads = OutputThreads(
        live=True,
        stop=threading.Event(),
        on_error=lambda: None,
        clock=ManualClock(),
        stats=Stats(),
    )
    feeds = {name: RecordFeed(live=True, max_fps=30.0) for name in ("gate", "yard")}
    for name, feed in feeds.items():
        output_threads.add_recorder(name, cast("Recorder", IdleRecorder()), feed)

    for source, kind in (("gate", "event"), ("yard", "prediction"), ("gate", "prediction")):
        output_threads.emit(message(source, kind))
    output_threads.emit(message("gate", "status"))
    assert not feeds["gate"].exhausted
    output_threads.emit(message("gate", "status", "ended"))
    output_threads.emit(message("nobody", "event"))

    heard: dict[str, list[object]] = {name: [] for name in feeds}
    for name, feed in feeds.items():
        while (got := feed.messages.get(0.0)) is not None:
            heard[name].append(got.body["type"])
    assert heard == {"gate": ["event", "prediction"], "yard": ["prediction"]}
    assert feeds["gate"].exhausted
    output_threads.emit(message("yard", "event"))
    assert not feeds["yard"].exhausted
    assert output_threads.recording("yard") == "recording x.mp4"
    assert output_threads.recording("nobody") == ""


def test_output_concludes_once_the_recorders_are_done() -> None:
    said: list[str] = []

    class Recording(IdleRecorder):
        def hurry(self) -> None:
            said.append("hurry")

        def finish(self) -> None:
            said.append("recorded")

    class Last:
        name = "last"
        kinds = ("event",)

        def open(self) -> None:
            said.append("open")

        def write(self, message: Message) -> None:
            said.append("write")

        def close(self) -> None:
            said.append("close")

        def conclude(self) -> None:
            said.append("conclude")

    threads = OutputThreads(
        live=True,
        stop=threading.Event(),
        on_error=lambda: None,
        clock=ManualClock(),
        stats=Stats(),
    )
    feed = RecordFeed(live=False, max_fps=30.0)
    threads.add_recorder("gate", cast("Recorder", Recording()), feed)
    threads.open_output(Last())
    threads.start()
    threads.emit(message("gate", "event"))
    for _ in range(2):  # may be closed again
        threads.close(time.monotonic() + 20.0)
    assert said.count("conclude") == 1
    assert said.index("conclude") > max(said.index("recorded"), said.index("close"))
