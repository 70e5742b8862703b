"""Work in a thread that is gone when it is done."""

from __future__ import annotations

import threading

import pytest

from realtime.passing_thread import in_passing_thread


def test_what_was_worked_out_comes_back_and_the_thread_is_gone() -> None:
    thread = in_passing_thread(threading.current_thread)

    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_what_went_wrong_is_raised_where_it_was_asked_for() -> None:
    def fail() -> None:
        raise ValueError("no such weights")

    with pytest.raises(ValueError, match="no such weights"):
        in_passing_thread(fail)
