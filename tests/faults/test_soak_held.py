"""A subscriber that is held (SIGSTOP) for a minute while the starter recognizes the scene, paced.

What it costs recognition is measured at a subscriber that reads: the latency of each prediction
before and while the other is held. `test_held_subscriber.py` holds the publisher's memory to its
bound under far more messages than a minute brings.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zmq

from realtime.client.continuity import Continuity
from realtime.client.decoding import decode
from realtime.config import PublisherConfig, RunConfig, SourceConfig
from realtime.pipeline import Pipeline

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

WARM_S, FREE_S, HELD_S = 5.0, 30.0, 60.0
MARGIN_MS = 100.0  # of the medians; far above what a busy machine adds, far below a wait
HELD = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.setsockopt(zmq.RCVHWM, 1)
socket.connect(sys.argv[1])
socket.subscribe("")
socket.recv_multipart()
print("ready", flush=True)
while True:
    socket.recv_multipart()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="holds a process")
def test_recognition_is_as_prompt_and_the_other_subscriber_complete_when_one_is_held() -> None:
    config = RunConfig(
        source=SourceConfig(name="demo", kind="demo", pace=True, loop=True),
        publisher=PublisherConfig(bind="tcp://127.0.0.1:*", send_hwm=20),
    )
    pipeline = Pipeline(config)
    pipeline.open()
    endpoint = pipeline.view().endpoint or ""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    reader = context.socket(zmq.SUB)
    reader.setsockopt(zmq.RCVHWM, 0)
    reader.connect(endpoint)
    reader.subscribe("")
    held = subprocess.Popen(
        [sys.executable, "-c", HELD, endpoint], stdout=subprocess.PIPE, text=True
    )
    continuity = Continuity(("event/", "prediction/", "status/", "heartbeat/"))
    notices: list[object] = []

    def read_for(seconds: float) -> list[float]:
        latencies_ms, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not reader.poll(100):
                continue
            topic, body = decode(reader.recv_multipart())
            notices.extend(continuity.check(topic, body).notices)
            if body["type"] == "prediction":
                latencies_ms.append(float(body["quality"]["latency_ms"]))  # type: ignore[index]
        return latencies_ms

    try:
        pipeline.start()
        assert held.stdout is not None
        assert held.stdout.readline() == "ready\n"
        read_for(WARM_S)
        free_ms = read_for(FREE_S)
        os.kill(held.pid, signal.SIGSTOP)
        held_ms = read_for(HELD_S)
        assert held.poll() is None
    finally:
        held.kill()
        held.communicate()
        survivors = pipeline.close(timeout_s=30.0)
        reader.close(linger=0)
        context.term()

    p50, p95 = (np.percentile(free_ms, q) for q in (50, 95))
    held_p50, held_p95 = (np.percentile(held_ms, q) for q in (50, 95))
    print(
        f"latency p50/p95 free {p50:.0f}/{p95:.0f} ms ({len(free_ms)} predictions), "
        f"one held {held_p50:.0f}/{held_p95:.0f} ms ({len(held_ms)})"
    )
    assert survivors == []
    assert notices == []
    assert pipeline.view().stats.count("dropped_messages") == 0
    assert held_p50 < p50 + MARGIN_MS
