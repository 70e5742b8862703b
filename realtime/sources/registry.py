"""Kinds of sources that somebody added, by the scheme of their URL: the one place that knows them.

Place in the flow: `mine://place` as `--source`, as `media` in a settings file or to `recognize`
→ here → a `Reader`, which is stepped, watched and opened again as the built-in ones are.
docs/guide/extending.md writes one. A package announces its own as an entry point of the group
`mafnet_live.sources`, whose name is the scheme and whose object is a `SourceKind`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.config import SourceConfig
    from realtime.sources.base import Inlet, Reader

GROUP = "mafnet_live.sources"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+")  # RFC 3986, 3.1; one letter would be a drive


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """What reads the URLs of a scheme.

    Attributes:
        make: Makes a reader, not opened, that writes to the inlet; `config.media` is the URL.
            Called again whenever a live source that was lost is looked for.
        picture: Whether it has a picture.
        sound: Whether it has sound.
        live: Whether it plays by itself, so that the rings may drop and what is lost is looked
            for; or is read to its end without a loss.
        retry_s: Waits before a lost one is looked for again, in place of the source's own; for
            a kind where looking costs nothing. None for the source's.
    """

    make: Callable[[SourceConfig, Inlet], Reader]
    picture: bool = True
    sound: bool = True
    live: bool = True
    retry_s: tuple[float, ...] | None = None


_kinds: dict[str, SourceKind] = {}


def register_source(scheme: str, kind: SourceKind) -> None:
    """Have `kind` read the URLs of a scheme, in this process.

    Raises:
        ValueError: It is no scheme (RFC 3986), or it is taken.
    """
    if _SCHEME.fullmatch(scheme) is None:
        raise ValueError(f"a scheme has small letters, digits, '+', '-' and '.', got {scheme!r}")
    if _kinds.get(scheme, kind) is not kind:
        raise ValueError(f"the scheme {scheme!r} has a source already")
    _kinds[scheme] = kind


def forget_source(scheme: str) -> None:
    """Have nobody read the URLs of a scheme any more; one that nobody reads does no harm."""
    _kinds.pop(scheme, None)


def kind_of(location: str | None) -> SourceKind | None:
    """Return what reads a URL; None where nobody added anything for its scheme."""
    scheme, mark, _ = (location or "").partition("://")
    scheme = scheme.lower()
    if not mark:
        return None
    if scheme not in _kinds:
        for point in entry_points(group=GROUP, name=scheme):
            register_source(scheme, point.load())
    return _kinds.get(scheme)
