"""A live stream on machines of any speed: how late its decisions are and what is given up."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduler_scene import Scene, camera, file, live

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.packets import Prediction

HOP_NS = NS_PER_S // 4
PATIENCE_NS = NS_PER_S // 4
SETTLED_S = 12.0  # all levels are given up by then, and the backlog of a slow start


def slow_scene(frame_ms: float, clip_ms: float, hop_s: float = 0.25) -> Scene:
    scene = Scene(live("door"), hop_s=hop_s)
    scene.recognizer.frame_ns = round(frame_ms * NS_PER_MS)
    scene.recognizer.clip_ns = round(clip_ms * NS_PER_MS)
    return scene


def test_everything_is_computed_when_the_machine_keeps_up() -> None:
    scene = slow_scene(frame_ms=20, clip_ms=50)
    scene.run(20.0)

    counts = scene.stats.snapshot()
    assert counts.count("skipped_frames") == counts.count("skipped_clips") == 0
    assert counts.load_level == 0
    assert max(scene.lags_ns("door", since_s=2.0)) < 150 * NS_PER_MS
    assert scene.recognizer.decisions[-1].n_frames == 16


def test_what_is_late_by_its_stream_s_lag_is_no_load() -> None:
    scene = Scene(live("door"), lag_s=4.5)
    scene.recognizer.frame_ns, scene.recognizer.clip_ns = 20 * NS_PER_MS, 50 * NS_PER_MS
    scene.run(30.0)

    counts = scene.stats.snapshot()
    assert counts.count("skipped_frames") == counts.count("skipped_clips") == 0
    assert counts.load_level == 0
    late_ns = scene.lags_ns("door", since_s=2.0)
    assert len(late_ns) > 80
    assert 4 * NS_PER_S < max(late_ns) < 5 * NS_PER_S


def test_frames_are_computed_before_their_clip_is_due() -> None:
    """A hop's four frames take 160 ms; at the hop one of them and the clip are left."""
    scene = slow_scene(frame_ms=40, clip_ms=10)
    scene.run(10.0)

    assert max(scene.lags_ns("door", since_s=2.0)) <= 100 * NS_PER_MS


def test_pictures_are_given_up_first_and_the_stream_says_so() -> None:
    scene = slow_scene(frame_ms=100, clip_ms=30)  # sixteen frames would take 1.6 s a second
    scene.run(SETTLED_S)

    assert scene.stats.snapshot().count("skipped_frames") > 0
    assert 0 < scene.recognizer.decisions[-1].n_frames <= 8
    assert max(scene.lags_ns("door", since_s=6.0)) < NS_PER_S // 2
    statuses = [m.body for m in scene.told if m.body["type"] == "status"]
    assert statuses[-1]["grid_hz"] in (4, 8)
    assert statuses[-1]["hop_s"] == 0.25
    assert "pictures a second" in str(statuses[-1]["detail"])
    assert scene.streams[0].view().load


def test_hop_grows_when_pictures_are_not_enough() -> None:
    scene = slow_scene(frame_ms=10, clip_ms=400)
    scene.run(20.0)

    ends = [d.end_t_ns for d in scene.recognizer.decisions[-4:]]
    hops = {b - a for a, b in itertools.pairwise(ends)}
    assert min(hops) >= 2 * HOP_NS
    status = [m.body for m in scene.told if m.body["type"] == "status"][-1]
    assert status["hop_s"] in (0.5, 1.0)


@settings(max_examples=25, deadline=None)
@given(
    frame_ms=st.floats(0, 1500),
    clip_ms=st.floats(0, 3000),
    hop_s=st.sampled_from([0.0625, 0.1875, 0.25, 0.5, 1.0]),
)
def test_delay_is_bounded_whatever_a_frame_and_a_clip_cost(
    frame_ms: float, clip_ms: float, hop_s: float
) -> None:
    scene = slow_scene(frame_ms, clip_ms, hop_s)
    scene.run(SETTLED_S + 30.0)

    # Two frames of the clip, some taken early, and one clip; where even that is more than a
    # second, the newest hop comes first and the rest is skipped.
    least_ns = round((6 * frame_ms + clip_ms) * NS_PER_MS)
    bound_ns = max(NS_PER_S // 2, NS_PER_S + PATIENCE_NS) + least_ns
    late = scene.lags_ns("door", since_s=SETTLED_S + 3 * least_ns / NS_PER_S)
    assert all(lag_ns <= bound_ns for lag_ns in late)
    ends = [d.end_t_ns for d in scene.recognizer.decisions]
    assert ends == sorted(set(ends))


def test_everything_is_computed_again_when_the_load_falls() -> None:
    scene = slow_scene(frame_ms=100, clip_ms=30)
    scene.run(15.0)
    assert scene.stats.snapshot().load_level > 0

    scene.recognizer.frame_ns = NS_PER_MS
    scene.run(60.0)

    assert scene.stats.snapshot().load_level == 0
    assert scene.recognizer.decisions[-1].n_frames == 16
    assert scene.streams[0].view().load == ""


@pytest.mark.parametrize("frame_ms", [0, 300])
def test_file_is_computed_in_full_however_slow_the_machine_is(frame_ms: int) -> None:
    scene = Scene(file("film"), file_s=4)
    scene.recognizer.frame_ns = frame_ms * NS_PER_MS

    assert not scene.run(1000.0)

    assert [d.end_t_ns // HOP_NS for d in scene.recognizer.decisions] == list(range(4, 17))
    assert {d.n_frames for d in scene.recognizer.decisions} == {16}
    assert scene.recognizer.n_frames == 64
    assert scene.stats.snapshot().count("skipped_frames") == 0


def test_file_beside_a_live_stream_is_computed_in_full_while_the_other_gives_up() -> None:
    scene = Scene(live("door"), file("film"), file_s=6)
    scene.recognizer.frame_ns = 100 * NS_PER_MS
    scene.run(100.0)

    of_file = [d for d in scene.recognizer.decisions if d.source == "film"]
    assert [d.end_t_ns // HOP_NS for d in of_file] == list(range(4, 25))
    assert {d.n_frames for d in of_file} == {16}
    assert scene.stats.snapshot().count("skipped_frames") > 0


def test_prediction_is_none_between_hops_that_do_not_divide_the_second() -> None:
    decided: list[Prediction | None] = []
    scene = Scene(live("door"), hop_s=3 / 16)
    scene.recognizer.clip_ns = NS_PER_MS
    scene.run(3.0)

    assert decided == []
    assert {d.end_t_ns * 16 // NS_PER_S % 3 for d in scene.recognizer.decisions} == {1}


@pytest.mark.parametrize("fps", [0.5, 1.0, 2.0, 2.3, 3.0, 4.0, 5.0, 10.0])
def test_waiting_for_a_slow_camera_is_no_load(fps: float) -> None:
    scene = Scene(camera("door"), fps=fps, delay_s=0.1, waits=True)
    scene.recognizer.frame_ns, scene.recognizer.clip_ns = 12 * NS_PER_MS, 60 * NS_PER_MS
    scene.run(40.0)

    assert scene.stats.snapshot().load_level == 0
    assert not [m for m in scene.told if "to keep up" in str(m.body.get("detail"))]


@pytest.mark.parametrize("lump_s", [0.25, 0.5, 1.0, 2.0])
def test_waiting_for_sound_that_comes_in_lumps_is_no_load(lump_s: float) -> None:
    config = replace(live("door"), patience_s=2.0)
    scene = Scene(config, lump_s=lump_s, waits=True)
    scene.recognizer.frame_ns, scene.recognizer.clip_ns = 3 * NS_PER_MS, 60 * NS_PER_MS
    scene.run(40.0)

    assert scene.stats.snapshot().load_level == 0


def test_slow_machine_gives_up_decisions_of_a_slow_camera_too() -> None:
    scene = Scene(camera("door"), fps=2.0, waits=True)
    scene.recognizer.clip_ns = 400 * NS_PER_MS
    scene.run(40.0)

    assert scene.stats.snapshot().load_level > 0
