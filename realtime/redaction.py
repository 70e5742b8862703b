"""Takes passwords out of whatever is said: errors, log lines, status messages, descriptions.

A camera's address often bears its password: `rtsp://user:password@host/stream`, or
`?user=…&pwd=…`; it may also be typed without a scheme, `user:password@host`. Whoever describes a
source calls `redacted` first; the log's formatter and the message stamper call it again, so that a
sentence nobody thought of leaks nothing either. Where it is not clear what the password is, rather
too much is taken out. Pure.
"""

from __future__ import annotations

import re

from weights.paths import shown

HIDDEN = "…"
_ADDRESS = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]*:/{1,2})(\S+)")
_BARE = re.compile(r"(?<![^\s'\"(=,;<\[{])[^\s:@/'\"(=,;<\[{]*:(?!//)\S*@")  # user:password@
_WORD = re.compile(r"\S+")
_AUTHORITY_END = re.compile(r"[/?#]")
_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[^:]*)(:[0-9*]*)?[,;:.)]*")
_NO_USER = re.compile(r"[0-9]+([.][0-9]+){3}(:[0-9*]*)?|[^:]*")  # nobody is called 10.0.0.7
_NAMED_SECRET = re.compile(  # in a path: `/user=admin_password=secret_channel=1.sdp`
    r"((?:pass(?:word|wd)?|pwd|token|secret|api_?key|auth)=)[^/&;?#]*", re.IGNORECASE
)


def redacted(text: str) -> str:
    """Return `text` with user names, passwords and queries taken out of every address in it."""
    if ":" not in text:
        return text
    without = _ADDRESS.sub(_without_secrets, text)
    return _WORD.sub(_without_user, without) if "@" in without else without


def redacted_location(location: str) -> str:
    """Return a path or URL as `redacted` does, where all of it is known to be one.

    Bytes of a file's name that are no UTF-8 are shown as escapes.
    """
    location = shown(location)
    without_spaces = re.sub(r"\s", "%20", location)
    is_address = "://" in location or _BARE.match(without_spaces)
    return redacted(without_spaces if is_address else location)


def has_secret(location: str) -> bool:
    """Return whether a URL bears something that `redacted` would take out."""
    without_spaces = re.sub(r"\s", "%20", location)
    return redacted(without_spaces) != without_spaces


def _without_user(found: re.Match[str]) -> str:
    """Take `user:password@` out of a word; only what lies before its last `@` is searched.

    Else each bracket behind it would be the start of another search to the word's end.
    """
    before, at, after = found[0].rpartition("@")
    return found[0] if not at else _BARE.sub("", f"{before}@") + after


def _without_secrets(found: re.Match[str]) -> str:
    """Take the secrets out of an address: `scheme://`, and what stands behind it."""
    scheme, rest = found[1], found[2]
    if not scheme.lower().startswith("file:"):  # `rtsp:///user:…@host`: a slash too many
        rest = rest.lstrip("/")
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    if "@" in authority or ("@" in rest and not _NO_USER.fullmatch(authority)):
        # A password may hold `/`, `?`, `#` or `@` that should have been escaped: up to the last
        # `@`. So `host:80/…@…` is taken for the user `host` with the password `80/…`.
        rest = rest.rpartition("@")[2]
        authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
        if not authority:
            return scheme + HIDDEN
    if not _PORT.fullmatch(authority):  # no host and port: who knows what it is
        return scheme + HIDDEN
    path, mark, _ = rest.partition("?")
    if not mark:
        path, mark, _ = rest.partition("#")
    path = _NAMED_SECRET.sub(rf"\1{HIDDEN}", path)
    return scheme + path + (mark + HIDDEN if mark else "")
