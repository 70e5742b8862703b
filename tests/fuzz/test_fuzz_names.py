"""Names of files and folders that may be anything, and texts that may be paths or URLs."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from fuzz.media_seeds import write
from fuzz.program import Findings, judge
from quick_recognition import use_quick_recognition
from realtime.command_line.main import main

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(600)]

N_NAMES = 150
N_TEXTS = 400
PIECES = [
    *(b":", b"://", b"file:", b"rtsp:", b"C:", b"%", b"%20", b"%00", b"%03d", b"?", b"#", b"&"),
    *(b"\n", b"\r", b"\t", b" ", b"~", b"-", b"--help", b".", b"..", b"*", b"[", b"'", b'"', b"\\"),
    *(b"\x1b[31m", b"\x7f", b"\xef", b"\xff\xfe", b"\xed\xa0\x80", b"$HOME", b"`id`", b"|", b"@"),
    *("\u202e".encode(), "\u2028".encode(), "犬".encode(), "é".encode(), b"user:secret@host"),
    *(b"clip", b"a", b"0", b"2026-01-02T10:20:30"),
]
TEXT_PIECES = [piece.decode("utf-8", "surrogateescape") for piece in PIECES] + [
    *("/", "//", "file://", "file:///", "localhost", "http://127.0.0.1:9/", "rtsp://[::1", "\0"),
    *("demo", "ipc://", "~root", "\ud800" + "x"),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)


def _name(seed: int) -> bytes:
    rng = random.Random(seed)
    name = b"".join(rng.choice(PIECES) for _ in range(rng.randint(1, 6)))
    name = name.replace(b"/", b"").replace(b"\0", b"")[:200]
    return name + b".mkv"


def test_file_and_folder_of_any_name_are_read_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write(tmp_path / "clip.mkv", video="mpeg4", audio="pcm_s16le", seconds=1.2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the publisher's inner socket
    findings = Findings()
    for seed in range(N_NAMES):
        name = os.fsdecode(_name(seed))
        folder = tmp_path / "run" / os.fsdecode(_name(seed + N_NAMES))
        folder.mkdir(parents=True)
        shutil.copy(clip, folder / name)
        monkeypatch.chdir(folder)
        given = [name, str(folder / name), (folder / name).as_uri()][seed % 3]
        flags = [f"--source={given}", "--bind=tcp://127.0.0.1:*", "--log-json"]
        if seed % 5 == 0:
            flags += [f"--record={os.fsdecode(_name(seed + 2 * N_NAMES))}"]

        outcome = judge(lambda flags=flags: main(flags), folder=tmp_path)  # type: ignore[misc]

        findings.add(repr(name), outcome)
        if outcome.code != 0:
            print(repr(given), outcome.code, outcome.sentence)
        shutil.rmtree(folder)
    findings.conclude(at_least=N_NAMES)
    assert findings.codes == {0: N_NAMES}


def test_text_that_names_nothing_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    findings = Findings()
    for seed in range(N_TEXTS):
        rng = random.Random(seed)
        text = "".join(rng.choice(TEXT_PIECES) for _ in range(rng.randint(1, 5)))
        if text == "demo" or ("://" in text and not text.lower().startswith("file:")):
            continue  # the network is not the point here
        findings.add(
            repr(text),
            judge(lambda text=text: main([f"--source={text}", "--no-publish"]), folder=tmp_path),  # type: ignore[misc]
        )
    print(findings.codes)
    findings.conclude(at_least=N_TEXTS // 2)
