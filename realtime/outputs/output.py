"""What an output is: something that takes messages, in a thread of its own.

Place in the flow: a run's messages → a bounded mailbox → `OutputLoop` → the output. A slow output
of a live run loses its oldest messages, counted; a file's run waits for it. docs/guide/extending.md
writes one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox

WAIT_S = 0.1
KINDS = ("event", "prediction", "status")  # what a run's streams say


class Output(Protocol):
    """Takes messages; its own thread calls `write` and `close`.

    Attributes:
        name: The thread's; no other output of the run has it.
        kinds: Of `event`, `prediction` and `status`: which messages it gets.
    """

    @property
    def name(self) -> str:
        """The thread's name."""
        ...

    @property
    def kinds(self) -> Collection[str]:
        """Which messages it gets."""
        ...

    def open(self) -> None:
        """Open what is written to, before the run begins; in the main thread.

        Raises:
            OutputError: It cannot be opened.
        """
        ...

    def write(self, message: Message) -> None:
        """Write one message. What it raises ends the run.

        Raises:
            OutputError: It cannot be written any more.
        """
        ...

    def close(self) -> None:
        """Let go of everything, once the last message is written. May be called again."""
        ...


@runtime_checkable
class Ticking(Protocol):
    """An output that has something to do by time, whatever is said."""

    def tick(self) -> None:
        """Do what is due. Called after each message and, without one, every 0.1 s."""
        ...


@runtime_checkable
class Concluding(Protocol):
    """An output that has a last thing to do once all threads of the run have ended."""

    def conclude(self) -> None:
        """Do it; in the main thread, after `close` and after the recorders."""
        ...


class OutputLoop:
    """The steps of an output's thread.

    Args:
        output: Open.
        mailbox: Its messages.
        stats: Gets `dropped_messages`: what the mailbox lost to an output that is too slow.
    """

    def __init__(self, output: Output, mailbox: Mailbox[Message], stats: Stats) -> None:
        self._output = output
        self._mailbox = mailbox
        self._stats = stats
        self._n_dropped = 0

    def step(self) -> bool:
        """Write the next message, or wait 0.1 s for one.

        Returns:
            Whether there is more to come: False once the mailbox is closed and empty.
        """
        message = self._mailbox.get(WAIT_S)
        if message is not None:
            self._output.write(message)
        if isinstance(self._output, Ticking):
            self._output.tick()
        n_dropped = self._mailbox.n_dropped
        if n_dropped > self._n_dropped:
            self._stats.count("dropped_messages", n_dropped - self._n_dropped)
        self._n_dropped = n_dropped
        return not self._mailbox.closed
