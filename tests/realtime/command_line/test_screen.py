"""Whether a dashboard or plain lines are shown, and that the terminal is given back."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest

from realtime.command_line.screen import Screens
from realtime.config import RunConfig, SourceConfig


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        yield stream
    os.close(leader)


def make_config(*, dashboard: bool = True) -> RunConfig:
    return RunConfig(source=SourceConfig(name="demo", kind="demo"), dashboard=dashboard)


def test_dashboard_is_chosen_when_the_output_is_a_terminal(terminal: TextIO) -> None:
    assert Screens(make_config(), terminal).terminal == terminal.fileno()


def test_plain_lines_are_chosen_when_no_dashboard_is_wanted(terminal: TextIO) -> None:
    assert Screens(make_config(dashboard=False), terminal).terminal is None


def test_plain_lines_are_chosen_when_the_terminal_can_only_print(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")

    assert Screens(make_config(), terminal).terminal is None


def test_plain_lines_are_chosen_when_the_output_is_a_file() -> None:
    assert Screens(make_config(), io.StringIO()).terminal is None
