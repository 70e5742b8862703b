"""Text that did not come from us, on its way to a terminal, a log or JSON."""

from __future__ import annotations

import json
import logging
import sys
import tomllib
from dataclasses import dataclass

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from weights.printable import (
    PlainFormatter,
    PlainParser,
    clean,
    clean_lines,
    cleaned,
    json_text,
    toml_text,
)

HOSTILE = (
    "\x1b[2J", "\x9b2J", "\x90payload\x9c", "\x07", "\x7f", "a\rb", "a\nb", "a\x85b", "a\u2028b",
    "\u202egnp.exe", "\u2066x\u2069", "\u200f", "\u200b", "\ufeff", "\xad", "\udc80", "\U000e0041",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_terminal_obeys_or_hides_stays(text: str) -> None:
    shown = clean(text)

    assert shown.isprintable()
    assert len(shown) == len(text)
    assert clean_lines(f"{text}\nx").count("\n") == text.count("\n") + 1


@given(st.text())
def test_text_is_cleaned_once_and_for_all_and_stays_where_it_is_printable(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert clean(text) == text or not text.isprintable()


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_json_of_anything_is_printable_and_read_back(value: object) -> None:
    for indent in (None, 1):
        text = json_text(value, indent=indent)
        assert all(line.isprintable() for line in text.split("\n"))
        text.encode()
        assert json.loads(text) == json.loads(json.dumps(value))


@pytest.mark.parametrize("text", HOSTILE)
def test_json_keeps_what_it_escapes_but_half_characters(text: str) -> None:
    shown = json_text({text: text})

    assert shown.isprintable()
    whole = text.replace("\udc80", "\ufffd")
    assert json.loads(shown) == {whole: whole}


@pytest.mark.parametrize("value", [float("inf"), [float("-inf")], {"a": float("nan")}])
def test_json_has_no_infinity(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text(value)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_toml_is_printable_and_read_back(text: str) -> None:
    content = {"bundle": text, "source": {"name": text}}

    shown = toml_text(tomli_w.dumps(content))

    assert all(line.isprintable() for line in shown.split("\n"))
    assert tomllib.loads(shown) == content


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    name: str
    labels: tuple[str, ...] = ()
    others: tuple[Shown, ...] = ()
    n: int = 0


def test_every_text_of_a_snapshot_is_cleaned() -> None:
    inner = Shown(name="\x9bH", labels=("a", "b\u202e"))
    whole = Shown(name="ok", others=(inner,), n=3)

    assert cleaned(whole) == Shown(
        name="ok", others=(Shown(name="\ufffdH", labels=("a", "b\ufffd")),), n=3
    )
    fine = Shown(name="Glocke läutet", labels=("a", "b"))
    assert cleaned(fine) is fine


def test_log_message_is_one_line_and_a_traceback_below_it() -> None:
    try:
        raise OSError("\x1b]0;x\x07")
    except OSError:
        info = sys.exc_info()
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "a\nb\x9b", (), info)

    lines = PlainFormatter("%(levelname)s: %(message)s").format(record).split("\n")

    assert lines[0] == "ERROR: a\ufffdb\ufffd"
    assert lines[1].startswith("Traceback")
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("text", HOSTILE)
def test_complaint_about_a_flag_is_clean(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        PlainParser(prog="x").parse_args([text])

    assert ended.value.code == 2
    lines = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert lines[-1].startswith("x: error: ")
    assert all(line.isprintable() for line in lines)
