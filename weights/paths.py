"""What a user types for a file, as a path; and a path as libraries and readers of text take it.

A local file is a path: any bytes but NUL. It is no URL, even where its name has a colon, and no
text, even where most names are. `~` is the home folder wherever a path is read, because a shell
expands it neither in a settings file nor behind `--flag=`. Touches no file.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # RFC 3986, 3.1; one letter would be a drive
# RFC 8089; a host may stand between the second and the third slash.
_FILE_URL = re.compile(r"file:(?://([^/]*)(?=/)|(?!//))(/.*)", re.IGNORECASE | re.DOTALL)

# For FFmpeg's readers of pictures, which take `%d` in a name for a row of numbered files.
ONE_FILE: Final = {"pattern_type": "none"}


def is_url(text: str) -> bool:
    """Tell whether a text begins like a URL of whatever scheme, `file` too."""
    return _URL.match(text) is not None or _FILE_URL.fullmatch(text) is not None


def is_file_url(text: str) -> bool:
    """Tell whether a text is a URL of the scheme `file`, whatever host it names."""
    return is_url(text) and text[:5].lower() == "file:"


def local_path(text: str) -> str:
    """Return the path of a local file as the operating system takes it.

    Args:
        text: A path, `~` and `~user` being home folders, or a file URL (RFC 8089): its escapes are
            decoded, `?` and `#` belong to the name.

    Raises:
        ValueError: It is the URL of another machine's file; one sentence.
    """
    if not is_file_url(text):
        return os.path.expanduser(text)  # noqa: PTH111 - leaves "a//b" and unknown users alone
    found = _FILE_URL.fullmatch(text)
    here = ("", "localhost", "127.0.0.1", "[::1]", socket.gethostname().lower())
    if found is None or (found[1] or "").lower() not in here:
        raise ValueError(
            f"a file URL names a file of this machine, such as file:///home/me/clip.mp4 with three "
            f"slashes; {text!r} names another machine's: mount its folder and give the path"
        )
    return os.fsdecode(unquote_to_bytes(os.fsencode(found[2])))


def to_path(text: str) -> Path:
    """Return what a command line was given for a file, `~` being the home folder."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path's own raises where none is known


def for_ffmpeg(path: str | os.PathLike[str]) -> str:
    """Return a local path of which FFmpeg takes no part for a protocol, as of `10:20.mp4`."""
    return f"file:{os.fspath(path)}"


def shown(path: str) -> str:
    r"""Return a path as text that UTF-8 can hold: other bytes as escapes, `lat\xefn`."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character, which no file system gave
        return path.encode("utf-8", "backslashreplace").decode()


def as_text(path: str) -> str:
    """Return a path, or where UTF-8 cannot hold it its file URL, from which `local_path` is it."""
    if shown(path) == path:
        return path
    try:
        return Path(path).absolute().as_uri()
    except UnicodeEncodeError:
        return path
