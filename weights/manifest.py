"""Reading a bundle's manifest strictly: every surprise is one sentence, nothing is guessed.

The manifest may come from anyone, so it is size-limited JSON without duplicate keys or NaN, no
key may be unknown, and no value is coerced (`true` is not a number, `1.0` is not an integer).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from weights.errors import BundleError

MAX_BYTES = 1_000_000  # a manifest of 28 labels takes 3 kB
MAX_INTEGER = (1 << 53) - 1  # JSON's without loss (RFC 8259, section 6)


def read_object(path: Path) -> Mapping[str, object]:
    """Read a JSON object from a file.

    Raises:
        BundleError: The file is missing, too large, no JSON, or no object.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
        raise BundleError(f"{path}: is not a file")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from error
    if len(raw) > MAX_BYTES:
        raise BundleError(f"{path}: a manifest has at most {MAX_BYTES} bytes")
    try:
        value = json.loads(
            raw.decode("utf-8-sig"),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
        )
        # An escape may stand for half a character, which no message or file name can hold.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not a JSON manifest ({error})") from error
    if not isinstance(value, dict):
        raise BundleError(f"{path}: the manifest must be a JSON object")
    return value


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number here")


class Fields:
    """One JSON object of the manifest, taken apart key by key.

    Args:
        value: The object as read.
        where: What to call it in a message, e.g. ``starter/bundle.json: visual``.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise BundleError(f"{where} must be an object, got {_kind(value)}")
        self._rest = dict(value)
        self.where = where

    def take(self, key: str) -> object:
        """Take a key's value, which must be there."""
        if key not in self._rest:
            raise BundleError(f"{self.where}: the key {key!r} is missing")
        return self._rest.pop(key)

    def has(self, key: str) -> bool:
        """Tell whether a key is there and not taken yet."""
        return key in self._rest

    def text(self, key: str) -> str:
        """Take a text that is not empty."""
        value = self.take(key)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "a text that is not empty", value)
        return value

    def integer(self, key: str, low: int, high: int | None = None) -> int:
        """Take an integer in [low, high]."""
        value = self.take(key)
        most = MAX_INTEGER if high is None else high
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= most:
            raise self.wrong(key, f"an integer from {_range(low, high)}", value)
        return value

    def number(
        self, key: str, low: float = 0.0, high: float | None = None, *, open_low: bool = False
    ) -> float:
        """Take a finite number in [low, high], or in (low, high] with ``open_low``."""
        value = self.take(key)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            # Before float(): an integer may be too large for one.
            and low <= value <= (MAX_INTEGER if high is None else high)
            and not (open_low and value == low)
        ):
            return float(value)
        edge = "above" if open_low else "from"
        raise self.wrong(key, f"a number {edge} {_range(low, high)}", value)

    def nested(self, key: str) -> "Fields":
        """Take a nested object."""
        return Fields(self.take(key), f"{self.where}: {key}")

    def keys(self) -> tuple[str, ...]:
        """List the keys that are not taken yet."""
        return tuple(self._rest)

    def wrong(self, key: str, wanted: str, value: object) -> BundleError:
        """Make the error for a value that is not what was wanted."""
        return BundleError(f"{self.where}: {key!r} must be {wanted}, got {_kind(value)}")

    def end(self) -> None:
        """Refuse whatever was not taken: an unknown key may be a misspelt one."""
        if self._rest:
            names = ", ".join(repr(key) for key in sorted(self._rest))
            raise BundleError(f"{self.where}: unknown keys: {names}")


def _range(low: float, high: float | None) -> str:
    return f"{low:g}" if high is None else f"{low:g} to {high:g}"


def _kind(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
