"""What an address or a URL means: who reaches it, and whether it plays by itself."""

from __future__ import annotations

import ipaddress
import re

from realtime.errors import UsageError
from weights.paths import is_file_url, is_url, to_path

MAX_PORT = 65_535
_IPC = "ipc://"


def is_network(location: str) -> bool:
    """Return whether `location` is a URL that plays by itself rather than a file to be read."""
    return is_url(location) and not is_file_url(location)


def at_home(endpoint: str) -> str:
    """Return an endpoint with the home folder for `~`, where it is a socket in a folder."""
    if not endpoint.startswith(_IPC):
        return endpoint
    return f"{_IPC}{to_path(endpoint.removeprefix(_IPC))}" if endpoint != _IPC else endpoint


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`; an interface's name or `*` is not it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(address: str) -> str:
    """Return the host of `HOST`, `HOST:PORT`, `[::1]` or `[::1]:PORT`, in lower case."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(:[0-9]{0,5})?", address)
    return "" if found is None else found[1].strip("[]").lower()


def is_port(text: str) -> bool:
    """Return whether `text` is a port's number."""
    return re.fullmatch("[0-9]{1,5}", text) is not None and int(text) <= MAX_PORT


def require_brackets(endpoint: str) -> None:
    """Refuse `tcp://::1:5577` or `::1:9464`: nobody can tell the address from the port.

    Raises:
        UsageError: An IPv6 address stands without brackets.
    """
    scheme = "tcp://" if endpoint.startswith("tcp://") else ""
    place = endpoint.removeprefix(scheme)
    host, _, port = place.rpartition(":")
    if _is_ipv6(host):
        meant = f"{scheme}[{host}]:{port} for the address {host} and the port {port}"
    elif _is_ipv6(place):
        meant = f"{scheme}[{place}]:5556, with a port behind it"
    else:
        return
    raise UsageError(f"an IPv6 address stands in brackets, {meant}; got {endpoint!r}")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def split_address(address: str, flag: str = "--metrics") -> tuple[str, int]:
    """Return host and port of `127.0.0.1:9464` or `[::1]:9464`.

    Raises:
        UsageError: It is no such thing; the sentence names `flag`.
    """
    require_brackets(address)
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not is_port(port):
        raise UsageError(
            f"{flag} wants an address such as 127.0.0.1:9464, a port up to {MAX_PORT} at its "
            f"end, got {address!r}"
        )
    return host, int(port)
