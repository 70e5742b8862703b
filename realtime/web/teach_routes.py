"""The addresses that teach from what was reviewed, and say how it goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from realtime.web.answers import answer, asked
from weights.printable import clean

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from realtime.web.teacher import Teacher

MAX_LABEL = 200
MAX_EVENTS, MAX_ID = 40, 150  # a body has 8 KB


class TeachRoutes:
    """Answers for a teacher.

    Args:
        teacher: None where no history is kept.
    """

    def __init__(self, teacher: Teacher | None) -> None:
        self._teacher = teacher

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/teaching", self.told),
            Route("/api/teaching", self.begin, methods=["POST"]),
            Route("/api/teaching", self.undo, methods=["DELETE"]),
        ]

    async def told(self, request: Request) -> Response:
        """Return how it goes."""
        return answer(await asyncio.to_thread(self._there().told))

    async def begin(self, request: Request) -> Response:
        """Teach a label from the events named, or all that was reviewed."""
        said = await asked(request)
        label, events = said.get("label"), said.get("events", [])
        if set(said) - {"label", "events"} or not _are_ids(events) or not _is_label(label):
            raise HTTPException(400, "send a label and its events, or neither")
        if (label is None) != (not events):
            raise HTTPException(400, "a label goes with the events that show it")
        return self._begun(self._there().begin(label, events))

    async def undo(self, request: Request) -> Response:
        """Go back to the bundle before."""
        return self._begun(self._there().undo())

    def _begun(self, has_begun: bool) -> Response:
        if not has_begun:
            raise HTTPException(409, "something is being taught already; wait until it is done")
        return answer({"begun": True}, 202)

    def _there(self) -> Teacher:
        if self._teacher is None:
            raise HTTPException(404, "no history is kept; start with --history FILE or --record")
        return self._teacher


def _is_label(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, str) and 0 < len(value.strip()) <= MAX_LABEL and clean(value) == value


def _are_ids(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_EVENTS
        and all(isinstance(each, str) and 0 < len(each) <= MAX_ID for each in value)
    )
