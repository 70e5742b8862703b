"""Which addresses may be bound, and what is said of one that cannot be."""

from __future__ import annotations

import errno

import zmq

from realtime.addresses import is_loopback
from realtime.config import DEFAULT_BIND
from realtime.errors import UsageError


def require_local(endpoint: str) -> None:
    """Refuse an address that others reach, with a UsageError."""
    if endpoint.startswith("tcp://") and not is_loopback(_host(endpoint)):
        raise UsageError(
            f"{endpoint} can be reached from other machines and the messages are not encrypted; "
            f"give --curve DIR, bind to loopback, such as {DEFAULT_BIND}, or add --insecure if "
            "you mean it"
        )


def _host(endpoint: str) -> str:
    host, _, _ = endpoint.removeprefix("tcp://").rpartition(":")
    return host.strip("[]")


def bindable(endpoint: str) -> str:
    """Write the endpoint as libzmq binds it: it resolves no names and takes `*` for any port."""
    if endpoint.startswith("tcp://localhost:"):
        return endpoint.replace("localhost", "127.0.0.1", 1)
    return endpoint


def bind_failure(endpoint: str, error: zmq.ZMQError | OSError) -> str:
    """Return what is said of an address that cannot be bound."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"{endpoint} is taken by another program; stop it, or choose another port with --bind"
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return (
            f"cannot publish on {endpoint}: too many files are open here; "
            "raise the limit (`ulimit -n 4096`)"
        )
    return (
        f"cannot publish on {endpoint} ({error.strerror}); "
        f"--bind wants an endpoint such as {DEFAULT_BIND} or ipc:///tmp/events"
    )
