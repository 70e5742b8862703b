"""The programs of docs/guide/extending.md, as they stand there."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from integration.processes import ROOT, TIMEOUT_S, environment
from integration.readme_blocks import blocks
from integration.stand_in import write_tables, write_video
from realtime.sources.demo_scene import render_sound

pytestmark = pytest.mark.timeout(300)
GUIDE = "docs/guide/extending.md"
RATE = 16_000


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the guide's programs, each under the name in its first line."""
    folder = tmp_path_factory.mktemp("guide")
    for text in blocks(GUIDE, "python"):
        (folder / text.splitlines()[0].removeprefix("# ")).write_text(text, encoding="utf-8")
    return folder


def run(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(program), *map(str, arguments)],
        cwd=program.parent,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A web hook: its address, and what was posted to it."""
    posted: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/events", posted
        server.shutdown()
        thread.join()


def test_programs_are_short() -> None:
    for text in blocks(GUIDE, "python"):
        assert len(text.splitlines()) < 120


def test_source_is_recognized(programs: Path, tmp_path: Path) -> None:
    log = tmp_path / "a log.npz"
    pictures = np.full((100, 48, 64, 3), 90, np.uint8)
    sound = render_sound()[3 * RATE : 13 * RATE]  # a siren from 1 to 9 s
    np.savez(log, pictures=pictures, sound=sound, picture_hz=10, sample_rate=RATE)

    result = run(programs / "my_source.py", log)

    assert result.returncode == 0, result.stderr
    label, onset_s = result.stdout.split()
    assert label == "Siren"
    assert float(onset_s) == pytest.approx(1.0, abs=0.5)


def test_program_of_ones_own_takes_the_flags_of_mafnet_live(programs: Path) -> None:
    result = run(programs / "my_program.py", "--source", "log:///none.npz", "--no-publish")

    assert result.returncode == 1
    assert "/none.npz is no log" in result.stderr


def test_source_that_cannot_be_opened_is_one_sentence(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("nothing of the kind")

    result = run(programs / "my_source.py", tmp_path / "text.npz")

    assert "SourceError: " in result.stderr.splitlines()[-1]
    assert "text.npz is no log" in result.stderr.splitlines()[-1]


@pytest.fixture
def siren() -> Iterator[int]:
    """Sends a siren as it sounds to a port, again and again, and yields the port."""
    samples = (render_sound()[4 * RATE : 12 * RATE] * 32_767).astype("<i2")
    blocks = np.split(samples, len(samples) // (RATE // 10))
    is_over = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for block in itertools.cycle(blocks):
                sender.sendto(block.tobytes(), ("127.0.0.1", port))
                if is_over.wait(0.1):
                    return

    thread = threading.Thread(target=send)
    thread.start()
    yield port
    is_over.set()
    thread.join()


def test_live_source_is_recognized(programs: Path, siren: int) -> None:
    result = run(programs / "my_live_source.py", f"pcm://127.0.0.1:{siren}?rate={RATE}", "6")

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Siren ")


def test_output_gets_every_event(
    programs: Path, hook: tuple[str, list[dict[str, object]]], tmp_path: Path
) -> None:
    url, posted = hook
    write_video(tmp_path / "clip.mp4", "Siren", 3.0)

    result = run(programs / "my_output.py", tmp_path / "clip.mp4", url)

    assert result.returncode == 0, result.stderr
    told = [line.split()[0] for line in result.stdout.splitlines()]
    assert sorted(told) == sorted(
        str(body["label"]).split()[0] for body in posted if body["phase"] == "onset"
    )
    assert {body["type"] for body in posted} <= {"event"}


def test_output_that_cannot_be_opened_is_one_sentence(programs: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", "Siren", 1.0)

    result = run(programs / "my_output.py", tmp_path / "clip.mp4", "gopher://somewhere")

    assert "OutputError: a web hook wants an http address" in result.stderr.splitlines()[-1]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "sense", "trunk", "bundle"),
    [
        ("my_trunk.py", "visual", "mobilenet_v3_small", "mine"),
        ("my_ears.py", "audio", "tiny_ears", "heard"),
    ],
)
def test_trunk_is_extracted_with_trained_on_and_recognized_with(
    programs: Path, tmp_path: Path, name: str, sense: str, trunk: str, bundle: str
) -> None:
    tables = write_tables(tmp_path)
    program = tmp_path / name  # it writes beside itself
    text = (programs / name).read_text(encoding="utf-8")
    program.write_text(text.replace("n_epochs: int = 60", "n_epochs: int = 1"), encoding="utf-8")

    trained = run(program, "train", *tables)

    assert trained.returncode == 0, trained.stderr
    assert f"mafnet-live does not know the {'visual' if sense == 'visual' else 'sound'} trunk" in (
        trained.stderr
    )
    manifest = json.loads((tmp_path / bundle / "bundle.json").read_text())
    assert manifest[sense]["trunk"] == trunk
    assert manifest["audio"]["map"] == ([32, 13, 10] if sense == "audio" else [1024, 3, 2])
    write_video(tmp_path / "clip.mp4", "Bark", 2.0)
    result = run(program, tmp_path / "clip.mp4")
    assert result.returncode == 0, result.stderr
    assert {line.split()[0] for line in result.stdout.splitlines()} <= {"Bark", "Siren"}


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_announced_trunk_is_known_to_every_command(programs: Path, tmp_path: Path) -> None:
    text = (programs / "my_ears.py").read_text(encoding="utf-8")
    text = text.replace("register_sound_trunk(NAME, TinyEars)\n", "")
    (tmp_path / "my_ears.py").write_text(text, encoding="utf-8")
    told = tmp_path / "ears-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: ears\nVersion: 1\n")
    (told / "entry_points.txt").write_text(
        "[mafnet_live.sound_trunks]\ntiny_ears = my_ears:TinyEars\n"
    )
    weights = {
        "first.weight": torch.full((16, 1, 3, 3), 0.1),
        "first.bias": torch.zeros(16),
        "second.weight": torch.full((32, 16, 3, 3), 0.1),
        "second.bias": torch.ones(32),
    }
    save_file(weights, tmp_path / "ears.safetensors")
    tables = write_tables(tmp_path)
    write_video(tmp_path / "clip.mp4", "Bark", 2.0)
    own = ["--sound-trunk", "tiny_ears=ears.safetensors"]

    def command(*arguments: str | Path) -> str:
        result = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=tmp_path,
            env=environment(PYTHONPATH=f"{ROOT}:{tmp_path}"),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stderr + result.stdout

    extract = ["extractors", "extract", "--tables", *tables, "--pair", "--to", "features"]
    command(*extract, "--bundle", "starter", *own)
    train = ["mafnet", "train", "--features", "features", "--to", "mine", "--trunks", "starter"]
    train += [*own, "--recipe", "modern", "--epochs", "1", "--batch-size", "2"]
    assert "does not know" not in command(*train)
    assert "error" not in command(
        "realtime", "--bundle", "mine", "--source", "clip.mp4", "--no-publish"
    )
