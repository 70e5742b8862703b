"""What stands in front of every page: whose name was asked for, from where, and by whom.

- *Host*: another site's name that leads to this machine (DNS rebinding) gets nothing.
- *Origin*: a page of another site may link here, but neither embeds, reads nor sends anything. A
  browser says so in `Sec-Fetch-Site`; what changes something also has a type or a method that
  other sites may not send unasked.
- *Session*: with a password, nothing but the log-in page is for who has none.
- Headers of every answer: no script, style or picture but our own, no frame around it, no copy.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from realtime.addresses import host_of, is_loopback
from realtime.web.answers import fault

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from realtime.web.sessions import Sessions

LOG_IN = "/log-in"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Hosts:
    """Which names a request may ask for.

    Args:
        bound: The host that is bound. On a loopback address only this machine's own names count.
        also: Names of a proxy in front.
    """

    def __init__(self, bound: str, also: Collection[str]) -> None:
        self._is_local = is_loopback(bound)
        own = socket.gethostname().lower()
        self._names = {name.lower() for name in also}
        if not self._is_local:
            self._names |= {own, f"{own.partition('.')[0]}.local", bound.lower()}

    def has(self, asked: str) -> bool:
        """Return whether `asked`, a `Host` header, is one of ours."""
        host = host_of(asked)
        if is_loopback(host) or host in self._names:
            return bool(host)
        if self._is_local:
            return False
        try:
            ipaddress.ip_address(host)  # no other site's name leads here by an address
        except ValueError:
            return False
        return True


class Guard:
    """Lets a request through to `app`, or answers it; pure ASGI.

    Args:
        app: The pages.
        hosts: Names that may be asked for.
        sessions: Who is in; None where no password is set.
        cookie: The name of the session's cookie.
        open_paths: What also those see who have not logged in.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts,
        sessions: Sessions | None,
        cookie: str,
        open_paths: Collection[str],
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._sessions = sessions
        self._cookie = cookie
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # no WebSocket is served
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if len(headers.getlist("host")) != 1 or not self._hosts.has(headers["host"]):
            return PlainTextResponse(
                "ask for this machine by the address that --web names, or add the name to `hosts` "
                "under [web]\n",
                403,
            )
        path: str = scope["path"]
        is_page = not path.startswith("/api/")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
            if not (is_link and is_page and headers.get("sec-fetch-dest") == "document"):
                return fault(403, "another site's page may not ask for this")
        if self._sessions is None or path in self._open_paths:
            return None
        if self._sessions.holds(token_of(HTTPConnection(scope), self._cookie)):
            return None
        if is_page and scope["method"] in ("GET", "HEAD"):
            return RedirectResponse(LOG_IN, 303)
        return fault(401, "log in first")


def token_of(connection: HTTPConnection, cookie: str) -> str:
    """Return the session's token of a request; "" where it has none."""
    return connection.cookies.get(cookie, "")
