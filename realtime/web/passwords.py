"""The page's password: one line in a file that only its owner reads, hashed with scrypt.

The file holds no password, and what it holds cannot be turned back. A hash that others may read or
replace is refused, as a secret key is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from realtime.errors import OutputError, UsageError
from realtime.outputs.private_files import make_private_folders, open_private

MIN_LENGTH = 8
MAX_LENGTH = 1000  # characters; longer is no password but a load
# OWASP's Password Storage Cheat Sheet, scrypt: N = 2^14, r = 8, p = 5; 16 MiB.
N, R, P = 1 << 14, 8, 5
MAX_N, MAX_R, MAX_P = 1 << 17, 16, 16  # a file that asks for more is not ours
MAX_FILE_BYTES = 1000
_SALT_BYTES = _KEY_BYTES = 32
_LINE = re.compile(r"scrypt:(\d{1,6}):(\d{1,2}):(\d{1,2}):([\w+/=]+):([\w+/=]+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PasswordHash:
    """What is known of a password; not printed."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    @classmethod
    def of(cls, password: str) -> PasswordHash:
        """Hash a new password; raises UsageError where it is too short or too long."""
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise UsageError(
                f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters, got {len(password)}"
            )
        salt = secrets.token_bytes(_SALT_BYTES)
        return cls(n=N, r=R, p=P, salt=salt, key=_key(password, salt, N, R, P))

    def fits(self, password: str) -> bool:
        """Return whether it is the one; takes a tenth of a second of a core and 16 MiB."""
        if len(password) > MAX_LENGTH:
            return False
        return hmac.compare_digest(self.key, _key(password, self.salt, self.n, self.r, self.p))


def read_password(path: Path) -> PasswordHash:
    """Read a file that `write_password` wrote.

    Raises:
        UsageError: It is not there, no such file, or others could read or replace it.
    """
    make = f"`python -m realtime.keys password {path}` makes one"
    try:
        with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"the password file {path} cannot be read ({error.strerror}); {make}"
        ) from error
    if status.st_uid not in (os.geteuid(), 0):
        raise UsageError(f"the password file {path} belongs to another user; {make}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise UsageError(
            f"others can read or change the password file {path} (mode {mode:04o}); "
            f"run `chmod 600 {path}`"
        )
    found = _LINE.fullmatch(raw.decode("ascii", "replace").strip())
    try:
        if found is None:
            raise ValueError
        n, r, p = (int(found[place]) for place in (1, 2, 3))
        salt, key = (base64.b64decode(found[place], validate=True) for place in (4, 5))
        is_power = n > 1 and n & (n - 1) == 0
        if not (is_power and n <= MAX_N and 1 <= r <= MAX_R and 1 <= p <= MAX_P):
            raise ValueError
        if len(key) != _KEY_BYTES:
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise UsageError(f"{path} holds no hash of a password; {make}") from error
    return PasswordHash(n=n, r=r, p=p, salt=salt, key=key)


def write_password(path: Path, password: str) -> None:
    """Write a password's hash into a new file, with mode 0600; folders that lack have 0700.

    Raises:
        UsageError: The password is too short or too long.
        OutputError: The file is there already, or cannot be written.
    """
    made = PasswordHash.of(password)
    salt, key = (base64.b64encode(part).decode() for part in (made.salt, made.key))
    line = f"scrypt:{made.n}:{made.r}:{made.p}:{salt}:{key}\n"
    try:
        make_private_folders(path.parent)
        number = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(line)
    except FileExistsError as error:
        raise OutputError(f"{path} is there already; remove it, or name another file") from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror})") from error


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "replace"),
        salt=salt,
        n=n,
        r=r,
        p=p,
        maxmem=2 * 128 * n * r,
        dklen=_KEY_BYTES,
    )
