"""A source that is paused: what it tells, shows and has recorded, and what it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_stream import STARTED, FakeAssembler, make_stream

from predictions import prediction
from realtime.clock import NS_PER_S, Timeline, WallClock
from realtime.config import RunConfig, SourceConfig
from realtime.controls import Controls
from realtime.errors import UsageError
from realtime.outputs.recording.feed import RecordFeed
from realtime.outputs.wire import Message
from realtime.packets import Clip
from realtime.rings import Rings
from realtime.stats import Stats
from realtime.stream import Stream


class PausedScene:
    """One stream that decides four times a second."""

    def __init__(self) -> None:
        config = SourceConfig(name="door", kind="demo")
        self.controls = Controls(RunConfig(source=config))
        self.told: list[Message] = []
        self.stats = Stats()
        rings = Rings(config, 2, Timeline(WallClock.fixed(STARTED), 0), self.stats)
        rings.timeline.start(0)
        self.stream: Stream = make_stream(
            FakeAssembler(), self.told, rings=rings, stats=self.stats, controls=self.controls
        )
        self.n = 4

    def run(self, seconds: float, score: float) -> None:
        for _ in range(round(seconds * 4)):
            end_s = self.n / 4
            self.n += 1
            clip = Clip(
                index=self.n,
                end_t_ns=round(end_s * NS_PER_S),
                decide=True,
                waveform=None,
                slots=(),
                new_frames=(),
                newest_ns=0,
                av_skew_ms=None,
            )
            self.stream.poll()
            self.stream.take(clip, prediction(end_s, score))

    def said(self, kind: str) -> list[dict[str, Any]]:
        return [m.body for m in self.told if m.body["type"] == kind]


def test_event_ends_where_a_pause_begins_and_nothing_is_told_in_it() -> None:
    scene = PausedScene()
    scene.run(4, 0.9)
    scene.controls.pause("door", True)
    n_told = len(scene.said("prediction"))
    scene.run(10, 0.9)
    phases = [(e["phase"], e.get("reason")) for e in scene.said("event") if e["phase"] != "update"]
    assert phases == [("onset", None), ("offset", "paused")]
    assert len(scene.said("prediction")) == n_told
    assert scene.stats.counts()["paused_predictions"] == 40
    assert "paused: nothing is told or recorded" in str(scene.said("status")[-1]["detail"])


def test_time_goes_on_and_events_begin_anew_after_a_pause() -> None:
    scene = PausedScene()
    scene.run(4, 0.9)
    scene.controls.pause("door", True)
    scene.run(10, 0.9)
    view = scene.stream.view()
    assert (view.prediction, view.active, view.load) == (None, (), "paused")
    assert view.t_s == pytest.approx(14.75)
    scene.controls.pause("door", False)
    scene.run(4, 0.9)
    onsets = [e for e in scene.said("event") if e["phase"] == "onset"]
    assert len(onsets) == 2
    assert onsets[1]["onset"]["t_s"] >= 14.0  # no event reaches back into the pause
    assert scene.stream.view().load == ""
    seqs = [m.body["topic_seq"] for m in scene.told if m.topic.startswith("event/")]
    assert seqs == list(range(1, len(seqs) + 1))  # nobody takes a pause for a loss


def test_what_is_recorded_of_a_pause_is_black_and_silent() -> None:
    paused = False
    feed = RecordFeed(live=True, max_fps=30.0, paused=lambda: paused)
    image, samples = np.full((4, 4, 3), 200, np.uint8), np.full(160, 0.5, np.float32)
    for number, paused in enumerate((False, True, False)):  # noqa: B007 - read by the feed
        rendered = feed.take_frame(number * NS_PER_S, lambda: image)()
        assert rendered is image  # recognition goes on with it
        feed.take_sound(number * 160, samples)
    frames = [feed.frames.get(0.0) for _ in range(3)]
    sounds = [feed.sounds.get(0.0) for _ in range(3)]
    assert [int(f.image.max()) for f in frames if f is not None] == [200, 0, 200]
    assert [float(s.samples.max()) for s in sounds if s is not None] == [0.5, 0.0, 0.5]


def test_switch_of_a_source_that_there_is_not_is_refused() -> None:
    controls = PausedScene().controls
    for act in (controls.pause, controls.record):
        with pytest.raises(UsageError, match="there is no source 'yard'; there is door"):
            act("yard", True)
