"""`Subscriber` for programs with an event loop: `async for`, and nothing blocks.

    async with AsyncSubscriber(labels=["Siren"]) as subscriber:
        async for message in subscriber:
            await stop_the_robot(message.event())

The socket lives in a thread, for the one that made it must read it. What was read waits in a
bounded queue; while that is full nothing is read, and then libzmq and the publisher bound what
waits, as for a `Subscriber` that is slow: the next message tells of the gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import wait
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from realtime.client.subscriber import DEFAULT_ENDPOINT, POLL_MS, SILENCE_S, Received, Subscriber

if TYPE_CHECKING:
    from typing import Self

QUEUE_MESSAGES = 100
_LOOK_S = 0.1  # while a message waits for room: between two looks whether it is over


class AsyncSubscriber:
    """Receives messages from one publisher in an event loop; see `Subscriber` for the arguments.

    It begins to listen at `async with`, and ends there. It may be used by several tasks; each
    message goes to one of them.

    Args:
        endpoint: Where the recognizer publishes.
        kinds: Which messages to hand out.
        sources: Names of streams; none means all.
        labels: Labels of events; none means all.
        curve: Folder of a client's keys.
        silence_s: After so long without any message a notice is given.
        on_notice: Called in the event loop with a sentence for a gap, a restart, silence or a
            broken message; by default it is logged.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        kinds: Sequence[str] = ("event",),
        *,
        sources: Sequence[str] = (),
        labels: Sequence[str] = (),
        curve: Path | str | None = None,
        silence_s: float = SILENCE_S,
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        self._subscriber = functools.partial(
            Subscriber,
            endpoint,
            kinds,
            sources=sources,
            labels=labels,
            curve=curve,
            silence_s=silence_s,
        )
        self._on_notice = on_notice
        self._stop = threading.Event()
        self._ended = asyncio.Event()
        self._queue: asyncio.Queue[Received] = asyncio.Queue(QUEUE_MESSAGES)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            UsageError: The endpoint or a kind is wrong, or the keys cannot be used.
        """
        loop = asyncio.get_running_loop()
        connected: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(loop, connected), name="subscribe", daemon=True
        )
        self._thread.start()
        try:
            await connected
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def __aiter__(self) -> AsyncIterator[Received]:
        """Hand out messages for ever; break out of the loop to end it.

        Raises:
            UsageError: The publisher cannot name an event by one of `labels`.
        """
        while True:
            message = await self.receive()
            if message is not None:
                yield message

    async def receive(self, timeout_s: float | None = None) -> Received | None:
        """Return the next wanted message, or None after `timeout_s` without one.

        Args:
            timeout_s: None waits for ever.

        Raises:
            UsageError: The publisher cannot name an event by one of `labels`.
            RuntimeError: It is used outside of its `async with`.
        """
        if self._thread is None:
            raise RuntimeError("use it within `async with AsyncSubscriber(…) as subscriber`")
        getting = asyncio.ensure_future(self._queue.get())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait(
                (getting, ending), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if getting.done():
                return getting.result()
        finally:
            for waiting in (getting, ending):
                waiting.cancel()
        if self._ended.is_set():
            raise self._error or RuntimeError("the subscriber was closed")
        return None

    async def _end(self) -> None:
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self, loop: asyncio.AbstractEventLoop, connected: asyncio.Future[None]) -> None:
        """Read until the end; the thread."""

        def call(function: Callable[..., object], *arguments: object) -> None:
            with contextlib.suppress(RuntimeError):  # it was closed without `async with`'s end
                loop.call_soon_threadsafe(function, *arguments)

        on_notice = self._on_notice
        try:
            subscriber = self._subscriber(
                on_notice=None if on_notice is None else lambda told: call(on_notice, told)
            )
        except BaseException as error:  # noqa: BLE001 - the task raises it
            call(_fail, connected, error)
            return
        call(_succeed, connected)
        with subscriber:
            try:
                while not self._stop.is_set():
                    message = subscriber.receive(POLL_MS / 1000)
                    if message is not None:
                        self._hand_over(message, loop)
            except BaseException as error:  # noqa: BLE001 - the task raises it
                self._error = error
                call(self._ended.set)

    def _hand_over(self, message: Received, loop: asyncio.AbstractEventLoop) -> None:
        """Put a message into the queue, and wait until it has room; the thread."""
        putting = self._queue.put(message)
        try:
            placed = asyncio.run_coroutine_threadsafe(putting, loop)
        except RuntimeError:  # the loop was closed without `async with`'s end: nobody takes it
            putting.close()
            self._stop.set()
            return
        while not self._stop.is_set():
            if wait((placed,), _LOOK_S).done:
                return
        placed.cancel()


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
