"""The page's thread: one loop of its own, bounded connections, an end within a run's deadline.

It binds in the main thread, so that a taken port is said at once, and serves in `web`. Whoever
says nothing is hung up on, and there are only so many at once: an idle crowd may keep others off
the page, and takes nothing from the run.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from realtime.addresses import split_address
from realtime.clock import Clock
from realtime.config import WebConfig
from realtime.errors import OutputError
from realtime.outputs.base import DashboardSnapshot
from realtime.packets import GridFrame
from realtime.swap_state import SwapState
from realtime.threads.worker import Worker
from realtime.web.app import WebApp
from realtime.web.guard import Hosts
from realtime.web.heard import Heard, NewestSound
from realtime.web.live import Live
from realtime.web.passwords import read_password
from realtime.web.past import Past
from realtime.web.teacher import Teacher

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 64
SILENT_S = 5.0  # who has not asked whole by then is hung up on
MAX_HEAD_BYTES = 16_384


class WebPage:
    """Serves the page from `open` to `close`; main thread only.

    Args:
        config: Where, for whom.
        view: Returns the run's snapshot, None before it is open; called in the web thread.
        newest_frame: Returns a stream's newest picture by the stream's name; likewise.
        newest_sound: Returns a stream's sound from a sample index on; likewise.
        history: The database of what happened; None where none is kept.
        recordings: The folder that clips lie in; None where nothing is recorded.
        known_labels: Returns what an event may have been, beside what the history has.
        bundle: The run's, as `--bundle` names it.
        bundle_state: Returns which one is in use now.
        take_bundle: Has the run go on with another one.
        clock: The run's.

    Raises:
        UsageError: The password file cannot be used.
    """

    def __init__(
        self,
        config: WebConfig,
        *,
        view: Callable[[], DashboardSnapshot | None],
        newest_frame: Callable[[str], GridFrame | None],
        newest_sound: Callable[[str, int], NewestSound | None],
        history: Path | None,
        recordings: Path | None,
        known_labels: Callable[[], Sequence[str]],
        bundle: str,
        bundle_state: Callable[[], SwapState],
        take_bundle: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._host, self._port = split_address(config.bind, "--web")
        self._hosts = Hosts(self._host, config.hosts)
        file = config.password_file
        self._password = None if file is None else read_password(Path(file))
        self._live = Live(view, newest_frame, clock)
        self._heard = Heard(newest_sound)
        self._past = None if history is None else Past(history, recordings)
        self._known_labels = known_labels
        self._teacher: Teacher | None = None
        if history is not None:
            self._teacher = Teacher(
                history, recordings, bundle, state=bundle_state, take=take_bundle
            )
        self._clock = clock
        self._app: WebApp | None = None
        self._server: _Server | None = None
        self._worker: Worker | None = None

    def open(self) -> int:
        """Begin to serve; return the port.

        Raises:
            OutputError: The address is taken or cannot be used.
        """
        bound = self._bind()
        port = int(bound.getsockname()[1])
        self._app = WebApp(
            live=self._live,
            heard=self._heard,
            past=self._past,
            known_labels=self._known_labels,
            teacher=self._teacher,
            hosts=self._hosts,
            password=self._password,
            cookie=f"mafnet_{port}",  # browsers do not tell the ports of a host apart
            clock=self._clock,
        )
        config = uvicorn.Config(
            self._app.guarded,
            loop="asyncio",
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # what somebody sent is no event; our own faults the app logs
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=round(SILENT_S),
            timeout_graceful_shutdown=1,
        )
        self._server = server = _Server(config)

        def serve() -> bool:
            with bound:
                server.run(sockets=[bound])
            return False

        self._worker = Worker("web", serve, threading.Event(), _ended)
        self._worker.start()
        return port

    def end(self) -> None:
        """Have the thread hang up on everybody and end; wait for nothing."""
        if self._server is not None:
            self._server.should_exit = True

    def close(self, timeout_s: float) -> bool:
        """End; return whether the thread has ended. May be called again."""
        self.end()
        if self._teacher is not None:
            self._teacher.close()
        has_ended = self._worker is None or self._worker.join(timeout_s)
        if self._app is not None:
            self._app.close()
        return has_ended

    def _bind(self) -> socket.socket:
        where = f"{self._host}:{self._port}"
        try:
            found = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            bound = socket.socket(found[0][0], socket.SOCK_STREAM)
        except OSError as error:
            raise OutputError(f"no page on {where} ({error.strerror})") from error
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(found[0][4])
            bound.listen(MAX_CONNECTIONS)
        except OSError as error:
            bound.close()
            if error.errno == errno.EADDRINUSE:
                raise OutputError(
                    f"{where} is taken by another program; choose another port with --web"
                ) from error
            raise OutputError(f"no page on {where} ({error.strerror})") from error
        return bound


def _ended(error: Exception | None) -> None:
    """Say that the page is gone for a fault of ours; the run goes on without it."""
    if error is not None:
        logger.error("the page is served no more, the run goes on", exc_info=error)


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End now: a page that watches, or a film that stands still, would go on for ever."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """One connection, with a deadline for what it asks."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._expect()  # not anew: each further byte does not put it off
        else:
            self._expect_nothing()

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(SILENT_S, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
