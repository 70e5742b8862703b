"""A long stream as fast as it goes: what a run holds stays the same, from start to end.

`make soak-short` runs ten minutes of stream, `make soak` a day (SOAK_STREAM_S sets any length). The
scene plays in a loop through the real readers, threads, rings, tracker, socket and recorder, with
recognition stood in for; meanwhile readers fail to deliver, the disk is full for a while and a
subscriber is held. Memory, file descriptors and threads are read from /proc once a stream minute,
where there are hours once in five. Two pictures a second of the scene are painted, once each: a
camera would cost no processor time.
"""

from __future__ import annotations

import functools
import gc
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from quick_recognition import use_quick_recognition
from realtime.client.continuity import Continuity
from realtime.client.decoding import decode
from realtime.config import PublisherConfig, RecordConfig, RunConfig, SourceConfig, WindowConfig
from realtime.outputs.recording.store import RecordStore
from realtime.pipeline import Pipeline
from realtime.sources.demo import DemoReader

STREAM_S = float(os.environ.get("SOAK_STREAM_S", "600"))
pytestmark = [pytest.mark.soak, pytest.mark.timeout(max(900, STREAM_S))]

READ_EVERY_S = 60.0 if STREAM_S <= 1800 else 300.0
SETTLED_S = min(120.0, STREAM_S / 4)  # caches and rings are full by then
MAX_GROWTH_BYTES = 48 << 20
LOST_EVERY, LOST_FOR = 3000, 120  # of a reader's steps
FULL_EVERY, FULL_FOR = 300, 2  # of the recorder's questions; a full disk is asked each 5 s


class Gauges:
    """What the process holds, once a stream minute, or once in five."""

    def __init__(self) -> None:
        self.resident: list[int] = []
        self.n_files: list[int] = []
        self.n_threads: list[int] = []

    def read(self) -> None:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.resident.append(pages * resource.getpagesize())
        self.n_files.append(sum(1 for _ in Path("/proc/self/fd").iterdir()))
        self.n_threads.append(threading.active_count())


def break_things(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lose stretches of both senses, and fill the disk up, again and again; count the latter."""
    for step in ("_step_sound", "_step_picture"):
        whole = getattr(DemoReader, step)

        def losing(self: DemoReader, whole: Any = whole) -> bool:
            if self._count % LOST_EVERY == LOST_EVERY - LOST_FOR:
                self._count += LOST_FOR  # nobody gets these
            return bool(whole(self))

        monkeypatch.setattr(DemoReader, step, losing)
    n_asked = 0
    when_full: list[int] = []

    def sometimes_full(self: RecordStore, n_bytes: int = 0) -> bool:
        nonlocal n_asked
        n_asked += 1
        has_room = n_asked % FULL_EVERY < FULL_EVERY - FULL_FOR
        if not has_room:
            when_full.append(n_asked)
        return has_room

    monkeypatch.setattr(RecordStore, "has_room", sometimes_full)
    return when_full


def paint_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint each half second of the scene once: painting was a sixth of the run's time."""
    whole = DemoReader._paint

    @functools.cache
    def painted(self: DemoReader, half_seconds: int) -> Any:
        return whole(self, half_seconds / 2)

    monkeypatch.setattr(DemoReader, "_paint", lambda self, t_s: painted(self, int(2 * t_s)))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_files_and_threads_stay_the_same_for_the_whole_stream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_quick_recognition(monkeypatch, on=0.2, off=0.1)
    paint_once(monkeypatch)
    when_full = break_things(monkeypatch)
    n_threads_before = threading.active_count()
    record = RecordConfig(
        directory=str(tmp_path), pre_roll_s=1.0, post_roll_s=1.0, keep_gib=0.02, max_height=120
    )
    config = RunConfig(
        source=SourceConfig(name="demo", kind="demo", loop=True),
        window=WindowConfig(hop_s=0.25, n_clips=10),
        publisher=PublisherConfig(bind="tcp://127.0.0.1:*", send_hwm=100),
        record=record,
        duration_s=STREAM_S,
    )
    pipeline = Pipeline(config)
    pipeline.open()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    held, healthy = context.socket(zmq.SUB), context.socket(zmq.SUB)
    held.setsockopt(zmq.RCVHWM, 1)
    healthy.setsockopt(zmq.RCVHWM, 0)
    for subscriber in (held, healthy):
        subscriber.connect(pipeline.view().endpoint or "")
        subscriber.subscribe("event/")
    continuity, notices, n_events = Continuity(("event/",)), list[object](), 0
    gauges, next_s = Gauges(), SETTLED_S
    pipeline.start()
    is_over = False
    while not is_over:
        is_over = pipeline.wait(0.1)
        while healthy.poll(0):
            topic, body = decode(healthy.recv_multipart())
            notices += continuity.check(topic, body).notices
            n_events += 1
        if not is_over and next_s <= pipeline.view().stream.t_s < STREAM_S - 5.0:  # all threads run
            gauges.read()
            next_s += READ_EVERY_S
    view = pipeline.view()
    survivors = pipeline.close(timeout_s=60.0)
    for subscriber in (held, healthy):
        subscriber.close(linger=0)
    context.term()
    pipeline.raise_failure()

    resident = np.array(gauges.resident) / 1e6
    print(
        f"{view.stream.t_s:.0f} s of stream in {view.elapsed_s:.0f} s: "
        f"resident {resident[0]:.1f} MB to {resident[-1]:.1f} MB (most {resident.max():.1f}), "
        f"files {min(gauges.n_files)} to "
        f"{max(gauges.n_files)}, threads {min(gauges.n_threads)} to {max(gauges.n_threads)}, "
        f"{n_events} event messages, {view.stats.count('recordings')} recordings, "
        f"{view.stats.count('lost_recordings')} lost to the full disk"
    )
    assert survivors == []
    assert view.stream.t_s == STREAM_S
    assert notices == []  # a healthy subscriber misses nothing
    assert view.stats.count("dropped_messages") == 0
    assert n_events > STREAM_S / 20
    assert view.stats.count("recordings") > 0
    assert view.stats.count("audio_gap_samples") > 0  # the faults were there
    assert when_full
    assert len(set(gauges.n_threads)) == 1
    assert max(gauges.n_files) - min(gauges.n_files) <= 3  # a recording's own
    late = resident[len(resident) // 2 :]
    assert (late.max() - resident[0]) * 1e6 < MAX_GROWTH_BYTES
    assert threading.active_count() == n_threads_before
