import threading

from realtime.buffers.signal import DataSignal


def test_wait_returns_at_once_when_a_notice_came_before_it() -> None:
    signal = DataSignal()
    seen = signal.count
    signal.notify()

    assert signal.wait(seen, timeout_s=60.0) == seen + 1


def test_wait_returns_the_same_count_when_nothing_comes() -> None:
    signal = DataSignal()

    assert signal.wait(0, timeout_s=0.001) == 0


def test_wait_wakes_when_another_thread_notifies() -> None:
    signal = DataSignal()
    counts: list[int] = []
    waiter = threading.Thread(target=lambda: counts.append(signal.wait(0, timeout_s=60.0)))
    waiter.start()

    signal.notify()
    waiter.join(10.0)

    assert counts == [1]
