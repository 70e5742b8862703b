"""Listens at an endpoint as ZeroMQ writes it: `tcp://HOST:PORT` or `ipc://PATH`; no ZeroMQ here.

HOST is an address, `*` for all of IPv4, or an interface's name; names of hosts are not looked up,
as libzmq does not when it binds. PORT 0 or `*` picks a free one; `ipc://@NAME` is a name of Linux's
without a file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct

BACKLOG = 100  # as libzmq's
_SIOCGIFADDR = 0x8915  # netdevice(7): an interface's IPv4 address
_MAX_PATH = 107  # unix(7)
_IFNAMSIZ = 16
_ADDRESS = slice(20, 24)  # in struct ifreq, behind its name, family and port


def listen(endpoint: str) -> tuple[socket.socket, str]:
    """Bind and listen.

    A file that lies where an `ipc://` socket goes is removed if it is a socket; whoever asks has
    made sure that nobody uses it.

    Returns:
        The socket and the endpoint in force, with its port.

    Raises:
        OSError: It is taken or cannot be used.
    """
    scheme, _, place = endpoint.partition("://")
    if scheme == "ipc":
        return _listen_unix(place), endpoint
    host, _, port = place.rpartition(":")
    return _listen_internet(host, 0 if port == "*" else int(port))


def _listen_unix(path: str) -> socket.socket:
    if not path or path == "*" or "\0" in path:
        raise OSError(errno.EINVAL, "a path is wanted")
    if len(os.fsencode(path)) > _MAX_PATH:
        raise OSError(errno.ENAMETOOLONG, f"a socket's path has up to {_MAX_PATH} bytes")
    listener = socket.socket(socket.AF_UNIX)
    try:
        if not path.startswith("@"):
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    os.unlink(path)  # noqa: PTH108 - a path as it was given
        listener.bind("\0" + path[1:] if path.startswith("@") else path)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_internet(host: str, port: int) -> tuple[socket.socket, str]:
    family, address = _resolved(host.strip("[]"), port)
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    name = listener.getsockname()
    shown = f"[{name[0]}]" if family == socket.AF_INET6 else name[0]
    return listener, f"tcp://{shown}:{name[1]}"


def _resolved(host: str, port: int) -> tuple[int, tuple[object, ...]]:
    if host == "*":
        return socket.AF_INET, ("0.0.0.0", port)
    numeric = socket.AI_NUMERICHOST | socket.AI_PASSIVE
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
    except socket.gaierror:
        return socket.AF_INET, (_interface_address(host), port)
    return found[0][0], found[0][4]


def _interface_address(name: str) -> str:
    encoded = os.fsencode(name)
    if not 0 < len(encoded) < _IFNAMSIZ or b"\0" in encoded:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack("256s", encoded)
        answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)
    return socket.inet_ntoa(answer[_ADDRESS])
