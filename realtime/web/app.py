"""Joins the page's parts to one ASGI application, the guard in front; it opens no socket."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from realtime.errors import OutputError
from realtime.outputs.explain.page import STATIC as VIEW
from realtime.web.answers import answer, fault
from realtime.web.guard import LOG_IN, Guard, token_of
from realtime.web.live_routes import LiveRoutes
from realtime.web.log_in_routes import LogInRoutes
from realtime.web.past_routes import PastRoutes
from realtime.web.sessions import Sessions
from realtime.web.teach_routes import TeachRoutes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from realtime.clock import Clock
    from realtime.web.guard import Hosts
    from realtime.web.heard import Heard
    from realtime.web.live import Live
    from realtime.web.passwords import PasswordHash
    from realtime.web.past import Past
    from realtime.web.teacher import Teacher

logger = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")
FRAME = "frame.html"  # around what each page has of its own; `NAME.js` is its script
FRAMED = {"/": "live", "/events": "events", "/review": "review"}
LOG_IN_PAGE = "log_in.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# What somebody sees who has not logged in: it holds nothing of what happened.
OPEN_FILES = ("style.css", "log_in.js", "page.js", "icon.svg")


class WebApp:
    """The page; its routes are the web thread's.

    Args:
        live: What happens now.
        heard: What is heard now.
        past: What happened; None where no history is kept.
        known_labels: Returns what the bundle in use knows.
        teacher: Teaches from the history; None where none is kept.
        hosts: Names that may be asked for.
        password: Whoever wants in must know it; None lets everybody in.
        cookie: The name of the session's cookie.
        clock: The run's.

    Attributes:
        guarded: The application, the guard in front.
    """

    def __init__(
        self,
        *,
        live: Live,
        heard: Heard,
        past: Past | None,
        known_labels: Callable[[], Sequence[str]],
        teacher: Teacher | None = None,
        hosts: Hosts,
        password: PasswordHash | None,
        cookie: str,
        clock: Clock,
    ) -> None:
        self._sessions = sessions = None if password is None else Sessions(clock)
        self._cookie = cookie
        self._past = past
        self._log_in: LogInRoutes | None = None
        routes = [
            *LiveRoutes(live, heard, clock).routes(),
            *PastRoutes(past, known_labels).routes(),
            *TeachRoutes(teacher).routes(),
            *_static_routes(with_log_in=password is not None),
            Route("/api/session", self._session),
        ]
        open_paths = {f"/{name}" for name in OPEN_FILES}
        if password is not None and sessions is not None:
            self._log_in = LogInRoutes(password, sessions, cookie, clock)
            routes += self._log_in.routes()
            open_paths |= {LOG_IN, "/api/log-in", "/api/session"}
        app = Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: _refuse,
                OutputError: _say_what_failed,
                Exception: _say_that_we_erred,
            },
        )
        app.router.redirect_slashes = False
        self.guarded = Guard(
            app, hosts=hosts, sessions=sessions, cookie=cookie, open_paths=open_paths
        )

    async def _session(self, request: Request) -> Response:
        """Return whether there is a password, and whether whoever asks is in."""
        sessions = self._sessions
        is_in = sessions is None or sessions.holds(token_of(request, self._cookie))
        return answer({"password": sessions is not None, "in": is_in})

    def close(self) -> None:
        """Let the threads go."""
        if self._past is not None:
            self._past.close()
        if self._log_in is not None:
            self._log_in.close()


def _static_routes(*, with_log_in: bool) -> list[Route]:
    """Return a route for each file, read now: no request's path is ever looked for on a disk."""
    files = [path for path in (*STATIC.iterdir(), *VIEW.iterdir()) if path.suffix in TYPES]
    routes = [_page_route(path, name) for path, name in FRAMED.items()]
    routes += [_file_route(f"/{file.name}", file) for file in files if file.suffix != ".html"]
    return [*routes, _file_route(LOG_IN, STATIC / LOG_IN_PAGE)] if with_log_in else routes


def _page_route(path: str, name: str) -> Route:
    page = (STATIC / FRAME).read_text("utf-8")
    told = {"title": name.capitalize(), "script": f"/{name}.js"}
    told["body"] = (STATIC / f"{name}.html").read_text("utf-8")
    for word, text in told.items():
        page = page.replace(f"{{{word}}}", text)
    return _route(path, page.encode(), TYPES[".html"])


def _file_route(path: str, file: Path) -> Route:
    return _route(path, file.read_bytes(), TYPES[file.suffix])


def _route(path: str, content: bytes, kind: str) -> Route:
    async def send(request: Request) -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return Route(path, send)


def _refuse(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    response = fault(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


def _say_what_failed(request: Request, error: Exception) -> Response:
    return fault(503, str(error))


def _say_that_we_erred(request: Request, error: Exception) -> Response:
    logger.error("the page could not answer %s", request.url.path, exc_info=error)
    return answer({"error": "this is a fault of the program; its log says more"}, 500)
