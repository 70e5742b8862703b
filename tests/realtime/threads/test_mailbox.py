"""What a mailbox does between threads; `tests/properties` holds it to a list."""

from __future__ import annotations

import threading

import pytest

from realtime.threads.mailbox import Mailbox, Policy, Worth

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


def worth_of(item: str) -> Worth:
    return {"n": Worth.NEWS, "r": Worth.REPORT}.get(item[0], Worth.KEPT)


def drain(mailbox: Mailbox[str]) -> list[str]:
    got = []
    while (item := mailbox.get(0.0)) is not None:
        got.append(item)
    return got


@pytest.mark.parametrize("policy", Policy)
def test_only_the_newest_news_waits_and_none_counts_as_lost(policy: Policy) -> None:
    mailbox: Mailbox[str] = Mailbox(3, policy, worth_of)
    for item in ("n1", "k1", "n2", "n3", "k2", "n4"):
        assert mailbox.put(item, 0.0)

    assert drain(mailbox) == ["k1", "k2", "n4"]
    assert mailbox.n_dropped == 0


def test_what_is_worth_less_goes_first_when_it_is_full() -> None:
    mailbox: Mailbox[str] = Mailbox(3, Policy.DROP_OLDEST, worth_of)
    for item in ("k1", "r1", "n1", "k2", "k3", "r2", "n2", "k4"):
        assert mailbox.put(item)

    assert drain(mailbox) == ["k2", "k3", "k4"]
    assert mailbox.n_dropped == 3  # both reports, and the oldest of what was to be kept


@pytest.mark.parametrize("item", ["n1", "r1"])
def test_what_is_worth_less_pushes_nothing_out(item: str) -> None:
    mailbox: Mailbox[str] = Mailbox(2, Policy.DROP_OLDEST, worth_of)
    for kept in ("k1", "k2", item):
        mailbox.put(kept)

    assert drain(mailbox) == ["k1", "k2"]
