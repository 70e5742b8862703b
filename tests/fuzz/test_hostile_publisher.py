"""Publishers that mean harm (`hostile_peers`), against `Subscriber`."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hostile_peers
from realtime.client.subscriber import MAX_MESSAGE_BYTES, MAX_UNREAD_BYTES, READ_AHEAD, Subscriber

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and the kernel's counts"),
]
ATTACK_S = 4.0
LOOK_BYTES = 100 << 20  # what may come between two looks, 0.2 s apart
CRUMB = 40  # bytes that libzmq keeps for one of a message of empty frames, at least
AHEAD_BYTES = READ_AHEAD * MAX_MESSAGE_BYTES
JSON_BYTES = 30 * MAX_MESSAGE_BYTES  # what one message may become while it is read
MOST_BYTES = {
    "endless_crumbs": CRUMB * MAX_UNREAD_BYTES + LOOK_BYTES,
    "endless_parts": MAX_UNREAD_BYTES + LOOK_BYTES,
    "large_messages": AHEAD_BYTES + JSON_BYTES,
    "deep_messages": AHEAD_BYTES + JSON_BYTES,
    "new_topics": 30 << 20,
}


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.parametrize("attack", hostile_peers.PUBLISHED)
def test_memory_holds_when_a_publisher_floods(attack: str) -> None:
    command = [sys.executable, hostile_peers.__file__, attack]
    hostile = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert hostile.stdout is not None
    endpoint = f"tcp://127.0.0.1:{hostile.stdout.readline().strip()}"
    notices: list[str] = []
    peak = before = resident_bytes()
    try:
        with Subscriber(endpoint, silence_s=1e6, on_notice=notices.append) as subscriber:
            end = time.monotonic() + ATTACK_S
            while time.monotonic() < end:
                subscriber.receive(0.05)
                peak = max(peak, resident_bytes())
    finally:
        hostile.kill()
        hostile.communicate()

    print(f"{attack}: grown by {(peak - before) / 1e6:.0f} MB at most, {len(notices)} notices")
    assert peak - before < MOST_BYTES[attack]
    assert len(notices) < 200
    if attack.startswith("endless"):
        assert any("without an end" in notice for notice in notices)
