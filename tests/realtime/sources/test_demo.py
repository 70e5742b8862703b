import hashlib
import itertools

import numpy as np
import pytest

from realtime.clock import NS_PER_S, ManualClock
from realtime.config import SourceConfig
from realtime.sources.demo_pictures import ScenePainter
from realtime.sources.demo_scene import DURATION_S, SCRIPT, event_at, render_sound
from realtime.sources.factory import open_readers
from realtime.sources.opened import OpenedSource
from source_builders import Stream, make_stream, read_to_end


def open_demo(stream: Stream, *, pace: bool = False, loop: bool = False) -> OpenedSource:
    i = stream.inlet
    config = SourceConfig(name="demo", kind="demo", pace=pace, loop=loop)
    return open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)


def test_script_has_events_apart_and_quiet_between() -> None:
    for event, following in itertools.pairwise(SCRIPT):
        assert event.onset_s < event.offset_s <= following.onset_s - 2.0
    assert SCRIPT[0].onset_s >= 2.0
    assert SCRIPT[-1].offset_s <= DURATION_S - 2.0


def test_events_are_louder_than_the_quiet_between() -> None:
    waveform = render_sound()
    t_s = np.arange(len(waveform)) / 16_000
    quiet = np.ones(len(waveform), bool)
    for event in SCRIPT:
        during = (t_s >= event.onset_s) & (t_s < event.offset_s)
        quiet &= ~((t_s >= event.onset_s) & (t_s < event.offset_s + 0.5))
        # A clock is soft, and silent most of the time: it is its clicks that stand out.
        assert np.quantile(np.abs(waveform[during]), 0.995) > 0.02
    assert 0.0 < np.sqrt((waveform[quiet] ** 2).mean()) < 0.005
    assert np.quantile(np.abs(waveform[quiet]), 0.995) < 0.01
    assert np.abs(waveform).max() < 0.95


def test_scene_is_the_same_every_time() -> None:
    digests = {hashlib.sha256(render_sound().tobytes()).hexdigest() for _ in range(2)}
    assert len(digests) == 1
    for t_s in (1.0, 6.0, 18.0, 30.0):
        np.testing.assert_array_equal(ScenePainter().paint(t_s), ScenePainter().paint(t_s))


def test_pictures_change_when_an_event_begins() -> None:
    painter = ScenePainter()
    for event in SCRIPT:
        assert event_at(event.onset_s) is event
        before, after = painter.paint(event.onset_s - 0.1), painter.paint(event.onset_s)
        assert np.abs(before.astype(int) - after).mean() > 20


def test_demo_plays_to_its_end_and_stops() -> None:
    stream = make_stream()
    read_to_end(*open_demo(stream).readers)

    assert len(stream.slots()) == DURATION_S * 16
    assert stream.sounds.end_index == DURATION_S * 16_000
    assert stream.frames.ended
    assert stream.sounds.ended


def test_demo_takes_its_time_when_paced() -> None:
    clock = ManualClock(now_ns=7 * NS_PER_S)
    stream = make_stream(clock=clock)
    sound = open_demo(stream, pace=True).readers[1]
    while sound.step():
        pass

    assert clock.now_ns() == (7 + DURATION_S) * NS_PER_S
    assert stream.sounds.clock.time_at(0) == 7 * NS_PER_S


def test_demo_goes_on_when_looped() -> None:
    stream = make_stream()
    sound = open_demo(stream, loop=True).readers[1]
    for _ in range(DURATION_S * 20 + 40):
        assert sound.step()

    start = DURATION_S * 16_000
    np.testing.assert_array_equal(
        stream.sounds.read(start, start + 32_000).samples, stream.sounds.read(0, 32_000).samples
    )


@pytest.mark.timeout(20)
def test_close_ends_the_demo() -> None:
    reader = open_demo(make_stream()).readers[0]
    reader.close()
    assert not reader.step()
