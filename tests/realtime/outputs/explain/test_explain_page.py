"""`--explain`: what a run leaves, what it refuses, what is there when it cannot be written."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.clock import NS_PER_S
from realtime.config import RunConfig, SourceConfig
from realtime.errors import OutputError, UsageError
from realtime.outputs.explain.output import MAX_EVENTS, ExplainPage
from realtime.outputs.wire import Quality
from realtime.packets import CLIP_SAMPLES, Clip, GridFrame
from wire_samples import LABELS, make_event, make_prediction, make_stamper, make_timeline


def make_page(path: Path) -> ExplainPage:
    return ExplainPage(path, "hall", LABELS, 0.25, "starter 8")


def make_clip(index: int, *, heard: bool = True) -> Clip:
    end_t_ns = NS_PER_S + index * NS_PER_S // 4
    frame = GridFrame(
        slot=4 * index, time_ns=0, image=np.full((224, 224, 3), 9 * index % 255, np.uint8)
    )
    wave = np.full(CLIP_SAMPLES, 0.1, np.float32)
    return Clip(
        index=index, end_t_ns=end_t_ns, decide=True, waveform=wave if heard else None,
        slots=(0,) * 16, new_frames=(frame,), newest_ns=0, av_skew_ms=None,
    )  # fmt: skip


def tell(page: ExplainPage, number: int, **event: Any) -> None:
    page.write(
        make_stamper().event(
            "hall", make_timeline(), make_event(number, **event), make_prediction(), LABELS,
            Quality(),
        )
    )  # fmt: skip


def told_by(path: Path) -> dict[str, Any]:
    found = re.search(r'id="told">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


def test_page_has_what_was_seen_heard_decided_and_told(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    page = make_page(path)
    page.open()
    assert list(tmp_path.iterdir()) == []
    for index in range(40):
        clip = make_clip(index, heard=not 12 <= index < 24)
        page.watch(clip, make_prediction(end_t_ns=clip.end_t_ns))
    tell(page, 1, label="Siren", onset_s=2.0, offset_s=None)
    tell(page, 1, label="Siren", onset_s=2.0, offset_s=5.0)
    page.close()
    page.conclude()
    page.conclude()
    assert [each.name for each in tmp_path.iterdir()] == ["out.html"]
    told = told_by(path)
    assert told["to_s"] == 10.75
    assert len(told["times"]) == 40
    assert [(event["onset_s"], event["offset_s"]) for event in told["events"]] == [(2.0, 5.0)]
    assert told["labels"][0]["label"] == "Siren"
    assert len(told["film"]["times"]) == 40
    sound = told["sound"]
    assert sound["to_s"] == pytest.approx(10.75, abs=0.03)
    columns = np.frombuffer(base64.b64decode(sound["columns"]), np.uint8).reshape(-1, 64)
    is_silent = columns.max(axis=1) == 0
    # Clips 12 to 23 were not heard; the next one's second reaches back to 6 s.
    silent_s = (np.flatnonzero(is_silent) * 0.01 + sound["from_s"]).tolist()
    assert min(silent_s) == pytest.approx(3.75, abs=0.05)
    assert max(silent_s) == pytest.approx(6.75, abs=0.05)


def test_the_surest_of_too_many_events_stay(tmp_path: Path) -> None:
    page = make_page(tmp_path / "out.html")
    for number in range(1, MAX_EVENTS + 20):
        tell(page, number, onset_s=float(number), offset_s=number + 0.5, confidence=number / 1000)
    page.conclude()
    told = told_by(tmp_path / "out.html")
    assert told["n_events"] == MAX_EVENTS + 19
    assert len(told["events"]) == MAX_EVENTS
    assert told["events"][0]["onset_s"] == 20.0


def test_place_that_cannot_be_written_is_said_before_anything_begins(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "out.html"):
        with pytest.raises(OutputError, match="--explain cannot write"):
            make_page(path).open()


def test_what_was_there_stays_when_the_page_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.html"
    path.write_text("of an earlier run")
    page = make_page(path)

    def full(self: Path, *words: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="No space left"):
        page.conclude()
    assert path.read_text() == "of an earlier run"
    assert [each.name for each in tmp_path.iterdir()] == ["out.html"]


def test_several_sources_have_no_one_page() -> None:
    demo = SourceConfig(name="demo", kind="demo")
    with pytest.raises(UsageError, match="--explain is of one source"):
        RunConfig(
            source=demo, more_sources=(SourceConfig(name="b", kind="demo"),), explain="out.html"
        )
