"""The addresses that let somebody in and out."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from realtime.web.answers import answer, asked
from realtime.web.guard import token_of
from realtime.web.sessions import IDLE_NS, LogInRate, Sessions

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from realtime.clock import Clock
    from realtime.web.passwords import PasswordHash

IDLE_S = IDLE_NS // 1_000_000_000


class LogInRoutes:
    """Compares passwords, one at a time in a thread of its own.

    Args:
        password: What is known of it.
        sessions: Who is in.
        cookie: The name of the session's cookie.
        clock: The run's.
    """

    def __init__(
        self, password: PasswordHash, sessions: Sessions, cookie: str, clock: Clock
    ) -> None:
        self._password = password
        self._sessions = sessions
        self._cookie = cookie
        self._rate = LogInRate(clock)
        self._thread = ThreadPoolExecutor(1, "web-password")

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/log-in", self.log_in, methods=["POST"]),
            Route("/api/log-out", self.log_out, methods=["POST"]),
        ]

    async def log_in(self, request: Request) -> Response:
        """Let somebody in who knows the password."""
        said = (await asked(request)).get("password")
        if not isinstance(said, str):
            raise HTTPException(400, "send a password")
        address = "" if request.client is None else request.client.host
        wait_s = self._rate.wait_s(address)
        if wait_s > 0:
            wait = str(math.ceil(wait_s))
            raise HTTPException(
                429, f"too many tries; wait {wait} s", headers={"retry-after": wait}
            )
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._thread, self._password.fits, said):
            raise HTTPException(403, "that is not the password")
        self._rate.forgive(address)
        response = answer({"in": True})
        response.set_cookie(
            self._cookie, self._sessions.begin(), max_age=IDLE_S, httponly=True, samesite="strict"
        )
        return response

    async def log_out(self, request: Request) -> Response:
        """Take back the token of whoever asks."""
        await asked(request)
        self._sessions.end(token_of(request, self._cookie))
        response = answer({"in": False})
        response.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return response

    def close(self) -> None:
        """Wait for nobody."""
        self._thread.shutdown(wait=False, cancel_futures=True)
