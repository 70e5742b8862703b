"""How much of a file is missing is said: in the summary, in the last status and by exit code 1."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.quick_runs import run_file
from quick_recognition import use_quick_recognition
from realtime.command_line.main import main
from realtime.errors import SourceError
from realtime.sources.container import MediaContainer
from realtime.stats import Damage, Stats
from stamped_media import write_stamped

pytestmark = pytest.mark.timeout(120)

SECONDS = 20
PACKET = 188  # of a transport stream

Harm = Callable[[bytes], bytes]
WHOLE: dict[str, dict[str, Any]] = {
    "a.mp4": {"video": "mpeg4", "audio": "aac", "options": {"movflags": "faststart"}},
    "h264.mp4": {"video": "h264", "audio": "aac", "options": {"movflags": "faststart"}},
    "a.mkv": {"video": "mpeg4", "audio": "aac"},
    "a.avi": {"video": "mpeg4", "audio": "libmp3lame"},
    "a.ts": {"video": "mpeg2video", "audio": "mp2"},
    "aac.ts": {"video": "h264", "audio": "aac"},
    "a.mpg": {"video": "mpeg2video", "audio": "mp2"},
    "a.flv": {"video": "flv", "audio": "aac"},
}
SOUNDS: dict[str, dict[str, Any]] = {
    "a.wav": {"audio": "pcm_s16le"},
    "a.flac": {"audio": "flac"},
    "a.mp3": {"audio": "libmp3lame"},
    "a.ogg": {"audio": "flac"},
    "a.m4a": {"audio": "aac"},
}


def write(folder: Path, name: str) -> Path:
    made = {**WHOLE, **SOUNDS}[name]
    pictures = [] if name in SOUNDS else [k / 25 for k in range(25 * SECONDS)]
    loud = [(2, 3), (SECONDS - 2, SECONDS - 1)]
    return write_stamped(folder / name, pictures=pictures, sounds=[(0, SECONDS)], loud=loud, **made)


def zeros_from(start: float, stop: float) -> Harm:
    def harm(data: bytes) -> bytes:
        a, b = round(len(data) * start), round(len(data) * stop)
        return data[:a] + bytes(b - a) + data[b:]

    return harm


def cut_at(share: float) -> Harm:
    return lambda data: data[: round(len(data) * share)]


def lost_packets(data: bytes) -> bytes:
    chance = random.Random(3)
    packets = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    kept = [p for k, p in enumerate(packets) if k < 200 or chance.random() > 0.02]
    return b"".join(kept)


@pytest.mark.parametrize("name", [*WHOLE, *SOUNDS])
def test_nothing_is_said_of_a_whole_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_file(write(tmp_path, name), monkeypatch)

    assert not Damage.of(run.view.stats), Damage.of(run.view.stats)
    run.pipeline.raise_failure()  # there is none
    assert run.end_s == pytest.approx(SECONDS, abs=0.3)


@pytest.mark.parametrize(
    ("name", "harm", "missing_s"),
    [
        ("a.mp4", zeros_from(0.3, 0.8), (7, 13)),
        ("h264.mp4", zeros_from(0.3, 0.8), (4, 14)),
        ("a.mkv", zeros_from(0.3, 0.8), (7, 13)),
        ("a.avi", zeros_from(0.3, 0.8), (7, 13)),
        ("a.ts", zeros_from(0.3, 0.8), (7, 13)),
        ("aac.ts", zeros_from(0.3, 0.8), (5, 14)),
        ("a.mpg", zeros_from(0.3, 0.8), (7, 13)),
        ("a.flv", zeros_from(0.3, 0.8), (7, 15)),
        ("a.mp4", zeros_from(0.5, 1.0), (7, 13)),
        ("a.mp4", cut_at(0.5), (7, 13)),
        ("a.mkv", cut_at(0.5), (7, 13)),
        ("a.avi", cut_at(0.5), (7, 13)),
        ("a.wav", cut_at(0.5), (9, 11)),
        ("a.flac", cut_at(0.5), (7, 13)),
        ("a.ts", lost_packets, (0, 10)),
        ("aac.ts", lost_packets, (0, 10)),
    ],
)
def test_damage_is_told_in_packets_and_seconds(
    name: str,
    harm: Harm,
    missing_s: tuple[float, float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write(tmp_path, name)
    path.write_bytes(harm(path.read_bytes()))

    run = run_file(path, monkeypatch)

    damage = Damage.of(run.view.stats)
    low, high = missing_s
    assert low <= damage.sound_s <= high, damage
    if name in WHOLE:
        assert low <= damage.picture_s <= high, damage
    with pytest.raises(SourceError, match=r"file is damaged \(.* s of sound\)"):
        run.pipeline.raise_failure()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mpg"])
def test_what_comes_after_half_a_file_of_zeros_is_recognized(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, name)
    path.write_bytes(zeros_from(0.3, 0.8)(path.read_bytes()))

    run = run_file(path, monkeypatch)

    late = [p for p in run.predictions if p.end_t_ns > (SECONDS - 2) * 1e9]
    assert max(p.newest[0] for p in late) > 0.8
    assert run.end_s == pytest.approx(SECONDS, abs=0.3)


def test_summary_and_exit_code_tell_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_quick_recognition(monkeypatch)
    path = write(tmp_path, "a.mkv")
    path.write_bytes(zeros_from(0.3, 0.8)(path.read_bytes()))

    code = main(["--source", str(path), "--no-publish", "--no-dashboard"])

    said = capsys.readouterr()
    assert code == 1
    assert "damaged: " in said.out
    assert said.err.strip().splitlines()[-1].startswith("run_stream: a is damaged (")
    assert "Tone" in said.out


def test_live_stream_counts_what_its_packets_lost(tmp_path: Path) -> None:
    path = write(tmp_path, "a.ts")
    path.write_bytes(lost_packets(path.read_bytes()))
    stats = Stats()
    container = MediaContainer(str(path), picture=True, sound=True, stats=stats, live=True)
    while container.read() is not None:
        pass
    container.close()

    damage = Damage.of(stats.snapshot())
    assert damage.n_packets > 10
    assert damage.picture_s > 0
