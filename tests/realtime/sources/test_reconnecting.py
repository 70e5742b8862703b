"""A device that goes, comes back or hangs, and what is told and done about it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from device_fakes import Bench, wait_for

from realtime.clock import NS_PER_S
from realtime.errors import SourceError
from realtime.packets import SAMPLE_RATE, Sense, SenseState
from realtime.sources.reconnecting import MAX_GIVEN_UP

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def camera() -> Iterator[Bench]:
    yield from opened(Sense.PICTURE)


@pytest.fixture
def microphone() -> Iterator[Bench]:
    yield from opened(Sense.SOUND)


def opened(sense: Sense) -> Iterator[Bench]:
    bench = Bench(sense)
    bench.reader.open()
    bench.deliver(3)
    yield bench
    bench.device.come_to()
    bench.reader.close()
    wait_for(lambda: not bench.reader.survivors())


def unplug(bench: Bench) -> None:
    bench.device.plugged = False
    bench.tick_until(lambda: bench.state is SenseState.RECONNECTING)


def test_the_first_failure_is_the_owners_at_once() -> None:
    bench = Bench(Sense.PICTURE)
    bench.device.plugged = False

    with pytest.raises(SourceError, match="not there"):
        bench.reader.open()

    assert bench.device.n_closings == 1
    assert bench.reader.statuses() == {}


def test_a_device_that_was_not_there_at_the_start_is_tried_again() -> None:
    bench = Bench(Sense.PICTURE)
    bench.device.plugged = False
    with pytest.raises(SourceError) as fault:
        bench.reader.open()
    bench.reader.retry(fault.value)
    assert bench.status.detail == "it is not there; tried again in 1 s"

    bench.device.plugged = True
    bench.pass_time(1.3)
    bench.tick_until(lambda: bench.device.n_openings == 2)
    bench.deliver(3)

    assert bench.state is SenseState.OK
    assert len(bench.stream.slots()) >= 18
    bench.reader.close()


def test_a_device_comes_back_within_the_first_wait(camera: Bench) -> None:
    n_before = len(camera.stream.slots())
    unplug(camera)
    assert camera.status.detail == "it was unplugged; tried again in 1 s"
    camera.device.plugged = True

    camera.pass_time(1.3)
    camera.tick_until(lambda: camera.device.n_openings == 2)
    camera.deliver(1.5)
    assert camera.state is SenseState.RECONNECTING  # not for one frame alone
    camera.deliver(1)

    assert camera.state is SenseState.OK
    assert camera.status.detail == "opening 2"
    assert len(camera.stream.slots()) > n_before + 10
    assert camera.stream.count("reconnects") == 1


def test_a_device_that_stays_away_is_tried_for_after_1_5_20_and_every_60_s(camera: Bench) -> None:
    unplug(camera)
    told, moments = [camera.status], [camera.clock.now_ns()]
    for n_openings in range(2, 8):
        for _ in range(80):
            camera.pass_time(1)
            if camera.stream.count("reconnect_attempts") == n_openings - 1:
                break
        moments.append(camera.clock.now_ns())
        camera.tick_until(lambda n=n_openings: camera.device.n_openings == n)
        camera.tick_until(lambda: camera.reader._session is None)
        told.append(camera.status)

    waits_s = [(b - a) / NS_PER_S for a, b in pairwise(moments)]
    for wait_s, tier_s in zip(waits_s, (1, 5, 20, 60, 60, 60), strict=True):
        assert 0.75 * tier_s <= wait_s <= 1.25 * tier_s + 1.1
    states = [status.state for status in told]
    assert states == [SenseState.RECONNECTING] * 3 + [SenseState.LOST] * 4
    assert told[-1] == told[-2]  # it says so once
    assert told[-1].detail == "it is not there; tried again every 60 s"


def test_the_shortest_wait_comes_first_again_when_a_device_was_well_for_a_while(
    camera: Bench,
) -> None:
    unplug(camera)
    camera.device.plugged = True
    camera.pass_time(1.3)
    camera.tick_until(lambda: camera.device.n_openings == 2)
    camera.deliver(3)
    unplug(camera)
    assert camera.status.detail.endswith("in 5 s")  # it flutters

    camera.device.plugged = True
    camera.pass_time(6.5)
    camera.tick_until(lambda: camera.device.n_openings == 3)
    camera.deliver(12)
    unplug(camera)

    assert camera.status.detail.endswith("in 1 s")


def test_a_device_that_delivers_nothing_is_opened_again(microphone: Bench) -> None:
    microphone.pass_time(3.1)
    microphone.tick_until(lambda: microphone.state is SenseState.RECONNECTING)
    assert microphone.status.detail == "no sound came for 3 s; tried again in 1 s"
    microphone.tick_until(lambda: microphone.device.n_closings == 1)
    microphone.pass_time(1.3)
    microphone.tick_until(lambda: microphone.device.n_openings == 2)
    microphone.deliver(3)

    assert microphone.state is SenseState.OK


def test_sound_goes_on_where_it_belongs_after_a_gap(microphone: Bench) -> None:
    stream = microphone.stream
    end = stream.sounds.end_index
    left_ns = stream.sounds.clock.time_at(end)
    unplug(microphone)
    microphone.device.plugged = True
    microphone.device.sample_rate = 48_000  # another one in its place
    microphone.pass_time(1.3)
    microphone.tick_until(lambda: microphone.device.n_openings == 2)
    microphone.pass_time(1)
    microphone.deliver(3)

    ring = stream.sounds
    now_ns = stream.clock.now_ns()
    resampler_ns = NS_PER_S // 20  # is held back by it
    assert abs(ring.clock.time_at(ring.end_index) - now_ns) <= resampler_ns
    away = (now_ns - left_ns) * SAMPLE_RATE // NS_PER_S - 3 * SAMPLE_RATE
    gap = ring.read(end, ring.end_index).n_gap
    assert abs(gap - away) <= SAMPLE_RATE // 20
    newest = ring.read(ring.end_index - SAMPLE_RATE, ring.end_index)
    assert (newest.n_gap, newest.n_missing) == (0, 0)
    assert newest.samples.std() > 0.03


def test_a_driver_that_hangs_is_given_up_and_holds_nothing_up(camera: Bench) -> None:
    camera.device.hang()
    camera.device.n_wanted += 1
    wait_for(lambda: camera.device.n_hanging == 1)
    before = time.monotonic()
    camera.pass_time(15.1)  # 151 looks at it, and not one waits for the driver
    assert time.monotonic() - before < 5.0
    assert camera.state is SenseState.RECONNECTING
    assert camera.stream.count("hung_drivers") == 1
    assert camera.reader.survivors() == ["read-video"]

    camera.device.hangs.clear()  # new calls return, the old one does not
    camera.pass_time(1.3)
    camera.tick_until(lambda: camera.device.n_openings == 2)
    camera.deliver(3)
    assert camera.state is SenseState.OK


def test_a_url_that_is_slow_to_open_is_not_given_up() -> None:
    bench = Bench(Sense.PICTURE, camera="rtsp://camera/slow")
    bench.reader.open()
    bench.deliver(3)
    unplug(bench)
    bench.device.plugged = True
    bench.device.hang()
    bench.pass_time(1.3)
    bench.tick_until(lambda: bench.device.n_hanging == 1)

    bench.pass_time(45)  # a server that answers each step at the last moment
    bench.device.come_to()
    bench.tick_until(lambda: bench.device.n_openings == 2)
    bench.deliver(3)

    assert bench.state is SenseState.OK
    assert bench.stream.count("hung_drivers") == 0
    bench.reader.close()


def test_what_a_given_up_driver_delivers_late_goes_nowhere(camera: Bench) -> None:
    camera.device.hang()
    camera.device.n_wanted += 1
    wait_for(lambda: camera.device.n_hanging == 1)
    camera.pass_time(15.1)
    n_frames = camera.stream.count("frames")

    camera.device.plugged = False
    camera.device.come_to()
    wait_for(lambda: not camera.reader.survivors())

    assert camera.device.n_delivered == camera.device.n_wanted
    assert camera.stream.count("frames") == n_frames
    assert camera.device.n_closings == 1  # it closed what it had opened


def test_attempts_stop_while_too_many_drivers_hang(camera: Bench) -> None:
    camera.device.hang()
    camera.device.n_wanted += 1
    for n_hung in range(1, MAX_GIVEN_UP + 1):
        wait_for(lambda n=n_hung: camera.device.n_hanging == n)
        while camera.stream.count("hung_drivers") < n_hung:
            camera.pass_time(1)
        while camera.stream.count("reconnect_attempts") < n_hung < MAX_GIVEN_UP:
            camera.pass_time(1)
    camera.pass_time(600)

    assert camera.device.n_hanging == MAX_GIVEN_UP
    assert camera.stream.count("reconnect_attempts") == MAX_GIVEN_UP - 1
    camera.device.come_to()
    camera.tick_until(lambda: camera.device.n_openings > 1)


def test_close_does_not_wait_for_a_driver_that_hangs(camera: Bench) -> None:
    camera.device.hang()
    camera.device.n_wanted += 1
    wait_for(lambda: camera.device.n_hanging == 1)
    before = time.monotonic()
    camera.reader.close()

    assert time.monotonic() - before < 5.0
    assert camera.reader.survivors() == ["read-video"]


def test_an_unforeseen_error_is_logged_with_its_trace_and_tried_again(
    camera: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    camera.device.fault = ZeroDivisionError("a driver's")
    camera.tick_until(lambda: camera.state is SenseState.RECONNECTING)

    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info is not None
    camera.device.fault = None
    camera.pass_time(1.3)
    camera.tick_until(lambda: camera.device.n_openings == 2)


def test_nobody_is_blamed_when_the_program_itself_stood_still(camera: Bench) -> None:
    camera.clock.advance(30 * NS_PER_S)  # nobody looked for so long
    camera.reader.tick()
    camera.deliver(1)

    assert camera.state is SenseState.OK
    assert camera.device.n_openings == 1


def test_a_closed_reader_ends_its_thread(camera: Bench) -> None:
    camera.reader.close()

    assert not camera.reader.step()
    assert "read-video" not in {thread.name for thread in threading.enumerate()}
