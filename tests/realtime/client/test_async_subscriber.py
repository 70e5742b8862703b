"""The subscriber of programs with an event loop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from client_publisher import WAIT_S, Publisher
from realtime import AsyncSubscriber
from realtime.client import async_subscriber
from realtime.client.subscriber import Received
from realtime.errors import UsageError

pytestmark = pytest.mark.timeout(60)


def test_messages_come_in_order_and_the_loop_goes_on_meanwhile(publisher: Publisher) -> None:
    async def listen() -> tuple[list[object], int]:
        n_ticks = 0

        async def tick() -> None:
            nonlocal n_ticks
            while True:
                n_ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        heard = []
        async with AsyncSubscriber(publisher.endpoint) as subscriber:
            await asyncio.to_thread(publisher.wait_for_subscription)
            await asyncio.sleep(0.05)
            for number in range(1, 6):
                publisher.send("event/door/", label="Siren", topic_seq=number)
            async for message in subscriber:
                heard.append(message.body["topic_seq"])
                if len(heard) == 5:
                    break
        ticking.cancel()
        return heard, n_ticks

    heard, n_ticks = asyncio.run(listen())

    assert heard == [1, 2, 3, 4, 5]
    assert n_ticks > 5


def test_nothing_within_the_time_is_none(publisher: Publisher) -> None:
    async def listen() -> Received | None:
        async with AsyncSubscriber(publisher.endpoint) as subscriber:
            return await subscriber.receive(0.05)

    assert asyncio.run(listen()) is None


def test_gap_is_told_in_the_loop(publisher: Publisher) -> None:
    async def listen() -> list[tuple[str, bool]]:
        loop = asyncio.get_running_loop()
        told = []

        def note(sentence: str) -> None:
            told.append((sentence, asyncio.get_running_loop() is loop))

        async with AsyncSubscriber(publisher.endpoint, on_notice=note) as subscriber:
            await asyncio.to_thread(publisher.wait_for_subscription)
            for number in (1, 4):
                publisher.send("event/door/", label="Siren", topic_seq=number)
                assert await subscriber.receive(WAIT_S) is not None
        return told

    assert asyncio.run(listen()) == [("2 messages of event/door/ lost", True)]


def test_wrong_endpoint_is_raised_where_it_is_entered() -> None:
    async def listen() -> None:
        async with AsyncSubscriber("tcp://nowhere"):
            pass

    with pytest.raises(UsageError, match="cannot connect"):
        asyncio.run(listen())


def test_label_that_the_publisher_cannot_name_is_raised(publisher: Publisher) -> None:
    async def listen() -> None:
        async with AsyncSubscriber(publisher.endpoint, labels=["Sirne"]) as subscriber:
            await asyncio.to_thread(publisher.wait_for_subscription)
            publisher.send("status/door/", labels=["Siren"])
            await subscriber.receive(WAIT_S)

    with pytest.raises(UsageError, match="Siren"):
        asyncio.run(listen())


def test_slow_task_keeps_a_bounded_queue(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_subscriber, "QUEUE_MESSAGES", 3)

    async def listen() -> tuple[int, list[object]]:
        async with AsyncSubscriber(publisher.endpoint) as subscriber:
            await asyncio.to_thread(publisher.wait_for_subscription)
            for number in range(1, 11):
                publisher.send("event/door/", label="Siren", topic_seq=number)
            await asyncio.sleep(0.5)
            n_waiting = subscriber._queue.qsize()
            heard = []
            while len(heard) < 10:
                message = await subscriber.receive(WAIT_S)
                assert message is not None
                heard.append(message.body["topic_seq"])
        return n_waiting, heard

    n_waiting, heard = asyncio.run(listen())

    assert n_waiting == 3
    assert heard == list(range(1, 11))


def test_it_ends_while_a_message_waits_for_room(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_subscriber, "QUEUE_MESSAGES", 1)

    async def listen() -> tuple[AsyncSubscriber, set[asyncio.Task[object]]]:
        async with AsyncSubscriber(publisher.endpoint) as subscriber:
            await asyncio.to_thread(publisher.wait_for_subscription)
            for number in range(1, 4):
                publisher.send("event/door/", label="Siren", topic_seq=number)
            while len(asyncio.all_tasks()) < 2:  # the one that puts
                await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        return subscriber, asyncio.all_tasks() - {asyncio.current_task()}

    subscriber, left = asyncio.run(listen())

    assert subscriber._thread is not None
    assert not subscriber._thread.is_alive()
    assert not left


def test_task_that_is_cancelled_closes_it(publisher: Publisher) -> None:
    async def listen() -> AsyncSubscriber:
        subscriber = AsyncSubscriber(publisher.endpoint)

        async def wait() -> None:
            async with subscriber:
                async for _ in subscriber:
                    pass

        task = asyncio.create_task(wait())
        await asyncio.to_thread(publisher.wait_for_subscription)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return subscriber

    subscriber = asyncio.run(listen())

    assert subscriber._thread is not None
    assert not subscriber._thread.is_alive()


def test_outside_of_its_block_it_is_a_mistake() -> None:
    async def listen() -> None:
        await AsyncSubscriber().receive()

    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(listen())


@pytest.mark.parametrize(
    ("sent", "lag_s"),
    [({"utc": "2026-01-02T03:04:05.000Z"}, 1.5), ({"utc": "never"}, None), ({}, None), (3, None)],
)
def test_lag_is_from_when_a_message_was_made(sent: object, lag_s: float | None) -> None:
    received = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=1.5)
    message = Received(topic="t", body={"sent": sent}, is_replay=False, received_utc=received)

    assert message.lag_s == lag_s
