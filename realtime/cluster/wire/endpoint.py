"""Where a pool is, and what its edges are called."""

from __future__ import annotations

from realtime.addresses import is_loopback, is_port, require_brackets
from realtime.errors import SourceError, UsageError

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5570"


def check_endpoint(endpoint: str, flag: str) -> None:
    """Refuse what is no address of a machine.

    Raises:
        UsageError: It is not `tcp://HOST:PORT`.
    """
    require_brackets(endpoint)
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    if not endpoint.startswith("tcp://") or not host or not (port == "*" or is_port(port)):
        raise UsageError(f"{flag} wants an address such as {DEFAULT_ENDPOINT}, got {endpoint!r}")


def edge_name(url: str) -> str:
    """Return the stream's name of `edge://NAME`.

    Raises:
        SourceError: There is none.
    """
    name = url.partition("://")[2].strip("/")
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in name):
        raise SourceError(f"an edge is named edge://NAME, got {url}")
    return name


def is_here(endpoint: str) -> bool:
    """Whether `tcp://HOST:PORT` can be reached from this machine alone."""
    return is_loopback(endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]"))
