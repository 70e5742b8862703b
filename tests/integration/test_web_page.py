"""The page of a run: it shows the run while it goes on, and ends with it."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quick_recognition import use_quick_recognition
from realtime.config import HistoryConfig, RunConfig, SourceConfig, WebConfig
from realtime.errors import UsageError
from realtime.pipeline import JOIN_TIMEOUT_S, Pipeline

pytestmark = pytest.mark.timeout(120)


def make_config(folder: Path, **web: Any) -> RunConfig:
    return RunConfig(
        source=SourceConfig(name="demo", kind="demo", pace=True),
        publisher=None,
        history=HistoryConfig(file=str(folder / "history.db")),
        web=WebConfig(bind="127.0.0.1:0", **web),
        bundle="quick",
        backend="torch",
        precision="float32",
    )


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        content: bytes = answer.read()
        return content


def test_page_shows_the_run_while_it_goes_on_and_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_quick_recognition(monkeypatch)
    caplog.set_level(logging.INFO)
    pipeline = Pipeline(make_config(tmp_path))
    pipeline.open()
    try:
        (port,) = (int(n) for n in re.findall(r"page on http://127\.0\.0\.1:(\d+)/", caplog.text))
        pipeline.start()
        while True:  # the test's time-out ends it
            (source,) = json.loads(get(port, "/api/live"))["sources"]
            if source["likeliest"] and source["level_db"] is not None:
                break
            time.sleep(0.05)
        assert source["name"] == "demo"
        assert [sense["state"] for sense in source["senses"]] == ["ok", "ok"]
        picture = Image.open(io.BytesIO(get(port, "/api/sources/demo/picture")))
        assert picture.format == "JPEG"
        assert set(json.loads(get(port, "/api/names"))["known"]) >= {"Tone", "Flash"}
        assert json.loads(get(port, "/api/events"))["total"] >= 0
        watcher = urllib.request.urlopen(f"http://127.0.0.1:{port}/api/live/stream", timeout=30)
        with watcher:
            assert watcher.readline().startswith(b"data: {")
            began_s = time.monotonic()
            assert pipeline.close() == []
            assert time.monotonic() - began_s < JOIN_TIMEOUT_S + 1.0
    finally:
        pipeline.close()
    with pytest.raises(OSError):  # noqa: PT011 - refused, or reset
        get(port, "/")


def test_page_without_its_libraries_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_quick_recognition(monkeypatch)
    monkeypatch.setitem(sys.modules, "realtime.web.server", None)
    with pytest.raises(UsageError, match="pip install starlette uvicorn"):
        Pipeline(make_config(tmp_path)).open()


def test_page_whose_password_file_is_missing_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_quick_recognition(monkeypatch)
    with pytest.raises(UsageError, match=r"realtime\.keys password"):
        Pipeline(make_config(tmp_path, password_file=str(tmp_path / "none"))).open()
