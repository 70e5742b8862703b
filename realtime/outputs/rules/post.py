"""Posts an event as JSON to an http address: nowhere else, and for no longer than it may take.

No redirect is followed, no proxy asked, no cookie kept, and nothing of the answer read but its
status. Said of it is never the address: that may hold a token.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from realtime.outputs.rules.target import Answer, Outcome

if TYPE_CHECKING:
    from realtime.outputs.rules.job import Job

_AGAIN = (408, 425, 429)  # RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4: later it may do


class Post:
    """Posts to one address; see `realtime.outputs.rules.target.Target`.

    Args:
        rule: The rule's name.
        url: Checked by `realtime.config.rules.check_http`.
        limit_s: The whole try takes no longer, but for the search for the host's name.
    """

    def __init__(self, rule: str, url: str, limit_s: float) -> None:
        self.name = f"rule {rule!r}, post"
        self.limit_s = limit_s
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secure = ssl.create_default_context() if parts.scheme == "https" else None
        self._user = None if parts.username is None else (parts.username, parts.password or "")

    def tell(self, job: Job) -> Answer:
        """Post it once."""
        if self._secure is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self.limit_s)
        else:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self.limit_s, context=self._secure
            )
        is_late = threading.Event()
        over = threading.Timer(self.limit_s, _hang_up, (connection, is_late))  # of one who trickles
        over.daemon = True
        over.start()
        try:
            connection.request("POST", self._path, body=job.posted(), headers=self._headers())
            return self._answer(connection.getresponse().status)
        except TimeoutError:
            return Answer(Outcome.AGAIN, f"no answer within {self.limit_s:g} s")
        except (OSError, ValueError, http.client.HTTPException, AttributeError) as error:
            late = f"no answer within {self.limit_s:g} s"
            return Answer(Outcome.AGAIN, late if is_late.is_set() else _reason(error))
        finally:
            over.cancel()
            connection.close()

    def give_up(self) -> None:
        """Nothing to do: nobody waits for the answer."""

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "mafnet-live"}
        if self._user is not None:
            from base64 import b64encode
            from urllib.parse import unquote

            words = ":".join(unquote(word) for word in self._user)
            headers["Authorization"] = f"Basic {b64encode(words.encode()).decode()}"
        return headers

    def _answer(self, status: int) -> Answer:
        if 200 <= status < 300:
            return Answer(Outcome.DONE)
        if 300 <= status < 400:
            return Answer(
                Outcome.GIVEN_UP,
                f"it leads elsewhere (HTTP {status}), which is not followed; give the new address",
            )
        is_for_now = status >= 500 or status in _AGAIN
        return Answer(Outcome.AGAIN if is_for_now else Outcome.GIVEN_UP, f"HTTP {status}")


def _hang_up(connection: http.client.HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(2)  # both ways; the thread that waits there gets an end


def _reason(error: Exception) -> str:
    """Say what went wrong without the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"it hung up ({type(error).__name__})"
