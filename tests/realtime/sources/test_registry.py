"""Sources that somebody added, by their scheme."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from quick_recognition import use_quick_recognition
from realtime import Inlet, SourceConfig, recognize
from realtime.api.options import make_run_config
from realtime.errors import SourceError
from realtime.packets import SAMPLE_RATE
from realtime.sources import registry
from realtime.sources.registry import SourceKind, kind_of, register_source

BLOCK = np.full(1600, 0.5, np.float32)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_kinds", {})


class Hum:
    """Hums for `n` blocks of 0.1 s."""

    name = "capture-tone"
    n_opened = 0

    def __init__(self, config: SourceConfig, inlet: Inlet) -> None:
        self.n = int((config.media or "").rpartition("/")[2])
        self._inlet = inlet
        self._count = 0
        self._audio = inlet.audio_intake(SAMPLE_RATE, 1)

    def open(self) -> None:
        type(self).n_opened += 1
        if not self.n:
            raise SourceError("nothing hums here")

    def step(self) -> bool:
        self._audio.append(BLOCK, self._count * 100_000_000)
        self._count += 1
        if self._count < self.n:
            return True
        self._audio.end()
        return False

    def close(self) -> None:
        pass

    def describe(self) -> str:
        return "a hum"


def test_recording_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)
    register_source("hum", SourceKind(make=Hum, picture=False, live=False))

    (event,) = recognize("hum://here/100", phases="offset", pace=True)

    assert event.label == "Tone"
    assert event.offset_s == pytest.approx(10.0, abs=0.1)
    assert event.latency_ms is None
    assert event.senses == ("sound",)


def test_live_source_that_is_not_there_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)
    register_source("hum", SourceKind(make=Hum, picture=False))

    with pytest.raises(SourceError, match="nothing hums here"):
        next(recognize("hum://here/0"))


def test_live_source_that_ended_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)
    register_source("hum", SourceKind(make=Hum, picture=False))
    Hum.n_opened = 0
    source = SourceConfig(name="hum", kind="media", media="hum://here/3", retry_s=(0.1,))

    with recognize(source, phases="all"):
        for _ in range(100):
            if Hum.n_opened > 1:
                break
            threading.Event().wait(0.1)

    assert Hum.n_opened > 1


def test_reader_that_cannot_be_made_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)
    register_source("hum", SourceKind(make=Hum, picture=False, live=False))
    with pytest.raises(SourceError, match=r"hum://x/ten cannot be read: invalid literal for int"):
        list(recognize("hum://x/ten"))


def test_path_in_a_scheme_of_ones_own_names_its_stream() -> None:
    names = [
        source.name
        for source in make_run_config(
            ["hum:///tmp/porch.log", "hum:///tmp/yard.log?rate=3", "rtsp://cam/stream"], None
        ).sources
    ]
    assert names == ["porch", "yard", "cam"]


def test_scheme_is_found_in_any_case() -> None:
    kind = SourceKind(make=Hum)
    register_source("hum", kind)

    assert kind_of("HUM://x") is kind
    assert kind_of("rtsp://x") is None
    assert kind_of("clip.mp4") is None
    assert kind_of(None) is None


def test_scheme_is_taken_once() -> None:
    kind = SourceKind(make=Hum)
    register_source("hum", kind)
    register_source("hum", kind)

    with pytest.raises(ValueError, match="has a source already"):
        register_source("hum", SourceKind(make=Hum))
    with pytest.raises(ValueError, match="small letters"):
        register_source("C", kind)
