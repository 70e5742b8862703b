"""Tells a service manager how the run is doing: systemd's notification protocol, sd_notify(3).

READY=1 once the stream has begun, WATCHDOG=1 as long as recognition and publishing take steps,
STOPPING=1 at the end. A thread that hangs stops the WATCHDOG messages, so that systemd, which was
told `WatchdogSec=`, starts the service anew. Without a service manager a hanging thread is a
warning. All of it runs in the main thread; nothing here waits.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

from realtime.clock import NS_PER_S, Clock

logger = logging.getLogger(__name__)

PATIENCE_S = 10.0  # without a step, where nobody says how long is too long
_US_PER_S = 1_000_000


class ServiceManager:
    """Where notifications go; nowhere without an address. Main thread only.

    Args:
        address: A Unix datagram socket; `@` in front means Linux's abstract names.
        watchdog_s: What systemd waits for a WATCHDOG message; None if it does not.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._socket: socket.socket | None = None
        if not address:
            return
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._is_failing = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ServiceManager:
        """Return the one that started this process, if any; called at the command line."""
        address = environment.get("NOTIFY_SOCKET")
        is_meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        interval = environment.get("WATCHDOG_USEC", "")
        if not (address and is_meant and interval.isascii() and interval.isdigit()):
            return cls(address)
        return cls(address, int(interval) / _US_PER_S or None)

    def ready(self) -> None:
        """Say that the stream has begun."""
        self._notify("READY=1")

    def alive(self) -> None:
        """Say that all is well."""
        self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._notify("STOPPING=1")

    def close(self) -> None:
        """Say nothing more. May be called again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _notify(self, state: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(state.encode(), self._address)
        except OSError as error:
            if not self._is_failing:
                logger.warning("the service manager cannot be told %s (%s)", state, error.strerror)
            self._is_failing = True
        else:
            self._is_failing = False


class Watchdog:
    """Watches that threads take steps, and says so to the service manager. Main thread only.

    Args:
        service: Whom to tell, several times within its `watchdog_s`.
        clock: The run's clock.
    """

    def __init__(self, service: ServiceManager, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        patience_s = PATIENCE_S if service.watchdog_s is None else service.watchdog_s / 2
        self._patience_ns = int(patience_s * NS_PER_S)
        self._seen: dict[str, tuple[int, int]] = {}  # steps, and when they became so many
        self._stalled: frozenset[str] = frozenset()
        self._due_ns: int | None = None

    def watch(self, n_steps: Mapping[str, int]) -> None:
        """Take note of how many steps each thread has taken; call it a few times a second."""
        now_ns = self._clock.now_ns()
        for name, n in n_steps.items():
            if name not in self._seen or self._seen[name][0] != n:
                self._seen[name] = (n, now_ns)
        stalled = frozenset(
            name for name in n_steps if now_ns - self._seen[name][1] >= self._patience_ns
        )
        for name in sorted(stalled - self._stalled):
            seconds = self._patience_ns / NS_PER_S
            logger.warning("%s hangs: no step for %g s", name, seconds, extra={"subject": name})
        for name in sorted(self._stalled - stalled):
            logger.info("%s goes on", name, extra={"subject": name})
        self._stalled = stalled
        if not stalled and (self._due_ns is None or now_ns >= self._due_ns):
            self._service.alive()
            self._due_ns = now_ns + self._patience_ns // 2
