"""Runs a command in a home that nobody used, with proxies that listen, and tells what it did.

Two ears hear whom it tries to reach: the socket that every `*_proxy` variable names, for libraries
in any language that ask through a proxy, and an audit hook in the process and all its children, for
what Python looks up or connects to by itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from processes import ROOT, TIMEOUT_S

_KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV")  # of the environment here
_PROXIES = ("http", "https", "ftp", "all", "socks")
_HOOK = """
import os, sys
HERE = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "", None)
def hear(event, arguments):
    if event not in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        return
    host = arguments[0]
    if event == "socket.connect":
        host = arguments[1][0] if isinstance(arguments[1], tuple) else ""  # a socket in a folder
    if host not in HERE:
        with open(os.environ["HEARD"], "a") as file:
            file.write(f"{event} {arguments}\\n")
sys.addaudithook(hear)
"""


@dataclass(frozen=True)
class Visit:
    """What a command left and whom it asked for.

    Attributes:
        code: Its exit code.
        said: Both of its outputs.
        reached: Each attempt to leave the machine: what a proxy was asked, a name that was looked
            up, a connection beyond loopback.
        outside: Files that it wrote neither in the store nor in `to`.
    """

    code: int
    said: str
    reached: list[str]
    outside: list[str]


class FreshHome:
    """A home, XDG folders and a store in one empty folder.

    Args:
        folder: That folder; `to` in it is for results that a command is asked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.to = folder / "to"
        self._hook = folder / "hook"
        for made in (self.home, self.to, self._hook, folder / "tmp"):
            made.mkdir(parents=True)
        (self._hook / "sitecustomize.py").write_text(_HOOK)

    def run(self, *words: str, timeout_s: float = TIMEOUT_S) -> Visit:
        """Run `python WORDS` here to its end."""
        before = self._files()
        heard = self._hook / "heard"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            asked: list[str] = []
            ear = threading.Thread(target=_listen, args=(listener, asked), name="proxy")
            ear.start()
            try:
                done = subprocess.run(
                    [sys.executable, *words],
                    cwd=ROOT,
                    env=self._environment(listener.getsockname()[1], heard),
                    capture_output=True,
                    text=True,
                    timeout=timeout_s,
                    check=False,
                )
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                ear.join()
        reached = asked + (heard.read_text().splitlines() if heard.exists() else [])
        heard.unlink(missing_ok=True)
        outside = sorted(path for path in self._files() - before)
        return Visit(done.returncode, done.stdout + done.stderr, reached, outside)

    def _files(self) -> set[str]:
        apart = (self.folder / "store", self.to, self._hook)
        return {
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file() and not any(path.is_relative_to(folder) for folder in apart)
        }

    def _environment(self, port: int, heard: Path) -> dict[str, str]:
        environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
        for scheme in _PROXIES:
            for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
                environ[name] = f"http://127.0.0.1:{port}"
        for name in ("CACHE", "CONFIG", "DATA", "STATE"):
            environ[f"XDG_{name}_HOME"] = str(self.folder / f"xdg-{name.lower()}")
        return {
            **environ,
            "HOME": str(self.home),
            "MAFNET_HOME": str(self.folder / "store"),
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONPATH": str(self._hook),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HEARD": str(heard),
        }


def _listen(listener: socket.socket, asked: list[str]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # shut down
            return
        with connection:
            connection.settimeout(5)
            try:
                asked.append(connection.recv(300).decode("latin-1").splitlines()[0])
            except (OSError, IndexError):
                asked.append("a connection that said nothing")
