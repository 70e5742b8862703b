"""Who is recognized when several streams are due, and how streams come to their end."""

from __future__ import annotations

from collections import Counter

import pytest
from scheduler_scene import Scene, file, live

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.scheduler import MAX_CLIPS, MAX_EARLY_FRAMES


def states(scene: Scene, source: str) -> list[object]:
    return [
        message.body["state"]
        for message in scene.told
        if message.body["type"] == "status" and message.body["source"] == source
    ]


def test_streams_that_are_due_together_share_a_round() -> None:
    scene = Scene(*(live(f"cam{n}") for n in range(4)))
    scene.run(3.0)

    assert {len(names) for names in scene.recognizer.rounds} == {4}
    assert all(len(set(names)) == len(names) for names in scene.recognizer.rounds)


def test_everybody_gets_a_turn_when_more_are_due_than_a_round_takes() -> None:
    n_streams = 2 * MAX_CLIPS + 3
    scene = Scene(*(live(f"cam{n}") for n in range(n_streams)))
    scene.run(2.1)

    sizes = [len(names) for names in scene.recognizer.rounds]
    turns = Counter(name for names in scene.recognizer.rounds for name in names)
    assert max(sizes) == MAX_CLIPS
    assert set(turns.values()) == {5}
    assert len(turns) == n_streams


def test_nobody_starves_when_all_are_slow() -> None:
    n_streams = 2 * MAX_CLIPS
    scene = Scene(*(live(f"cam{n}") for n in range(n_streams)))
    scene.recognizer.clip_ns = 40 * NS_PER_MS  # 1.3 s for a clip of each
    scene.run(40.0)

    turns = Counter(d.source for d in scene.recognizer.decisions if d.end_t_ns > 15 * NS_PER_S)
    assert len(turns) == n_streams
    assert max(turns.values()) <= 2 * min(turns.values())
    worst_ns = max(lag for n in range(n_streams) for lag in scene.lags_ns(f"cam{n}", 15.0))
    assert worst_ns < 4 * NS_PER_S


def test_no_more_frames_are_taken_early_than_a_due_clip_may_wait_for() -> None:
    taken: list[int] = []
    scene = Scene(*(live(f"cam{n}") for n in range(6)))
    encode = scene.recognizer.encode

    def count(work: list[tuple[object, list[object]]]) -> None:
        taken.append(sum(len(frames) for _, frames in work))
        encode(work)  # type: ignore[arg-type]  # counted on the way

    scene.recognizer.encode = count  # type: ignore[method-assign, assignment]
    scene.run(0.9)  # no clip is due in the first second

    assert taken
    assert max(taken) <= MAX_EARLY_FRAMES
    assert sum(taken) == 6 * 14  # all that came


def test_each_frame_is_computed_once_whether_early_or_with_its_clip() -> None:
    scene = Scene(live("a"), live("b"))
    scene.recognizer.clip_ns = 5 * NS_PER_MS
    scene.run(5.05)

    assert scene.recognizer.n_frames == 2 * 5 * 16


def test_stream_that_ends_leaves_the_others_running() -> None:
    scene = Scene(file("short"), live("door"), file_s=2)

    assert scene.run(5.0)

    assert states(scene, "short")[-1] == "ended"
    assert states(scene, "door")[-1] == "running"
    assert scene.recognizer.decisions[-1].source == "door"


def test_run_is_over_when_the_last_stream_is() -> None:
    scene = Scene(file("a"), file("b"), file_s=3)

    assert not scene.run(100.0)

    assert states(scene, "a")[-1] == states(scene, "b")[-1] == "ended"


def test_streams_that_go_on_fail_in_one_sentence_when_recognition_does() -> None:
    scene = Scene(file("short"), live("door"), file_s=2)
    scene.run(5.0)
    scene.scheduler.finish(RuntimeError("out of memory"))

    assert states(scene, "short")[-1] == "ended"
    assert states(scene, "door")[-1] == "failed"


@pytest.mark.parametrize("n_files", [1, 3])
def test_files_are_decided_alike_whoever_runs_beside_them(n_files: int) -> None:
    scene = Scene(*(file(f"film{n}") for n in range(n_files)), file_s=4)
    scene.run(100.0)

    ends = {
        f"film{n}": [d.end_t_ns for d in scene.recognizer.decisions if d.source == f"film{n}"]
        for n in range(n_files)
    }
    assert all(each == ends["film0"] for each in ends.values())
    assert len(ends["film0"]) == 13


def test_drift_of_a_sound_devices_clock_is_a_figure_and_a_file_has_none() -> None:
    device, recording = Scene(live("door")), Scene(file("clip"))
    device.run(3.0)
    recording.run(3.0)

    assert device.stats.snapshot().drift_ppm == 0.0  # of a clock that is exact
    assert recording.stats.snapshot().drift_ppm is None


@pytest.mark.parametrize("n_others", [0, 4])
def test_past_of_a_stream_that_was_taken_over_is_no_load(
    n_others: int, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"s{k}" for k in range(n_others)]
    scene = Scene(*map(live, (*names, "taken")), taken=("taken",))
    scene.recognizer.clip_ns = 10 * NS_PER_MS
    scene.clock.advance(12 * NS_PER_S)
    scene.run(6.0)

    assert scene.scheduler.load_level == 0
    assert "does not keep up" not in caplog.text
    decided = [d for d in scene.recognizer.decisions if d.source == "taken"]
    assert decided[0].end_t_ns < 8 * NS_PER_S
    assert decided[-1].lag_ns < NS_PER_S // 4
    for name in names:
        assert max(scene.lags_ns(name, since_s=13.0)) < NS_PER_S // 2
    latency_ms = scene.stats.snapshot().latency_p95_ms
    assert latency_ms is not None
    assert latency_ms < 500
