"""Event messages as JSON Lines on a text stream: the same objects as on the wire, one a line.

Each line is flushed, so that a program at the other end of a pipe acts at once. When that program
goes away the run ends with one sentence; nothing is printed to a pipe that nobody reads.
"""

from __future__ import annotations

from typing import TextIO

from realtime.errors import OutputError
from realtime.mailbox import Mailbox
from realtime.outputs.base import silence
from realtime.outputs.wire import Message
from realtime.stats import Stats

WAIT_S = 0.1


class JsonLog:
    """Writes the event messages of a mailbox; its thread is the only one that writes to `stream`.

    Args:
        stream: Where to, for instance stdout.
        mailbox: Messages of all kinds; those that are no events are passed over.
        stats: Gets `dropped_messages`: what the mailbox lost to a reader that is too slow.
    """

    def __init__(
        self, stream: TextIO, mailbox: Mailbox[Message], stats: Stats | None = None
    ) -> None:
        self._stream = stream
        self._mailbox = mailbox
        self._stats = stats
        self._n_dropped = 0

    def step(self) -> bool:
        """Write the next message, or wait 0.1 s for one.

        Returns:
            Whether there is more to come: False once the mailbox is closed and empty.

        Raises:
            OutputError: The reader has gone, or the disk is full.
        """
        message = self._mailbox.get(WAIT_S)
        if message is not None:
            self.write(message)
        n_dropped = self._mailbox.n_dropped
        if self._stats is not None and n_dropped > self._n_dropped:
            self._stats.count("dropped_messages", n_dropped - self._n_dropped)
        self._n_dropped = n_dropped
        return not self._mailbox.closed

    def write(self, message: Message) -> None:
        """Write one message if it is an event; raises OutputError as `step` does."""
        if message.body["type"] != "event":
            return
        try:
            # As bytes where there are any: a terminal's encoding must not change the JSON.
            binary = getattr(self._stream, "buffer", None)
            if binary is None:
                self._stream.write(message.payload().decode() + "\n")
            else:
                binary.write(message.payload() + b"\n")
            self._stream.flush()
        except BrokenPipeError as error:
            silence(self._stream)
            raise OutputError("the program that read the JSON lines has gone") from error
        except OSError as error:
            silence(self._stream)
            raise OutputError(f"cannot write the JSON lines: {error.strerror}") from error
