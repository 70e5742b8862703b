"""The key files of CURVE: who is who on the event socket. Pure files, no socket.

A server's folder:   `server.key_secret`, `server.key` (to give away), `clients/*.key` (whom it
lets in). A client's folder: `client.key_secret`, `client.key` (to give to the server), `server.key`
(whom it trusts). The format is pyzmq's and czmq's (ZPL certificates), so their tools read them.

A secret that others can read is no secret: it is refused, and so is a folder, or a file in it, that
others could put a key into. That is asked of what was opened, not of its name. A key file is small
text in an ordinary file; nothing in it is run.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from realtime.errors import OutputError, UsageError
from realtime.outputs.private_files import make_private_folders

logger = logging.getLogger(__name__)

SERVER, CLIENT = "server", "client"
PUBLIC_SUFFIX, SECRET_SUFFIX = ".key", ".key_secret"
CLIENTS_FOLDER = "clients"
MAX_FILE_BYTES = 4096
_KEY = rb"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}"  # Z85, https://rfc.zeromq.org/spec/32
_LINE = re.compile(rb"\s*(public|secret)-key\s*=\s*[\"']?(" + _KEY + rb")[\"']?\s*")
_TEXT = """#   ZeroMQ CURVE {kind} certificate: {advice}
metadata
curve
    public-key = "{public}"
"""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ServerKeys:
    """A publisher's pair, 40 bytes of Z85 each; not printed, for one is a secret."""

    public: bytes
    secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClientKeys:
    """A subscriber's pair and the public key of the one publisher that it trusts."""

    public: bytes
    secret: bytes
    server: bytes


def read_server_keys(folder: Path) -> ServerKeys:
    """Read a publisher's pair.

    Raises:
        UsageError: It is not there, not whole, or others could read or replace it.
    """
    make = f"`python -m realtime.keys server {folder}` makes one"
    public, secret = _read_pair(folder, SERVER, make)
    _require_own_folder(folder / CLIENTS_FOLDER, make)
    return ServerKeys(public=public, secret=secret)


def read_client_keys(folder: Path) -> ClientKeys:
    """Read a subscriber's pair and the key of its server.

    Raises:
        UsageError: One is not there, not whole, or others could read or replace it.
    """
    make = f"`python -m realtime.keys client {folder} --server server.key` makes one"
    public, secret = _read_pair(folder, CLIENT, make)
    server = read_public_key(folder / f"{SERVER}{PUBLIC_SUFFIX}")
    return ClientKeys(public=public, secret=secret, server=server)


def read_public_key(path: Path, *, is_trusted: bool = True) -> bytes:
    """Read a public key.

    Args:
        path: Its file.
        is_trusted: Whether it decides whom to trust where it lies: then nobody else may write to
            it. A file that came on a stick and is about to be copied need not be so.

    Raises:
        UsageError: The file cannot be read, is no key file, others may write to it, or it holds a
            secret, which must not travel.
    """
    found = _read(path, is_checked=is_trusted)
    if "secret" in found:
        raise UsageError(
            f"{path} holds a secret key; give the public one, which ends in {PUBLIC_SUFFIX}"
        )
    return found["public"]


def make_key_folder(folder: Path) -> None:
    """Make a folder for this user alone; one that is there must be so already.

    Raises:
        UsageError: Others may write to it.
        OutputError: It cannot be made.
    """
    try:
        make_private_folders(folder)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made ({error.strerror})") from error
    _require_own_folder(folder, "give another folder")


def write_pair(folder: Path, name: str, public: bytes, secret: bytes) -> None:
    """Write `NAME.key_secret` (0600) and `NAME.key`; neither may be there.

    Raises:
        OutputError: One is there already, or cannot be written; then none is left.
    """
    text = _TEXT.format(kind="secret", advice="keep it to yourself", public=public.decode())
    secret_path = folder / f"{name}{SECRET_SUFFIX}"
    _write_new(secret_path, f'{text}    secret-key = "{secret.decode()}"\n', 0o600)
    try:
        write_public_key(folder / f"{name}{PUBLIC_SUFFIX}", public)
    except OutputError:
        secret_path.unlink()
        raise


def write_public_key(path: Path, public: bytes) -> None:
    """Write a public key to a file that must not be there.

    Raises:
        OutputError: It is there already, or cannot be written.
    """
    advice = "give it to the other side, over a way you trust"
    _write_new(path, _TEXT.format(kind="public", advice=advice, public=public.decode()), 0o644)


def _read_pair(folder: Path, name: str, make: str) -> tuple[bytes, bytes]:
    path = folder / f"{name}{SECRET_SUFFIX}"
    if not path.is_file():
        raise UsageError(f"there is no key pair {path}; {make}")
    _require_own_folder(folder, make)
    found = _read(path, is_secret=True)
    if "secret" not in found:
        raise UsageError(f"{path} holds no secret key; {make}")
    return found["public"], found["secret"]


def _require_own_folder(folder: Path, make: str) -> None:
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; {make}")
    require_ours(folder.stat(), folder, "others can put keys into", "700")


def require_ours(found: os.stat_result, path: Path, fault: str, mode: str) -> None:
    """Refuse what others may write to, or what somebody else owns, who may change its mode."""
    if found.st_uid not in (os.geteuid(), 0):
        raise UsageError(
            f"{path} belongs to another user (number {found.st_uid}), who may put keys there; "
            f"run `chown {os.geteuid()} {path}`, or make keys of your own"
        )
    actual = stat.S_IMODE(found.st_mode)
    if actual & 0o022:
        raise UsageError(f"{fault} {path} (mode {actual:04o}); run `chmod {mode} {path}`")


def _read(path: Path, *, is_secret: bool = False, is_checked: bool = True) -> dict[str, bytes]:
    try:
        # Not blocking: opening a FIFO waits for whoever writes to it.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(number, "rb") as file:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"the key file {path} is no ordinary file; remove it")
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be read ({error.strerror})") from error
    mode = stat.S_IMODE(status.st_mode)
    if is_secret and mode & 0o077:
        raise UsageError(
            f"{path} is a secret that others can read (mode {mode:04o}); "
            f"run `chmod 600 {path}`, and make new keys if somebody may have read it"
        )
    if is_checked:
        require_ours(status, path, "others can change the key in", "644")
    found: dict[str, bytes] = {}
    for line in raw.splitlines() if len(raw) <= MAX_FILE_BYTES else ():
        match = _LINE.fullmatch(line)
        if match is not None:
            found[match[1].decode()] = match[2]
    if "public" not in found:
        raise UsageError(
            f'{path} is not a key file: it wants a line `public-key = "…"` with 40 characters'
        )
    return found


def _write_new(path: Path, text: str, mode: int) -> None:
    """Write a file of this mode from its first byte on; never over another one."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise OutputError(
            f"{path} is there already and stays as it is; give another folder or name, "
            "or remove it yourself"
        ) from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        path.unlink()
        raise OutputError(f"{path} cannot be written ({error.strerror})") from error
