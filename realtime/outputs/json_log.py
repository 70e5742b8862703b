"""Event messages as JSON Lines on a text stream: the same objects as on the wire, one a line.

Each line is flushed, so that a program at the other end of a pipe acts at once. When that program
goes away the run ends with one sentence; nothing is printed to a pipe that nobody reads.
"""

from __future__ import annotations

from typing import TextIO

from realtime.errors import OutputError
from realtime.outputs.base import silence
from realtime.outputs.wire import Message


class JsonLog:
    """Writes event messages; see `realtime.outputs.output.Output`.

    Args:
        stream: Where to, for instance stdout; nobody else writes to it.
    """

    name = "log-json"
    kinds = ("event",)  # predictions must not push events out

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def open(self) -> None:
        """Do nothing: the stream is open."""

    def write(self, message: Message) -> None:
        """Write one message.

        Raises:
            OutputError: The reader has gone, or the disk is full.
        """
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

    def close(self) -> None:
        """Do nothing: the stream is its owner's."""
