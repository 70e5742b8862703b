"""The one place that cleans text which did not come from us, before anybody reads it.

Names of bundles, files and devices, a server's reason, a page's title, a message from the network:
each may hold what a terminal obeys (ESC, the C1 controls), what turns a line around (bidirectional
marks) or what breaks a log line in two. Every sink calls in here: the command lines, the log's
formatters, dashboard and lines, `subscribe`, and whatever writes JSON. It lies in the lowest
package, so that all may use it. Pure; imports nothing of ours.
"""

from __future__ import annotations

import argparse
import json
import logging
import operator
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, NoReturn, TypeVar, cast

from weights.near import did_you_mean

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNKNOWN_FLAGS = "unrecognized arguments: "  # argparse's own words
_Value = TypeVar("_Value")


def clean(text: str) -> str:
    """Return one line without controls: each character that is not printable becomes U+FFFD.

    Not printable is what `str.isprintable` says: controls of C0 and C1, line ends, marks of
    direction and of no width, half characters, spaces other than the common one. The length stays,
    and cleaning twice changes nothing.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else REPLACEMENT for c in text)


def first_line(error: BaseException) -> str:
    """Return the first line of what a library says, or the error's kind where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def clean_lines(text: str) -> str:
    """Return `text` cleaned line by line: for a traceback or a table, whose line feeds are ours."""
    return "\n".join(map(clean, text.split("\n")))


def cleaned(value: _Value) -> _Value:
    """Return a value with every text in it cleaned: a snapshot before it is drawn.

    Goes through dataclasses, tuples and dicts; everything else stays as it is.
    """
    result: Any = value
    if isinstance(value, str):
        result = clean(value)
    elif isinstance(value, dict):
        result = {cleaned(key): cleaned(item) for key, item in value.items()}
    elif isinstance(value, tuple) and not hasattr(value, "_fields"):
        items = tuple(map(cleaned, value))
        result = value if all(map(operator.is_, items, value)) else items
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        changed = {name: new for name, old in parts.items() if (new := cleaned(old)) is not old}
        result = replace(value, **changed) if changed else value
    return cast("_Value", result)


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return JSON that a terminal may show: what `clean` would replace is escaped, so none is lost.

    Half a character, such as one byte of a file's name that is not UTF-8, has no place in JSON
    that strict readers take; it becomes U+FFFD. Compact unless `indent` is given.

    Raises:
        ValueError: A number in it is not finite; JSON has no word for it.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
    )
    return "\n".join(_escaped(line, _json_escape) for line in text.split("\n"))


def toml_text(text: str) -> str:
    """Return TOML that a terminal may show, where all strings in `text` are basic ones ("…")."""
    return "\n".join(_escaped(line, _toml_escape) for line in text.split("\n"))


class PlainParser(argparse.ArgumentParser):
    """A command line whose complaints are one clean line: a shell fills in names of files."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how the command is used; exit code 2.

        Of a flag that there is not, one that is written much like it is told.
        """
        _, mark, unknown = message.partition(_UNKNOWN_FLAGS)
        if mark and unknown.startswith("-"):
            flag = unknown.split()[0].partition("=")[0]
            message += did_you_mean(flag, _flags_of(self))
        super().error(clean(message))


def _flags_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return the flags of a parser and of its commands."""
    flags = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                flags |= _flags_of(command)
    return flags


class PlainFormatter(logging.Formatter):
    """Log lines as text: the message on one line whatever it holds, a traceback below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line, cleaned."""
        return clean(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return the traceback, each of its lines cleaned."""
        return clean_lines(super().formatException(ei))


def _escaped(line: str, escape: Callable[[int], str]) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else escape(ord(c)) for c in line)


def _json_escape(code: int) -> str:
    if code <= 0xFFFF:
        return _toml_escape(code)
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _toml_escape(code: int) -> str:
    if 0xD800 <= code <= 0xDFFF:
        return REPLACEMENT
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
