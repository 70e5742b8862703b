"""Names that a terminal would obey, given to every command: what it prints is printable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import extractors.__main__
import mafnet.__main__
import realtime.command_line.main
import realtime.keys
import realtime.subscribe
import weights.__main__

HOSTILE = "a\x1b[2J\x9b2J\u202egnp\u2066\x07\n\x85.mp4"
Command = Callable[[list[str]], int]


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (weights.__main__.main, ["convert", "{}", "--as", "vggish", "--to", "{}"]),
        (weights.__main__.main, ["fetch", "vggish", "--from", "{}"]),
        (weights.__main__.main, ["fetch", "{}"]),
        (weights.__main__.main, ["{}"]),
        (mafnet.__main__.main, ["test", "--bundle", "{}", "--features", "{}"]),
        (mafnet.__main__.main, ["predict", "--weights", "{}", "{}", "--to", "x"]),
        (mafnet.__main__.main, ["{}"]),
        (extractors.__main__.main, ["features", "{}", "--to", "x"]),
        (extractors.__main__.main, ["{}"]),
        (realtime.command_line.main.main, ["--source", "{}"]),
        (realtime.command_line.main.main, ["--config", "{}"]),
        (realtime.command_line.main.main, ["--source", "demo", "--name", "{}"]),
        (realtime.command_line.main.main, ["--source", "demo", "--bind", "{}"]),
        (
            realtime.command_line.main.main,
            ["--source", "demo", "--curve", "{}", "--duration", "0.1"],
        ),
        (realtime.command_line.main.main, ["{}"]),
        (realtime.subscribe.main, ["{}"]),
        (realtime.keys.main, ["allow", "{}", "{}", "--name", "{}"]),
        (realtime.keys.main, ["client", "{}", "--server", "{}"]),
        (realtime.keys.main, ["{}"]),
    ],
)
def test_complaint_is_printable_whatever_a_name_holds(
    command: Command,
    flags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAFNET_HOME", str(tmp_path / "home"))
    try:
        code = command([flag.format(HOSTILE) for flag in flags])
    except SystemExit as ended:  # argparse
        code = ended.code if isinstance(ended.code, int) else 1

    printed = capsys.readouterr()
    assert code in (1, 2)
    assert printed.err
    assert all(line.isprintable() for line in (printed.out + printed.err).split("\n"))


def test_settings_with_any_name_are_printed_clean_and_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.toml"
    flags = ["--source", f"https://host/{HOSTILE}", "--bundle", HOSTILE]
    assert realtime.command_line.main.main([*flags, "--name", "door", "--print-config"]) == 0
    first = capsys.readouterr().out
    assert all(line.isprintable() for line in first.split("\n"))
    file.write_text(first, encoding="utf-8")

    assert realtime.command_line.main.main(["--config", str(file), "--print-config"]) == 0

    assert capsys.readouterr().out == first
