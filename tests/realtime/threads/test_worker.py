"""The loop around a stage: when it ends, and what becomes of an error."""

from __future__ import annotations

import threading

import pytest

from realtime.threads.worker import Worker

pytestmark = pytest.mark.timeout(60)


def test_steps_are_taken_until_one_says_that_it_was_the_last() -> None:
    left = [True, True, False]
    ends: list[Exception | None] = []
    worker = Worker("count", lambda: left.pop(0), threading.Event(), ends.append)

    worker.start()

    assert worker.join(30.0)
    assert left == []
    assert ends == [None]
    assert worker.n_steps == 2  # that had another one behind them


def test_no_further_step_is_taken_when_stop_is_set() -> None:
    stop = threading.Event()
    n_steps = 0

    def step() -> bool:
        nonlocal n_steps
        n_steps += 1
        stop.set()
        return True

    worker = Worker("stop", step, stop)
    worker.start()

    assert worker.join(30.0)
    assert n_steps == 1


def test_error_is_kept_and_told_once_when_a_step_fails() -> None:
    fault = RuntimeError("broken")
    ends: list[Exception | None] = []

    def step() -> bool:
        raise fault

    worker = Worker("fail", step, threading.Event(), ends.append)
    worker.start()

    assert worker.join(30.0)
    assert worker.error is fault
    assert ends == [fault]


def test_thread_bears_the_workers_name() -> None:
    names: list[str] = []

    def step() -> bool:
        names.append(threading.current_thread().name)
        return False

    worker = Worker("recognize", step, threading.Event())
    worker.start()
    worker.join(30.0)

    assert names == ["recognize"]


def test_join_says_that_it_goes_on_when_a_step_hangs() -> None:
    go_on = threading.Event()
    worker = Worker("hang", lambda: not go_on.wait(30.0), threading.Event())
    worker.start()

    assert not worker.join(0.01)
    assert worker.alive
    go_on.set()
    assert worker.join(30.0)
    assert not worker.alive


def test_join_returns_at_once_when_it_was_never_started() -> None:
    assert Worker("idle", lambda: True, threading.Event()).join(30.0)
