"""What a person meets who begins: an offer, near names, comments in the settings, completion."""

from __future__ import annotations

import itertools
import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from realtime import completion
from realtime.command_line.config_file import LISTS, TABLES, format_config, read_config_file
from realtime.command_line.first_run import Choice, choices, offer
from realtime.command_line.flags import make_parser
from realtime.command_line.settings import make_config
from realtime.command_line.settings_comments import told_of, with_comments
from realtime.config import RunConfig
from realtime.errors import UsageError

ROOT = Path(__file__).parents[3]
FOUND = [Choice("a camera", ("--camera", "0")), Choice("the demo", ("--source", "demo"))]


def offered(*lines: str) -> tuple[tuple[str, ...] | None, str]:
    typed, said = iter(lines), []

    def ask(prompt: str) -> str:
        said.append(prompt)
        line = next(typed, None)
        if line is None:
            raise EOFError
        return line

    flags = offer(FOUND, "mafnet-live", ask, said.append)
    return flags, "".join(said)


def test_enter_takes_the_first_and_the_command_is_told() -> None:
    flags, said = offered("")

    assert flags == ("--camera", "0")
    assert said.endswith("$ mafnet-live --camera 0\n")


def test_what_is_no_number_of_the_list_is_asked_again() -> None:
    flags, said = offered("7", "two", "2")

    assert flags == ("--source", "demo")
    assert said.count("a number from 1 to 2 is wanted") == 2


@pytest.mark.parametrize("lines", [("q",), ()])
def test_who_wants_nothing_gets_nothing(lines: tuple[str, ...]) -> None:
    assert offered(*lines)[0] is None


def test_demo_is_always_there() -> None:
    assert choices()[-1].flags == ("--source", "demo", "--pace")


@pytest.mark.timeout(60)
def test_on_a_terminal_the_offer_comes_and_q_ends_it() -> None:
    leader, follower = pty.openpty()
    os.write(leader, b"q\n")
    done = subprocess.run(
        [sys.executable, "run_stream.py"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        timeout=50,
        check=False,
        cwd=ROOT,
    )
    os.set_blocking(leader, False)
    written = os.read(leader, 10_000).decode()
    os.close(follower)
    os.close(leader)

    assert done.returncode == 0
    assert "the built-in demo" in written


@pytest.mark.timeout(60)
def test_without_a_terminal_nobody_is_asked() -> None:
    done = subprocess.run(
        [sys.executable, "run_stream.py"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=ROOT,
    )

    assert done.returncode == 2
    assert "nothing to watch or hear" in done.stderr


@pytest.mark.parametrize(
    ("flag", "meant"),
    [("--camra", "--camera"), ("--recrod=x", "--record"), ("--historry", "--history")],
)
def test_unknown_flag_is_told_the_near_one(
    flag: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args([flag])

    assert f"did you mean {meant}" in capsys.readouterr().err


def test_flag_that_is_near_to_nothing_stays_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["--xyzzy"])

    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "meant"),
    [("[publsher]\nbind = 'x'", "publisher"), ("[window]\nhop = 0.5", "hop_s")],
)
def test_unknown_setting_is_told_the_near_one(tmp_path: Path, text: str, meant: str) -> None:
    file = tmp_path / "stream.toml"
    file.write_text(text)

    with pytest.raises(UsageError, match=f"did you mean {meant}"):
        read_config_file(file)


def test_every_printed_setting_has_a_comment_and_reads_back(tmp_path: Path) -> None:
    config = make_config(make_parser().parse_args(["--source", "demo", "--record", "events"]))
    text = with_comments(format_config(config))
    file = tmp_path / "stream.toml"
    file.write_text(text)

    again = make_config(make_parser().parse_args(["--config", str(file)]))
    lines = text.splitlines()
    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if " = " in line and not line.startswith(("#", " ")) and not before.startswith("#")
    ]
    assert again == config
    assert bare == []


def test_rules_and_profiles_are_explained_once_each(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        "[rules]\n[events]\non = 0.6\n"
        + "".join(f'[[rule]]\nname = "{name}"\nrun = ["/bin/true"]\n' for name in "ab")
        + '[[profile]]\nname = "night"\ntimes = ["22:00-06:00"]\n'
    )
    arguments = ["--source", "demo", "--config", str(rules)]

    lines = with_comments(format_config(make_config(make_parser().parse_args(arguments))))

    before = {line: above for above, line in itertools.pairwise(lines.splitlines())}
    for setting in ('profile = "home"', "on = 0.6", 'name = "a"', 'name = "night"'):
        assert before[setting].startswith("# ")
    assert before['name = "b"'] == "[[rule]]"


def test_every_attribute_of_the_settings_is_told() -> None:
    for kind in (RunConfig, *TABLES.values(), *LISTS.values()):
        assert set(told_of(kind)) == set(kind.__dataclass_fields__)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_completion_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")

    assert completion.main([shell]) == 0

    script = capsys.readouterr().out
    for name in completion.PARSERS:
        assert name in script
    assert "print-config" in script


def test_completion_has_every_script_by_its_present_name() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    scripts = set(settings["project"]["scripts"]) - {"run-stream"}  # what mafnet-live was called

    assert set(completion.PARSERS) == scripts


def test_bash_completes_a_flag() -> None:
    pytest.importorskip("shtab")
    script = subprocess.run(
        [sys.executable, "-m", "realtime.completion", "bash"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    asking = (
        "COMP_WORDS=(mafnet-live --calib); COMP_CWORD=1; "
        "$(complete -p mafnet-live | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asking}"], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "--calibrate"


def test_completion_without_its_library_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)

    assert completion.main(["bash"]) == 1
    assert "mafnet-live[completion]" in capsys.readouterr().err
