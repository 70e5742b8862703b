"""What a user sees at the command line: answers, sentences, exit codes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from integration.processes import ROOT, TIMEOUT_S, json_lines, run_stream, start_stream

pytestmark = pytest.mark.timeout(300)


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_help_names_the_main_flags() -> None:
    result = run_stream("--help")

    assert result.returncode == 0
    for flag in ("--camera", "--source", "--log-json", "--bind", "--list-devices"):
        assert flag in result.stdout


def test_devices_are_listed_without_torch() -> None:
    result = run_stream("--list-devices")

    assert result.returncode == 0
    assert "Cameras" in result.stdout
    assert "Sound inputs" in result.stdout


@pytest.mark.parametrize(
    "flags",
    [
        ["--list-devices"],
        ["--source", "demo", "--print-config"],
        ["--help"],
        ["--source", "no-such-file.mp4"],
    ],
)
def test_answers_come_without_loading_what_computes(flags: list[str]) -> None:
    program = f"""
import sys
from realtime.command_line.main import main
try:
    main({flags!r})
except SystemExit:
    pass
print(sorted({{"torch", "openvino", "timm", "cv2", "av"}} & sys.modules.keys()), file=sys.stderr)
"""
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert last_line(result.stderr) == "[]"


def test_nothing_to_watch_is_a_usage_error() -> None:
    result = run_stream()

    assert result.returncode == 2
    assert "--camera 0" in last_line(result.stderr)


def test_missing_camera_is_one_sentence(random_bundle: Path) -> None:
    result = run_stream("--camera", "77", "--no-mic", "--bundle", str(random_bundle))

    assert result.returncode == 1
    assert "camera 77" in last_line(result.stderr)
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--source", "no-such-file.mp4"], 1, "no-such-file.mp4"),
        (["--source", "README.md"], 1, "README.md"),
        (["--source", "demo", "--hop", "0.3"], 2, "hop"),
        (["--source", "demo", "--window", "0"], 2, "window"),
        (["--source", "demo", "--camera", "0"], 2, "--source"),
        (["--source", "demo", "--bundle", "no-such-bundle"], 1, "no-such-bundle"),
        (["--source", "demo", "--device", "abacus"], 2, "abacus"),
        (["--source", "demo", "--backend", "abacus"], 2, "torch, openvino"),
        (["--source", "demo", "--bind", "tcp://0.0.0.0:5999"], 2, "loopback"),
        (["--source", "demo", "--curve", "no-such-folder"], 2, "realtime.keys server"),
        (["--source", "demo", "--metrics", "0.0.0.0:9464", "--no-publish"], 2, "--insecure"),
        (["--source", "demo", "--web", "0.0.0.0:8080"], 2, "--web-password-file"),
        (["--source", "demo", "--web-password-file", "x"], 2, "name an address: --web"),
        (["--source", "demo", "--config", "no-such.toml"], 2, "no-such.toml"),
    ],
)
def test_bad_input_is_one_sentence_and_an_exit_code(
    random_bundle: Path, flags: list[str], code: int, words: str
) -> None:
    if "--bundle" not in flags:
        flags = [*flags, "--bundle", str(random_bundle)]
    result = run_stream(*flags)

    assert result.returncode == code
    assert words in last_line(result.stderr)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_printed_config_reads_back_the_same(tmp_path: Path) -> None:
    flags = ["--source", "clip.mp4", "--hop", "0.5", "--window", "3", "--on", "0.6", "--off", "0.2"]
    first = run_stream(*flags, "--print-config")
    file = tmp_path / "stream.toml"
    file.write_text(first.stdout)

    second = run_stream("--config", str(file), "--print-config")

    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert "hop_s = 0.5" in second.stdout


def test_json_log_is_the_only_thing_on_stdout(random_bundle: Path) -> None:
    result = run_stream(
        "--source", "demo", "--duration", "6", "--log-json", "--bundle", str(random_bundle),
        "--no-publish",
    )  # fmt: skip

    assert result.returncode == 0
    events = json_lines(result.stdout)
    assert {event["type"] for event in events} == {"event"}
    assert [event["topic_seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["phase"] for event in events} >= {"onset", "offset"}
    assert "s of stream" in result.stderr


def test_same_stream_gives_the_same_events_every_time(random_bundle: Path) -> None:
    flags = ["--source", "demo", "--duration", "8", "--log-json", "--no-publish"]
    flags += ["--bundle", str(random_bundle), "--precision", "float32"]

    first, second = (json_lines(run_stream(*flags).stdout) for _ in range(2))

    def told(events: list[dict[str, object]]) -> list[object]:
        onsets = [e for e in events if e["phase"] == "onset"]
        return [(e["label"], e["confidence"], e["onset"]["t_s"]) for e in onsets]  # type: ignore[index]

    assert told(first) == told(second)
    assert told(first)


def test_interrupt_ends_cleanly_within_two_seconds(random_bundle: Path) -> None:
    process = start_stream(
        "--source", "demo", "--pace", "--loop", "--log-json", "--bundle", str(random_bundle),
        "--no-publish",
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith('{"v":1')  # it runs and recognizes
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        stdout, stderr = process.communicate(timeout=30)
        took_s = time.monotonic() - started
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 130
    assert "ended without waiting" not in stderr
    assert "Traceback" not in stderr
    assert json_lines(stdout)[-1]["phase"] == "offset"  # what went on was ended
    assert took_s < 10  # 2 s on an idle machine; the interpreter's own exit counts too


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_at_once_when_a_server_does_not_answer(number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60.0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        process = start_stream("--source", url, "--no-publish")
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)  # it has asked, and waits
            began_s = time.monotonic()
            process.send_signal(number)
            _, said = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 128 + number
    assert time.monotonic() - began_s < 5.0
    assert said == ""


def test_one_taken_port_does_not_stop_a_file_but_says_so(random_bundle: Path) -> None:
    first = start_stream("--source", "demo", "--pace", "--bundle", str(random_bundle), "--log-json")
    try:
        assert first.stdout is not None
        first.stdout.readline()
        result = run_stream("--source", "demo", "--duration", "2", "--bundle", str(random_bundle))
    finally:
        first.terminate()
        first.communicate(timeout=30)

    assert result.returncode == 0
    assert "publishes nothing" in result.stderr


def test_service_manager_is_told_the_beginning_the_life_and_the_end(random_bundle: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path has 107 characters
        systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        systemd.bind(f"{folder}/notify")
        systemd.settimeout(60.0)
        process = start_stream(
            "--source", "demo", "--pace", "--duration", "4", "--no-publish", "--no-dashboard",
            "--log-format", "json", "--bundle", str(random_bundle),
            NOTIFY_SOCKET=f"{folder}/notify", WATCHDOG_USEC="60000000",
        )  # fmt: skip
        try:
            _, stderr = process.communicate(timeout=TIMEOUT_S)
            told = [systemd.recv(100).decode() for _ in range(3)]
        finally:
            process.kill()
            process.communicate()
            systemd.close()

    assert process.returncode == 0
    assert told == ["READY=1", "WATCHDOG=1", "STOPPING=1"]
    assert {"time", "level", "message"} <= json_lines(stderr)[0].keys()
