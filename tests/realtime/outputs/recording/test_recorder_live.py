"""Live, a recording has no holes, and whatever it lacks all say alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from live_record_scene import BLOCK, FPS, LiveScene, longest_hole_s

from realtime.packets import SAMPLE_RATE

HOLE_S = 0.15


def play_an_event(scene: LiveScene) -> None:
    scene.play_to(12.0)
    scene.tell("onset", 10.0)
    scene.play_to(20.0)
    scene.tell("offset", 10.0, 18.0)
    scene.play_to(34.0)
    scene.end()


@pytest.mark.parametrize(("write_s", "two_threads"), [(0.06, False), (0.06, True), (0.2, True)])
def test_no_hole_when_a_backlog_is_written_slowly(
    tmp_path: Path, write_s: float, two_threads: bool
) -> None:
    scene = LiveScene(tmp_path, write_s=write_s, two_threads=two_threads)
    play_an_event(scene)

    (told,) = scene.sidecars()
    (file,) = tmp_path.rglob("*.mp4")
    assert told["state"] == "complete"
    assert told["duration_s"] == pytest.approx(18.0, abs=0.1)
    assert longest_hole_s(file) < HOLE_S
    assert told["picture"]["longest_s"] < HOLE_S
    assert told["dropped"] == {"frames": 0, "blocks": 0}


def test_sidecar_and_counters_and_the_file_itself_agree_when_pictures_were_lost(
    tmp_path: Path,
) -> None:
    scene = LiveScene(tmp_path)
    scene.play_to(8.0)
    scene.pass_s(1.0)  # no thread has a processor: 8 of 30 pictures wait
    scene.play_to(12.0)
    scene.tell("onset", 10.0)
    scene.play_to(14.0)
    scene.pass_s(0.5)
    scene.play_to(20.0)
    scene.tell("offset", 10.0, 18.0)
    scene.play_to(30.0)
    scene.pass_s(2.0)  # no recording wants these
    scene.play_to(34.0)
    scene.end()

    (told,) = scene.sidecars()
    (file,) = tmp_path.rglob("*.mp4")
    n_expected = round(told["duration_s"] * FPS)
    n_lost = told["dropped"]["frames"]
    assert n_lost == pytest.approx(22 + 7, abs=2)
    assert told["picture"]["n_frames"] + n_lost == pytest.approx(n_expected, abs=1)
    assert scene.stats.snapshot().count("record_dropped_frames") == n_lost
    assert told["picture"]["longest_s"] == pytest.approx(longest_hole_s(file), abs=0.001)


@pytest.mark.device  # real time
def test_pictures_are_thinned_and_no_stretch_is_lost_when_memory_is_short(tmp_path: Path) -> None:
    scene = LiveScene(tmp_path, memory_mib=8, size=(240, 320))
    scene.play_to(3.0)
    scene.tell("onset", 2.0)
    for k in range(300):  # 20 pictures a second are encoded, and none for 0.8 s now and then
        scene.pass_s(0.2)
        scene.recorder.take_in(0.0)
        if k % 20 > 3:
            scene.recorder.write(0.0)
    scene.tell("offset", 2.0, 66.0)
    scene.play_to(80.0)
    scene.end()

    told = scene.sidecars()[0]
    assert told["dropped"]["frames"] > 300
    assert told["picture"]["longest_s"] < HOLE_S


def test_an_offset_is_not_pushed_out_by_predictions_when_nobody_takes_them(
    tmp_path: Path,
) -> None:
    scene = LiveScene(tmp_path, pre_roll_s=1.0, post_roll_s=1.0)
    scene.play_to(12.0)
    scene.tell("onset", 10.0)
    scene.play_to(15.0)
    scene.tell("offset", 10.0, 14.0)
    for _ in range(6 * 60):  # more than a thousand predictions
        scene.pass_s(1.0)
        scene.tell("update", 400.0, n=2)
    scene.play_to(scene.now_s + 3.0)

    (told,) = scene.sidecars()
    assert told["state"] == "complete"
    assert told["events"][0]["offset"]["offset"] == {"t_s": 14.0}
    assert len(scene.feed.messages) == 0
    scene.end()


def test_a_recording_ends_when_the_offset_of_its_event_never_comes(tmp_path: Path) -> None:
    scene = LiveScene(tmp_path, pre_roll_s=1.0, post_roll_s=1.0, labels=("Bark",))
    scene.play_to(12.0)
    scene.tell("onset", 10.0)
    scene.play_to(15.0)
    scene.tell("offset", 10.0, 14.0)
    for n in range(2, 1200):  # so many at a time that even onsets and offsets are lost
        scene.tell("onset", 14.0, label="Siren", n=n)
    scene.play_to(30.0)

    first = scene.sidecars()[0]
    assert first["state"] == "complete"
    assert first["end"]["t_s"] < 20.0
    assert scene.stats.snapshot().count("dropped_messages") > 0
    scene.end()


def test_a_recording_in_whose_time_nothing_came_is_no_recording(tmp_path: Path) -> None:
    scene = LiveScene(tmp_path, pre_roll_s=0.0, post_roll_s=0.0)
    scene.feed.take_sound(0, np.ones(BLOCK, np.float32))
    scene.recorder.step()
    scene.feed.take_sound(40 * SAMPLE_RATE, np.ones(BLOCK, np.float32))  # away meanwhile
    scene.tell("onset", 10.0)
    scene.tell("offset", 10.0, 12.0)
    scene.recorder.step()
    scene.end()

    (told,) = scene.sidecars()
    assert (told["state"], told["file"]) == ("broken", None)
    assert told["why"] == "no picture and no sound came in its time"
    assert list(tmp_path.rglob("*.mp4")) == []
    counts = scene.stats.snapshot()
    assert (counts.count("recordings"), counts.count("lost_recordings")) == (0, 1)


def test_a_run_that_is_ended_leaves_no_backlog_behind(tmp_path: Path) -> None:
    scene = LiveScene(tmp_path, write_s=0.1, two_threads=True)
    scene.play_to(40.0)
    scene.tell("onset", 36.0)
    scene.pass_s(0.1)
    scene.recorder.take_in(0.0)
    scene.recorder.hurry()
    scene.feed.close()
    scene.recorder.take_in(0.0)
    began_s = scene.now_s
    while scene.recorder.write(0.0):
        pass

    (told,) = scene.sidecars()
    assert told["state"] == "complete"
    assert told["post_roll_cut"] == "the stream ended"
    assert scene.now_s - began_s < 2.0
    assert list(tmp_path.rglob("*.part.mp4")) == []
    scene.recorder.finish()
