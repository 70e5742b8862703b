"""The bundle in the repository, through the whole program: the demo scene and real clips."""

from __future__ import annotations

import pytest

from integration.processes import CLIPS, json_lines, run_stream
from realtime.sources.demo_scene import SCRIPT

pytestmark = pytest.mark.timeout(300)


def test_events_of_the_demo_scene_are_named_and_dated() -> None:
    result = run_stream("--source", "demo", "--log-json", "--no-publish")

    assert result.returncode == 0
    ended = [event for event in json_lines(result.stdout) if event["phase"] == "offset"]
    told = sorted(ended, key=lambda event: float(event["onset"]["t_s"]))
    assert [event["label"] for event in told] == [scene.label for scene in SCRIPT]
    for event, scene in zip(told, SCRIPT, strict=True):
        assert event["onset"]["t_s"] == pytest.approx(scene.onset_s, abs=0.75)
        assert event["offset"]["t_s"] == pytest.approx(scene.offset_s, abs=0.75)


@pytest.mark.parametrize(
    ("clip", "label"),
    [
        ("bark_1.mp4", "Bark"),
        ("drum_1.mp4", "Drum"),
        ("gunshot_1.mp4", "Gunshot"),
        ("speech_1.mp4", "Speech"),  # the level that is sure; whose it is stands in `top`
    ],
)
def test_real_clip_is_named_from_its_start(clip: str, label: str) -> None:
    if not (CLIPS / clip).exists():
        pytest.skip(f"{clip} is not here")

    result = run_stream("--source", str(CLIPS / clip), "--log-json", "--no-publish")

    assert result.returncode == 0
    events = [event for event in json_lines(result.stdout) if event["label"] == label]
    assert events[0]["phase"] == "onset"
    assert events[0]["onset"]["t_s"] <= 0.5
    assert events[-1]["phase"] == "offset"


@pytest.mark.soak
@pytest.mark.parametrize("clip", ["other_makeup.avi", "other_tennis.mp4", "other_pancake.mkv"])
def test_any_real_file_runs_to_its_end(clip: str) -> None:
    if not (CLIPS / clip).exists():
        pytest.skip(f"{clip} is not here")

    result = run_stream("--source", str(CLIPS / clip), "--no-publish")

    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    assert "s of stream" in result.stdout
