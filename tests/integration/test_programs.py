"""What programs get from `realtime`, with real networks and in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from integration.processes import ROOT, TIMEOUT_S, environment, run_program
from integration.stand_in import write_video
from realtime import Event, Recognizer, recognize

pytestmark = pytest.mark.timeout(300)


def decode(path: Path) -> list[tuple[float, np.ndarray, int]]:
    """Return a clip's pictures and sound by time, with the sound's rate, 0 for a picture."""
    items: list[tuple[float, np.ndarray, int]] = []
    with av.open(str(path)) as container:
        items.extend(
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24"), 0)
            for frame in container.decode(video=0)
        )
    with av.open(str(path)) as container:
        for block in container.decode(audio=0):
            t_s = float(block.pts * block.time_base)
            items.append((t_s, block.to_ndarray()[0].astype(np.float32), block.sample_rate))
    return sorted(items, key=lambda item: item[0])


def told(events: list[Event]) -> list[tuple[object, ...]]:
    return [(e.label, e.phase, e.onset_s, e.offset_s, e.reason) for e in events]


def test_clip_that_is_fed_gives_what_its_file_gives(random_bundle: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_video(clip, "Siren", 4.0)
    options = {"bundle": random_bundle, "backend": "torch", "precision": "float32", "on": 0.2}
    options["off"] = 0.1  # below chance of three labels: there are events

    by_file = list(recognize(clip, phases="all", **options))
    fed: list[Event] = []
    with Recognizer(phases="all", **options) as recognizer:
        for t_s, samples, rate in decode(clip):
            if rate:
                fed += recognizer.feed_sound(samples, rate, t_s)
            else:
                fed += recognizer.feed_frame(samples, t_s)
        fed += recognizer.finish(4.0)

    assert by_file
    assert told(fed) == told(by_file)
    for ours, theirs in zip(fed, by_file, strict=True):
        assert ours.confidence == pytest.approx(theirs.confidence, abs=2e-4)
        assert ours.evidence is not None
        assert theirs.evidence is not None
        assert [g.probability for g in ours.top] == pytest.approx(
            [g.probability for g in theirs.top], abs=2e-4
        )
        np.testing.assert_allclose(ours.evidence.attention, theirs.evidence.attention, atol=2e-4)


def test_interrupt_of_a_program_comes_through_and_leaves_nothing(random_bundle: Path) -> None:
    program = f"""
import threading
from realtime import recognize
bundle = {str(random_bundle)!r}
try:
    for event in recognize("demo", pace=True, loop=True, phases="all", bundle=bundle):
        print(event.label, flush=True)
except KeyboardInterrupt:
    print("interrupted", [thread.name for thread in threading.enumerate()])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
        process.communicate()

    assert stdout.splitlines()[-1] == "interrupted ['MainThread']"
    assert process.returncode == 0
    assert stderr == ""


def test_program_may_end_in_the_midst_of_a_stream(random_bundle: Path) -> None:
    program = f"""
from realtime import recognize
events = recognize("demo", pace=True, loop=True, phases="all", bundle={str(random_bundle)!r})
print(next(events).label)
"""
    result = run_program(program)

    assert (result.returncode, result.stderr) == (0, "")
