"""The addresses that ask what happened and take what somebody says of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from realtime.errors import UsageError
from realtime.outputs.history.reader import Verdict, Wanted
from realtime.web.answers import answer, asked
from realtime.web.past import BIN_MS
from weights.printable import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.datastructures import QueryParams
    from starlette.requests import Request

    from realtime.web.past import Past

PAGE_EVENTS, MAX_PAGE_EVENTS = 50, 200
MAX_NAMES = 64  # labels or streams in one question
MAX_TEXT = 300  # characters of a label, a stream or an id
MAX_MS = 10**14  # the year 5138
VERDICTS: dict[object, Verdict] = {"right": "right", "wrong": "wrong", "other": "other"}


class PastRoutes:
    """Answers from a history.

    Args:
        past: The history; None where none is kept.
        known_labels: Returns what the bundle in use knows, for whoever corrects.
    """

    def __init__(self, past: Past | None, known_labels: Callable[[], Sequence[str]]) -> None:
        self._past = past
        self._known_labels = known_labels

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/api/events/{event}"
        return [
            Route("/api/events", self.events),
            Route("/api/names", self.names),
            Route("/api/time-line", self.time_line),
            Route(one, self.event),
            Route(f"{one}/clip", self.clip),
            Route(f"{one}/explanation", self.explanation),
            Route(f"{one}/film", self.film),
            Route(f"{one}/verdict", self.say, methods=["POST"]),
            Route(f"{one}/verdict", self.take_back, methods=["DELETE"]),
        ]

    async def events(self, request: Request) -> Response:
        """Return a page of events."""
        return answer(await self._history().page(wanted(request.query_params)))

    async def names(self, request: Request) -> Response:
        """Return what may be filtered by, and what an event may have been."""
        labels, sources = await self._history().names()
        return answer({"labels": labels, "sources": sources, "known": list(self._known_labels())})

    async def time_line(self, request: Request) -> Response:
        """Return a day by label."""
        until_ms = _number(request.query_params, "until", MAX_MS)
        if until_ms is None:  # events are dated by the wall clock, as it is set now
            until_ms = -(-round(time.time() * 1000) // BIN_MS) * BIN_MS  # the quarter that goes on
        return answer(await self._history().time_line(until_ms))

    async def event(self, request: Request) -> Response:
        """Return one event."""
        event = await self._history().event(_event(request))
        if event is None:
            raise HTTPException(404, "there is no such event")
        return answer(event)

    async def clip(self, request: Request) -> Response:
        """Return an event's clip, or a part of it."""
        path = await self._history().clip(_event(request))
        if path is None:
            raise HTTPException(404, "this event has no clip, or it is still being recorded")
        return FileResponse(path, media_type="video/mp4")

    async def explanation(self, request: Request) -> Response:
        """Return why an event was told: what the view draws."""
        event = _event(request)
        address = f"/api/events/{quote(event, safe='')}/film"
        told = await self._history().explanation(event, address)
        if told is None:
            raise HTTPException(404, "there is no such event")
        return answer(told)

    async def film(self, request: Request) -> Response:
        """Return the pictures of an event's clip in one strip."""
        jpeg = await self._history().film(_event(request))
        if jpeg is None:
            raise HTTPException(404, "this event has no pictures")
        return Response(jpeg, media_type="image/jpeg")

    async def say(self, request: Request) -> Response:
        """Take what somebody says of an event."""
        said = await asked(request)
        verdict, label = VERDICTS.get(_text(said.get("verdict"))), said.get("label")
        if verdict is None or (label is not None and not _is_name(label)):
            raise HTTPException(400, "a verdict is right, wrong, or other with a label")
        try:
            await self._history().say(_event(request), verdict, label)
        except UsageError as error:
            raise HTTPException(400, str(error)) from error
        return answer({"verdict": verdict, "corrected": label})

    async def take_back(self, request: Request) -> Response:
        """Take the newest word on an event back."""
        try:
            was_there = await self._history().take_back(_event(request))
        except UsageError as error:
            raise HTTPException(400, str(error)) from error
        return answer({"taken_back": was_there})

    def _history(self) -> Past:
        if self._past is None:
            raise HTTPException(404, "no history is kept; start with --history FILE or --record")
        return self._past


def wanted(query: QueryParams) -> Wanted:
    """Return which events a question is about; raises HTTPException where nobody can tell."""
    unknown = set(query) - {
        "label", "source", "since", "until", "confidence", "reviewed", "before", "limit"
    }  # fmt: skip
    if unknown:
        raise HTTPException(400, "there is no such filter")
    reviewed = query.get("reviewed")
    if reviewed not in (None, "0", "1"):
        raise HTTPException(400, "reviewed is 0 or 1")
    before = query.get("before")
    if before is not None and len(before) > MAX_TEXT:
        raise HTTPException(400, "before is an event's id")
    try:
        confidence = float(query.get("confidence", "0"))
    except ValueError:
        confidence = -1.0
    if not 0.0 <= confidence <= 1.0:
        raise HTTPException(400, "confidence is from 0 to 1")
    return Wanted(
        labels=_names(query, "label"),
        sources=_names(query, "source"),
        since_ms=_number(query, "since", MAX_MS),
        until_ms=_number(query, "until", MAX_MS),
        least_confidence=confidence,
        reviewed=None if reviewed is None else reviewed == "1",
        before=before,
        limit=_number(query, "limit", MAX_PAGE_EVENTS) or PAGE_EVENTS,
    )


def _event(request: Request) -> str:
    event: str = request.path_params["event"]
    if len(event) > MAX_TEXT:
        raise HTTPException(404, "there is no such event")
    return event


def _names(query: QueryParams, key: str) -> tuple[str, ...]:
    names = query.getlist(key)
    if len(names) > MAX_NAMES or any(len(name) > MAX_TEXT for name in names):
        raise HTTPException(400, f"too much to look for in {key}")
    return tuple(names)


def _number(query: QueryParams, key: str, largest: int) -> int | None:
    text = query.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(largest))):
        raise HTTPException(400, f"{key} is a whole number")
    number = int(text)
    if number > largest:
        raise HTTPException(400, f"{key} is {largest} at most")
    return number


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= MAX_TEXT and clean(value) == value
