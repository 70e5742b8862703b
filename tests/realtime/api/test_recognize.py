"""`recognize`: what it tells, and that nothing stays behind; recognition is stood in for."""

from __future__ import annotations

import _thread
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.stand_in import write_video
from quick_recognition import use_quick_recognition
from realtime import recognize
from realtime.errors import SourceError, UsageError
from realtime.packets import Phase

Check = Callable[[], None]
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A tone of three seconds over a dark picture."""
    path = tmp_path / "clip.mp4"
    write_video(path, "Siren", 3.0)
    return path


def n_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def nothing_left() -> Check:
    """Hold a test to leaving neither threads nor descriptors behind."""
    gc.collect()
    threads, n_files = set(threading.enumerate()), n_open_files()

    def check() -> None:
        gc.collect()
        assert set(threading.enumerate()) <= threads
        assert n_open_files() <= n_files

    return check


def test_events_of_a_file_come_once_each(clip: Path) -> None:
    told = [(event.label, event.phase, event.offset_s) for event in recognize(clip)]

    assert told == [("Tone", Phase.ONSET, None)]


def test_offsets_come_with_their_time(clip: Path) -> None:
    (event,) = recognize(clip, phases="offset")

    assert event.phase == "offset"
    assert event.offset_s == pytest.approx(3.0, abs=0.3)
    assert event.source == "clip"
    assert event.latency_ms is None


def test_all_phases_come_in_order(clip: Path) -> None:
    phases = [event.phase for event in recognize(clip, phases="all")]

    assert phases[0] is Phase.ONSET
    assert phases[-1] is Phase.OFFSET
    assert set(phases[1:-1]) == {Phase.UPDATE}


def test_labels_are_chosen_in_any_case(clip: Path) -> None:
    assert [event.label for event in recognize(clip, labels=["tone"])] == ["Tone"]
    assert list(recognize(clip, labels="Flash")) == []


def test_unknown_label_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(UsageError, match="the bundle quick names no event 'Siren'"):
        recognize("no-such-file.mp4", labels=["Siren"])


def test_unknown_phase_is_refused() -> None:
    with pytest.raises(UsageError, match="phases are onset, update, offset, or all; got 'begin'"):
        recognize("demo", phases="begin")


def test_thresholds_are_chosen_by_label(clip: Path) -> None:
    told = {event.label for event in recognize(clip, per_label={"Flash": (0.3, 0.2)})}

    assert told == {"Tone", "Flash"}


def test_threshold_of_an_unknown_label_is_refused() -> None:
    with pytest.raises(UsageError, match="names labels that bundle quick has not: Siren"):
        recognize("demo", per_label={"Siren": (0.5, 0.2)})


def test_several_sources_are_told_by_name(clip: Path) -> None:
    other = clip.with_name("other.mp4")
    other.write_bytes(clip.read_bytes())

    sources = {event.source for event in recognize([clip, other])}

    assert sources == {"clip", "other"}


def test_nothing_stays_when_the_file_ends(clip: Path, nothing_left: Check) -> None:
    for _ in recognize(clip):
        pass
    nothing_left()


def test_nothing_stays_when_the_loop_is_left_early(nothing_left: Check) -> None:
    for _ in recognize("demo", pace=True, loop=True):
        break
    nothing_left()


def test_nothing_stays_when_the_block_is_left(nothing_left: Check) -> None:
    with recognize("demo", pace=True, loop=True) as events:
        next(events)
    nothing_left()
    assert list(events) == []  # it was closed


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_stays_when_the_loop_raises(
    error: type[BaseException], nothing_left: Check
) -> None:
    def loop() -> None:
        for _ in recognize("demo", pace=True, loop=True):
            raise error

    with pytest.raises(error):
        loop()
    nothing_left()


def test_nothing_stays_when_nothing_was_asked(nothing_left: Check) -> None:
    recognize("demo")
    nothing_left()


def test_nothing_stays_when_another_thread_collects_the_garbage(nothing_left: Check) -> None:
    circle: list[object] = [recognize("demo", pace=True, loop=True)]
    next(circle[0])  # type: ignore[call-overload]
    circle.append(circle)
    del circle
    thread = threading.Thread(target=gc.collect, daemon=True)
    thread.start()
    thread.join()
    for closing in [each for each in threading.enumerate() if each.name == "close"]:
        closing.join()
    nothing_left()


def test_nothing_stays_when_it_is_interrupted_while_networks_load(
    monkeypatch: pytest.MonkeyPatch, nothing_left: Check
) -> None:
    def load(*_: object) -> object:
        _thread.interrupt_main()
        time.sleep(0.5)
        raise UsageError("nobody hears this any more")

    monkeypatch.setattr("realtime.pipeline.load_models", load)

    with pytest.raises(KeyboardInterrupt):
        next(recognize("demo"))
    nothing_left()


def test_any_thread_may_iterate(clip: Path) -> None:
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.extend(e.label for e in recognize(clip)))
    thread.start()
    thread.join()

    assert told == ["Tone"]


def test_socket_is_closed_with_the_rest(nothing_left: Check) -> None:
    with recognize("demo", pace=True, loop=True, publish="tcp://127.0.0.1:0") as events:
        next(events)
    nothing_left()


def test_missing_file_is_a_source_error(nothing_left: Check) -> None:
    with pytest.raises(SourceError, match=r"there is no file no-such-file\.mp4"):
        next(recognize("no-such-file.mp4"))
    nothing_left()


def test_missing_file_is_told_where_the_block_begins() -> None:
    with pytest.raises(SourceError, match="no-such-file"), recognize("no-such-file.mp4"):
        pytest.fail("it opened")


def test_slow_loop_loses_nothing_of_a_file(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.api.recognition.CAPACITY", 1)

    phases = [event.phase for event in recognize(clip, phases="all")]

    assert phases[0] is Phase.ONSET
    assert phases[-1] is Phase.OFFSET


def test_closing_does_not_wait_for_a_loop_that_stopped_reading(
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    nothing_left: Check,
) -> None:
    monkeypatch.setattr("realtime.api.recognition.CAPACITY", 1)

    with recognize(clip, phases="all") as events:
        next(events)
    nothing_left()
