"""Wakes a thread that waits in ZeroMQ's poll, from any thread."""

from __future__ import annotations

import socket
import threading


class Bell:
    """Wakes a poll from any thread: a connected pair of sockets, one byte a ring."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._lock = threading.Lock()
        self._rung = False

    def fileno(self) -> int:
        """Return what a poll waits for."""
        return self._read.fileno()

    def ring(self) -> None:
        """Wake who waits; any thread."""
        with self._lock:
            if not self._rung and self._write.fileno() != -1:
                self._write.send(b"\0")
                self._rung = True

    def silence(self) -> None:
        """Say that it was heard; only where the poll says so."""
        with self._lock:
            self._read.recv(16)
            self._rung = False

    def close(self) -> None:
        """Let go of the sockets; `ring` does nothing any more."""
        with self._lock:
            self._read.close()
            self._write.close()
