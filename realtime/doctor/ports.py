"""The addresses that a run would listen at: whether they are free."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from realtime.addresses import split_address
from realtime.doctor.finding import Finding, failure, good

if TYPE_CHECKING:
    from realtime.config import RunConfig


def check_ports(config: RunConfig) -> Iterator[Finding]:
    """Bind each TCP address of the settings once, and let go of it."""
    if config.publisher is not None and config.publisher.bind.startswith("tcp://"):
        yield _check("events", config.publisher.bind.removeprefix("tcp://"), "--bind")
    if config.metrics is not None:
        yield _check("metrics", config.metrics, "--metrics")
    if config.web is not None:
        yield _check("page", config.web.bind, "--web")


def _check(name: str, address: str, flag: str) -> Finding:
    host, _, port = address.rpartition(":")
    if host in ("*", "") or port in ("*", "0"):  # any of this machine's, or any port
        host, port = ("0.0.0.0" if host in ("*", "") else host), port.replace("*", "0")
    name = f"{name} address"
    try:
        host, number = split_address(f"{host}:{port}", flag)
        found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sentence = f"{address} is in use; end who listens there, or give another {flag}"
        else:
            sentence = f"{address} cannot be had ({error.strerror or error}); give another {flag}"
        return failure(name, sentence)
    return good(name, f"{address} is free")
