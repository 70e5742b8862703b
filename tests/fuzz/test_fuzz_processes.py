"""Bad input as a user gives it: a process of its own, an exit code and one sentence at its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.media_seeds import damaged, wave_that_claims, write, write_leap
from integration.processes import run_stream

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]

EXIT_CODES = (0, 1, 2)
Make = Callable[[Path], list[str]]


def file_of(name: str, data: bytes) -> Make:
    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(data)
        return ["--source", str(folder / name)]

    return make


def damaged_mp4(seed: int) -> Make:
    def make(folder: Path) -> list[str]:
        whole = write(folder / "whole.mp4").read_bytes()
        (folder / "damaged.mp4").write_bytes(damaged(whole, seed)[1])
        return ["--source", str(folder / "damaged.mp4")]

    return make


def config_of(text: str) -> Make:
    def make(folder: Path) -> list[str]:
        (folder / "stream.toml").write_text(text)
        return ["--config", str(folder / "stream.toml")]

    return make


def bundle_of(**changes: object) -> Make:
    def make(folder: Path) -> list[str]:
        whole = {"format": 1, "name": "b", "labels": ["Bark"], **changes}
        (folder / "bundle.json").write_text(json.dumps(whole))
        return ["--source", "demo", "--bundle", str(folder)]

    return make


REFUSED: dict[str, Make] = {
    "zero length": file_of("a.mp4", b""),
    "zeros": file_of("a.mp4", bytes(4_000)),
    "text for a film": file_of("a.mkv", b"no film\n" * 100),
    "half a header": file_of("a.wav", b"RIFF\x00\x00\x00\x00WAVEfmt "),
    "sound at 1 Hz": lambda folder: ["--source", str(wave_that_claims(folder / "a.wav", 1, 1))],
    "sound at 3 MHz": lambda f: ["--source", str(wave_that_claims(f / "a.wav", 3_000_000, 1))],
    "a folder": lambda folder: ["--source", str(folder)],
    "no file": lambda folder: ["--source", str(folder / "none.mp4")],
    "a device that is none": lambda folder: ["--source", "/dev/null"],
    "a name with a zero": file_of("playlist.m3u8", b"#EXTM3U\n/etc/passwd\n"),
    "unknown scheme": lambda folder: ["--source", "gopher://127.0.0.1/x"],
    "nobody there": lambda folder: ["--source", "rtsp://127.0.0.1:1/x"],
    "config of brackets": config_of("[" * 3_000),
    "config with half a line": config_of("[source]\nname ="),
    "config with an unknown key": config_of("[source]\nkind = 'demo'\nnam = 'x'"),
    "config with a huge number": config_of("[window]\nn_clips = " + "9" * 400),
    "config with NaN": config_of("[source]\nkind = 'demo'\nhold_s = nan"),
    "bundle of a word": bundle_of(labels="Bark"),
    "bundle that leads out": bundle_of(head={"file": "../../etc/passwd", "sha256": "0" * 64}),
    "bundle of another format": bundle_of(format=99),
    "bundle with half a character": bundle_of(name="\ud800"),
    "recording onto a file": lambda folder: [
        "--source", "demo", "--record", str(file_of("f", b"x")(folder)[1]),
    ],
}  # fmt: skip

ANY: dict[str, Make] = {
    **{f"damaged {seed}": damaged_mp4(seed) for seed in range(8)},
    "leap of a day": lambda folder: [
        "--source", str(write_leap(folder / "leap.mkv", 86_400)),
    ],
    "one frame": lambda folder: ["--source", str(write(folder / "a.mp4", seconds=0.04))],
}  # fmt: skip


def check(make: Make, folder: Path, bundle: Path) -> int:
    flags = make(folder)
    if "--bundle" not in flags:
        flags = [*flags, "--bundle", str(bundle)]
    before = sorted(folder.rglob("*"))
    result = run_stream(
        *flags, "--no-publish", "--backend", "torch", "--no-dashboard", timeout_s=120
    )

    assert result.returncode in EXIT_CODES, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert sorted(folder.rglob("*")) == before, "it left something behind"
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        assert lines
        assert lines[-1].startswith("run_stream"), lines
    return result.returncode


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_sentence_and_an_exit_code(
    name: str, tmp_path: Path, random_bundle: Path
) -> None:
    assert check(REFUSED[name], tmp_path, random_bundle) in (1, 2)


@pytest.mark.parametrize("name", ANY)
def test_damaged_input_works_or_is_one_sentence(
    name: str, tmp_path: Path, random_bundle: Path
) -> None:
    check(ANY[name], tmp_path, random_bundle)
