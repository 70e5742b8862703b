"""What a mailbox does between threads; `tests/properties` holds it to a list."""

from __future__ import annotations

import threading

import pytest

from realtime.mailbox import Mailbox, Policy

pytestmark = pytest.mark.timeout(60)

N_ITEMS = 2000


@pytest.mark.parametrize("policy", list(Policy))
def test_each_item_arrives_once_and_in_order_or_is_counted_when_two_threads_race(
    policy: Policy,
) -> None:
    mailbox: Mailbox[int] = Mailbox(4, policy)

    def put_all() -> None:
        for item in range(N_ITEMS):
            assert mailbox.put(item, 30.0)
        mailbox.close()

    producer = threading.Thread(target=put_all)
    producer.start()
    got = []
    while not mailbox.closed:
        item = mailbox.get(30.0)
        if item is not None:
            got.append(item)
    producer.join(30.0)

    assert got == sorted(set(got))
    assert len(got) + mailbox.n_dropped == N_ITEMS
    assert policy is Policy.DROP_OLDEST or mailbox.n_dropped == 0


def test_put_goes_on_when_a_place_becomes_free() -> None:
    mailbox: Mailbox[int] = Mailbox(1, Policy.WAIT)
    mailbox.put(1)
    taken: list[bool] = []
    producer = threading.Thread(target=lambda: taken.append(mailbox.put(2, 30.0)))
    producer.start()

    assert mailbox.get(1.0) == 1
    producer.join(30.0)

    assert taken == [True]
    assert mailbox.get(0.0) == 2


@pytest.mark.parametrize("full", [True, False])
def test_close_wakes_whoever_waits(full: bool) -> None:
    mailbox: Mailbox[int] = Mailbox(1, Policy.WAIT)
    if full:
        mailbox.put(1)
    said: list[object] = []

    def wait() -> None:
        said.append(mailbox.put(2, 30.0) if full else mailbox.get(30.0))

    waiter = threading.Thread(target=wait)
    waiter.start()
    mailbox.close()
    waiter.join(30.0)

    assert said == [False if full else None]


def test_consumer_is_woken_when_something_comes_and_at_the_close() -> None:
    mailbox: Mailbox[int] = Mailbox(1, Policy.DROP_OLDEST)
    seen: list[int] = []
    mailbox.wake_with(lambda: seen.append(len(mailbox)))

    mailbox.put(1)
    mailbox.close()

    assert seen == [1, 1]


def test_capacity_is_refused_when_nothing_would_fit() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Mailbox(0, Policy.WAIT)
