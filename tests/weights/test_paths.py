"""A local file is a path: file URLs, home folders and names that are no text."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from weights.paths import as_text, for_ffmpeg, is_url, local_path, shown, to_path
from weights.store import default_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("clip.mp4", "clip.mp4"),
        ("10:20:30.mp4", "10:20:30.mp4"),
        ("2026-01-02T10:20:30.mp4", "2026-01-02T10:20:30.mp4"),
        ("file:clip.mp4", "file:clip.mp4"),  # a name; a file URL has a slash
        ("file:///a%20b.mp4", "/a b.mp4"),
        ("FILE:///a.mp4", "/a.mp4"),
        ("file:/a/b.mp4", "/a/b.mp4"),
        ("file://localhost/a.mp4", "/a.mp4"),
        ("file://LocalHost/a.mp4", "/a.mp4"),
        ("file://127.0.0.1/a.mp4", "/a.mp4"),
        ("file:///a%23b%3Fc%25d.mp4", "/a#b?c%d.mp4"),
        ("file:///a#b?c.mp4", "/a#b?c.mp4"),
        ("file:///100%.mp4", "/100%.mp4"),
        ("file:///lat%EFn.mp4", os.fsdecode(b"/lat\xefn.mp4")),
        ("file:///na%C3%AFve.mp4", "/naïve.mp4"),
        ("file:///a%0Ab.mp4", "/a\nb.mp4"),
        ("a//b.mp4", "a//b.mp4"),
        (" a.mp4 ", " a.mp4 "),
        ("-a.mp4", "-a.mp4"),
        ("~nobody-of-that-name/a.mp4", "~nobody-of-that-name/a.mp4"),
    ],
)
def test_what_a_user_types_is_the_path_of_one_file(text: str, path: str) -> None:
    assert local_path(text) == path


def test_file_url_may_name_this_machine(tmp_path: Path) -> None:
    assert local_path(f"file://{socket.gethostname()}/a.mp4") == "/a.mp4"


@pytest.mark.parametrize("text", ["file://server/a.mp4", "file://a.mp4", "file://"])
def test_file_url_of_another_machine_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="three slashes"):
        local_path(text)


def test_tilde_is_the_home_folder_and_a_name_elsewhere(home: Path) -> None:
    assert local_path("~/a.mp4") == f"{home}/a.mp4"
    assert to_path("~/events") == home / "events"
    assert to_path("./~") == Path("~")
    assert to_path("a~b") == Path("a~b")


def test_store_of_an_unknown_users_home_is_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAFNET_HOME", "~nobody-of-that-name/store")

    assert default_home() == Path("~nobody-of-that-name/store")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://host/a", True),
        ("file:///a", True),
        ("C:/a.mp4", False),
        ("10:20://a.mp4", False),
        ("a b://c.mp4", False),
        ("./http://x", False),
        ("rtsp:a.mp4", False),
    ],
)
def test_url_is_told_from_a_name_with_a_colon(text: str, expected: bool) -> None:
    assert is_url(text) is expected


def test_bytes_that_are_no_text_are_shown_as_escapes_and_come_back_from_their_url() -> None:
    name = os.fsdecode(b"/tmp/lat\xefn.mp4")

    assert shown(name) == "/tmp/lat\\xefn.mp4"
    assert as_text(name) == "file:///tmp/lat%EFn.mp4"
    assert local_path(as_text(name)) == name
    assert as_text("naïve.mp4") == "naïve.mp4"


def test_ffmpeg_is_given_a_file_whatever_its_name() -> None:
    assert for_ffmpeg(Path("10:20.mp4")) == "file:10:20.mp4"
