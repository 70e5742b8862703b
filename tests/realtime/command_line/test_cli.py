"""What the command line says and leaves behind."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.command_line.flags import make_parser
from realtime.command_line.interrupt import LEAVE_SCREEN
from realtime.command_line.main import main
from realtime.command_line.settings import make_config

INTERRUPTED_TWICE = """
import signal, sys
from realtime.command_line.interrupt import Interrupt

interrupted = Interrupt()
interrupted.running = True
interrupted.screen = sys.stdout.fileno() if sys.argv[1] == "dashboard" else None
signal.raise_signal(signal.SIGINT)
signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("shown", "left"), [("dashboard", LEAVE_SCREEN), ("plain", b"")])
def test_second_interrupt_ends_at_once_and_gives_the_terminal_back(shown: str, left: bytes) -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_TWICE, shown],
        stdout=follower,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    os.set_blocking(leader, False)
    try:
        written = os.read(leader, 100)
    except BlockingIOError:
        written = b""
    os.close(follower)
    os.close(leader)

    assert done.returncode == 130
    assert written == left


ENDED = """
import os, signal
from realtime.command_line.interrupt import Interrupt

interrupted = Interrupt()
interrupted.running = True
for name in {names}:
    os.kill(os.getpid(), getattr(signal, name))
print(interrupted.exit_code)
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (["SIGHUP"], 0, "129"),
        (["SIGHUP", "SIGHUP"], 0, "129"),  # the kernel's and the shell's
        (["SIGTERM", "SIGHUP"], 0, "143"),  # systemd's SendSIGHUP
        (["SIGHUP", "SIGTERM"], 129, ""),
        (["SIGTERM", "SIGTERM"], 143, ""),
    ],
)
def test_hangup_stops_cleanly_and_cuts_no_stop_short(
    names: list[str], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED.format(names=names)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[3],
    )

    assert (done.returncode, done.stdout.strip()) == (code, said)


@pytest.mark.timeout(60)
def test_hangup_stays_ignored_when_it_was_from_the_start() -> None:
    done = subprocess.run(
        ["nohup", sys.executable, "-c", ENDED.format(names=["SIGHUP"])],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[3],
    )

    assert (done.returncode, done.stdout.strip()) == (0, "0")


def test_no_folder_is_made_for_recordings_when_the_source_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = tmp_path / "gone.mp4", tmp_path / "events"

    assert main(["--source", str(source), "--record", str(folder), "--no-publish"]) == 1

    assert not folder.exists()
    said = f"run_stream: there is no file {source}; check the path\n"
    assert capsys.readouterr().err == said


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_source_is_refused_in_one_sentence_when_it_is_no_ordinary_file(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "source"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path("/dev/zero")

    assert main(["--source", str(path), "--no-publish"]) == 1

    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(path) in said
    assert ("folder" if kind == "folder" else "--camera") in said


SECRET = "pw-secret"


@pytest.mark.parametrize(
    "flags",
    [
        ["--source", f"rtsp:/user:{SECRET}@host/stream"],
        ["--source", f"nonsense://user:{SECRET}@127.0.0.1:1/x"],
        ["--camera", f"rtsp:/user:{SECRET}@host/stream", "--no-mic"],
        ["--camera", f"nonsense://user:{SECRET}@127.0.0.1:1/x", "--no-mic"],
        [f"rtsp://user:{SECRET}@host/stream"],
        ["--source", f"user:{SECRET}@127.0.0.1"],
        ["--source", "demo", "--metrics", f"user:{SECRET}@127.0.0.1:9", "--no-publish"],
        ["--source", "demo", "--bind", f"user:{SECRET}@127.0.0.1:9"],
        ["--source", "demo", "--bind", f"tcp://user:{SECRET}@127.0.0.1:99999"],
        ["--source", "demo", "--bind", f"http://user:{SECRET}@host"],
        ["--source", "demo", "--bundle", f"http://user:{SECRET}@host/bundle"],
    ],
)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_password_in_a_flag_is_not_said(
    flags: list[str], log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main([*flags, "--no-dashboard", "--log-format", log_format])
    except SystemExit as ended:  # argparse
        code = int(str(ended.code))

    printed = capsys.readouterr()
    assert code in (1, 2)
    assert SECRET not in printed.out + printed.err
    assert printed.err.count("\n") == 1 or "usage:" in printed.err


def test_password_in_a_config_file_is_not_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "stream.toml"
    file.write_text(f'source = "rtsp://user:{SECRET}@host/stream"')

    assert main(["--config", str(file)]) == 2

    assert SECRET not in capsys.readouterr().err


@pytest.mark.parametrize(
    "location", [f"rtsp://user:{SECRET}@host/stream", f"rtsp:/user:{SECRET}@host/stream"]
)
@pytest.mark.parametrize("flag", ["--source", "--camera"])
def test_password_is_not_in_the_streams_name(flag: str, location: str) -> None:
    name = make_config(make_parser().parse_args([flag, location])).source.name

    assert SECRET not in name
    assert "user" not in name


def test_printed_settings_say_that_they_hold_a_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-config", "--source", f"rtsp://user:{SECRET}@host/stream"]) == 0

    printed = capsys.readouterr()
    assert SECRET in printed.out  # it is the file that runs the stream
    assert "keep the file to yourself" in printed.err
    assert SECRET not in printed.err


@pytest.mark.parametrize("flag", [["--bind", "tcp://127.0.0.1:1"], ["--curve", "keys"]])
def test_socket_flags_contradict_no_publish(
    flag: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--source", "demo", "--no-publish", *flag]) == 2
    assert "contradict" in capsys.readouterr().err


def names(*flags: str) -> list[str]:
    return [source.name for source in make_config(make_parser().parse_args(flags)).sources]


def test_sources_get_names_of_their_own_when_they_would_have_the_same() -> None:
    assert names("--source", "x/a.mp4", "--source", "y/a.mp4", "--source", "demo") == [
        "a",
        "a-2",
        "demo",
    ]


def test_settings_with_several_sources_come_back_from_their_own_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--source", "demo", "--source", "a.mp4", "--pace"]
    assert main([*flags, "--print-config"]) == 0
    file = tmp_path / "stream.toml"
    file.write_text(capsys.readouterr().out)

    config = make_config(make_parser().parse_args(["--config", str(file)]))

    assert config == make_config(make_parser().parse_args(flags))
    assert all(source.pace for source in config.sources)


def test_flag_for_a_source_replaces_those_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "stream.toml"
    file.write_text('[[source]]\nkind = "demo"\n[[source]]\nmedia = "b.mp4"\n')

    assert names("--config", str(file)) == ["demo", "b"]
    assert names("--config", str(file), "--source", "c.mp4") == ["c"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--source", "demo", "--source", "a.mp4", "--name", "x"], "one name for 2 sources"),
        (["--source", "demo", "--name", ".."], "more than dots"),
        (["--source", "demo"] * 65, "up to 64 sources"),
    ],
)
def test_flags_that_do_not_fit_several_sources_are_one_sentence(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags) == 2

    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_camera_flag_is_refused_where_the_settings_have_several_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "stream.toml"
    file.write_text('[[source]]\nkind = "demo"\n[[source]]\nmedia = "b.mp4"\n')

    assert main(["--config", str(file), "--camera", "0"]) == 2
    assert "[[source]]" in capsys.readouterr().err


def test_devices_are_listed_without_what_only_a_run_needs() -> None:
    code = """
import sys
from realtime.command_line.main import main
try:
    main(["--list-devices"])
except SystemExit:
    pass
print("heavy:", *(m for m in ("numpy", "torch", "cv2", "av", "rich", "zmq") if m in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[3],
    )

    assert done.stdout.splitlines()[-1] == "heavy:"
