"""Work in a thread that is gone when it is done."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import pytest

from realtime.threads.one_off import OneOffThread, left_behind


def test_what_was_worked_out_comes_back_and_the_thread_is_gone() -> None:
    passing = OneOffThread("load")

    thread = passing.run(threading.current_thread)

    assert thread is not threading.current_thread()
    assert thread.name == "load"
    assert not thread.is_alive()
    assert not passing.alive


def test_what_went_wrong_is_raised_where_it_was_asked_for() -> None:
    def fail() -> None:
        raise ValueError("no such weights")

    with pytest.raises(ValueError, match="no such weights"):
        OneOffThread("load").run(fail)


def test_waiting_ends_at_once_when_a_signal_raises_while_the_work_goes_on() -> None:
    passing, go_on = OneOffThread("load"), threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(143)

    def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        go_on.wait(60)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(SystemExit):
            passing.run(work)
        assert passing.alive
        assert left_behind() == ["load"]
    finally:
        go_on.set()
        signal.signal(signal.SIGTERM, before)
