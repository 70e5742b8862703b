"""`run_stream.py --record`: files, their lengths and sidecars, as a user gets them."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from integration.processes import run_stream

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
