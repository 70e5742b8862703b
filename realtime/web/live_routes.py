"""The addresses that say what happens now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from realtime.clock import NS_PER_S
from realtime.web.answers import answer
from realtime.web.live import PULSE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from realtime.clock import Clock
    from realtime.web.heard import Heard
    from realtime.web.live import Live

MAX_WATCHERS = 16
MAX_DIGITS = 15  # of a column's number
WATCH_S = 600.0  # then a page asks anew, and is asked for its session
BEAT_S = 10.0  # something is sent so often, or whoever went would not be noticed


class LiveRoutes:
    """Answers from the run."""

    def __init__(self, live: Live, heard: Heard, clock: Clock) -> None:
        self._live = live
        self._heard = heard
        self._clock = clock
        self._n_watchers = 0

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/live", self.now),
            Route("/api/live/stream", self.stream),
            Route("/api/sources/{source}/picture", self.picture),
            Route("/api/sources/{source}/log-mel", self.log_mel),
        ]

    async def now(self, request: Request) -> Response:
        """Return the run as it is."""
        return Response(self._live.text(), media_type="application/json")

    async def stream(self, request: Request) -> Response:
        """Send the run as it is, again and again, as server-sent events."""
        if self._n_watchers >= MAX_WATCHERS:
            raise HTTPException(503, f"{MAX_WATCHERS} pages watch already; close one")
        return StreamingResponse(self._pulses(), media_type="text/event-stream")

    async def picture(self, request: Request) -> Response:
        """Return a stream's newest picture."""
        jpeg = await asyncio.to_thread(self._live.picture, request.path_params["source"])
        if jpeg is None:
            raise HTTPException(404, "there is no picture")
        return Response(jpeg, media_type="image/jpeg")

    async def log_mel(self, request: Request) -> Response:
        """Return what is heard of a stream since a page asked last."""
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= MAX_DIGITS):
            raise HTTPException(400, "after is a whole number")
        source = request.path_params["source"]
        told = await asyncio.to_thread(self._heard.since, source, int(after))
        if told is None:
            raise HTTPException(404, "there is no sound")
        return answer(told)

    async def _pulses(self) -> AsyncIterator[str]:
        self._n_watchers += 1
        try:
            began_ns = sent_ns = self._clock.now_ns()
            last = ""
            while (now_ns := self._clock.now_ns()) - began_ns < WATCH_S * NS_PER_S:
                text = self._live.text()
                if text != last:
                    yield f"data: {text}\n\n"
                    last, sent_ns = text, now_ns
                elif now_ns - sent_ns >= BEAT_S * NS_PER_S:
                    yield ": nothing new\n\n"
                    sent_ns = now_ns
                await asyncio.sleep(PULSE_S)
        finally:
            self._n_watchers -= 1
