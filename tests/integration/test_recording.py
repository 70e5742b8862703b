"""`run_stream.py --record`: files, their lengths and sidecars, as a user gets them."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import av
import pytest

from integration.processes import run_stream
from realtime.sources.demo_scene import render_sound

pytestmark = pytest.mark.timeout(300)


def test_demo_events_are_recorded_when_a_folder_is_given(
    random_bundle: Path, tmp_path: Path
) -> None:
    result = run_stream(
        "--source", "demo", "--duration", "8", "--no-publish", "--bundle", str(random_bundle),
        "--record", str(tmp_path / "events"),
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    sidecars = [json.loads(f.read_text()) for f in (tmp_path / "events").rglob("*_*.json")]
    assert sidecars
    assert {told["state"] for told in sidecars} == {"complete"}
    for told in sidecars:
        (path,) = tmp_path.rglob(told["file"])
        with av.open(str(path)) as container:
            assert container.duration / 1e6 == pytest.approx(told["duration_s"], abs=0.1)
            assert {stream.type for stream in container.streams} == {"video", "audio"}
    assert (tmp_path / "events" / "events.jsonl").read_text().count("\n") >= 2


def test_each_of_several_streams_is_recorded_in_its_own_folder(tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    with wave.open(str(short), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        siren = render_sound()[5 * 16_000 : 8 * 16_000]
        file.writeframes((siren * 32767).astype("<i2").tobytes())
    result = run_stream(
        "--source", str(short), "--source", "demo", "--duration", "8", "--no-publish",
        "--backend", "torch", "--hop", "0.5", "--record", str(tmp_path / "events"),
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    told = [(f, json.loads(f.read_text())) for f in (tmp_path / "events").rglob("*_*.json")]
    assert {f.relative_to(tmp_path / "events").parts[0] for f, _ in told} == {"short", "demo"}
    for path, sidecar in told:
        stream = path.relative_to(tmp_path / "events").parts[0]
        assert sidecar["state"] == "complete"
        assert sidecar["source"] == stream
        assert sidecar["duration_s"] <= (3.1 if stream == "short" else 8.1)
        assert path.with_name(sidecar["file"]).exists()


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--record-labels", "Bark"], 2, "--record DIR"),
        (["--record", "here", "--record-labels", "Unicorn"], 2, "Unicorn"),
        (["--record", "README.md"], 1, "README.md"),
    ],
)
def test_recording_that_cannot_work_is_one_sentence(
    random_bundle: Path, flags: list[str], code: int, words: str
) -> None:
    result = run_stream("--source", "demo", "--bundle", str(random_bundle), *flags)

    assert result.returncode == code
    assert words in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.stderr
