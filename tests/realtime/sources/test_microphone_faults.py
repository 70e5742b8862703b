"""What sounddevice and PortAudio may do instead of answering: one sentence, nothing left open."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.errors import SourceError
from realtime.sources import microphone, portaudio
from source_builders import make_stream

BAD_NAME = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


class PortAudioError(Exception):
    """As sounddevice's, which derives from nothing nearer."""


class FakeStream:
    """A stream of which any call may fail."""

    def __init__(self, module: FakeSounddevice, callback: Any) -> None:
        self.callback = callback
        self._module = module
        module.call("InputStream")

    def start(self) -> None:
        self._module.call("start")
        self._module.n_started += 1

    def close(self, ignore_errors: bool = True) -> None:
        self._module.n_closed += 1
        self._module.call("close")

    @property
    def active(self) -> bool:
        self._module.call("active")
        return self._module.is_active

    @property
    def latency(self) -> Any:
        self._module.call("latency")
        return self._module.latency_s


class FakeSounddevice:
    """The module, with one microphone and whatever others."""

    PortAudioError = PortAudioError

    def __init__(self, rate_hz: float = 16_000.0) -> None:
        self.faults: dict[str, Exception] = {}
        self.n_started = self.n_closed = 0
        self.is_active = True
        self.latency_s: Any = 0.1
        self.default = SimpleNamespace(device=(1, 1))
        self.found: list[dict[str, Any] | Exception] = [
            {"index": 0, "name": "HDMI", "max_input_channels": 0, "default_samplerate": 48_000.0},
            {"index": 1, "name": "Mic", "max_input_channels": 1, "default_samplerate": rate_hz},
        ]
        self.stream: FakeStream | None = None

    def call(self, name: str) -> None:
        if name in self.faults:
            raise self.faults[name]

    def query_devices(self, number: int | None = None) -> Any:
        self.call("query_devices")
        if number is not None:
            if number >= len(self.found):
                raise PortAudioError(f"Error querying device {number}")
            asked = self.found[number]
            if isinstance(asked, Exception):
                raise asked
            return asked
        return [self.query_devices(k) for k in range(len(self.found))]

    def InputStream(self, callback: Any, **_: Any) -> FakeStream:  # noqa: N802 - its name
        self.stream = FakeStream(self, callback)
        return self.stream


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> FakeSounddevice:
    return use(FakeSounddevice(), monkeypatch)


def use(module: FakeSounddevice, monkeypatch: pytest.MonkeyPatch) -> FakeSounddevice:
    monkeypatch.setattr(microphone, "import_sounddevice", lambda: module)
    monkeypatch.setattr(portaudio, "_open_streams", set())
    return module


def reader_of(clock: ManualClock | None = None) -> tuple[microphone.MicrophoneReader, Any]:
    stream = make_stream(live=True, clock=clock or ManualClock(NS_PER_S))
    return microphone.MicrophoneReader("default", stream.inlet), stream


@pytest.mark.parametrize(
    "fault",
    [PortAudioError("Device unavailable"), ValueError("bad channels"), OSError("no memory")],
    ids=lambda f: type(f).__name__,
)
@pytest.mark.parametrize("call", ["query_devices", "InputStream", "start"])
def test_microphone_that_throws_at_the_opening_is_one_sentence_and_is_closed(
    call: str, fault: Exception, module: FakeSounddevice
) -> None:
    module.faults[call] = fault
    reader, _ = reader_of()

    with pytest.raises(SourceError) as caught:
        reader.open()
    reader.close()

    assert "\n" not in str(caught.value)
    assert module.n_closed == (1 if call == "start" else 0)
    assert not portaudio._open_streams


def test_microphone_that_throws_at_its_closing_counts_as_closed(
    module: FakeSounddevice, caplog: pytest.LogCaptureFixture
) -> None:
    module.faults["close"] = PortAudioError("Illegal error number")
    reader, _ = reader_of()
    reader.open()

    reader.close()
    reader.close()

    assert "not closed as it should be" in caplog.text
    assert not portaudio._open_streams


@pytest.mark.parametrize("is_fault", [True, False])
def test_microphone_that_stopped_is_one_sentence(is_fault: bool, module: FakeSounddevice) -> None:
    reader, _ = reader_of()
    reader.open()
    module.is_active = False
    if is_fault:
        module.faults["active"] = PortAudioError("Invalid stream pointer")

    with pytest.raises(SourceError, match="unplugged"):
        reader.step()


@pytest.mark.parametrize("latency", [math.nan, math.inf, (0.1, 0.2), None])
def test_microphone_is_read_when_its_latency_is_no_number(
    latency: Any, module: FakeSounddevice
) -> None:
    module.latency_s = latency
    reader, _ = reader_of()

    reader.open()

    assert reader.describe() == "Mic, 16000 Hz, 1 channel"


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, math.nan, math.inf, 5e9])
def test_rate_that_no_sound_has_is_one_sentence(
    rate_hz: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = use(FakeSounddevice(rate_hz), monkeypatch)
    reader, _ = reader_of()

    with pytest.raises(SourceError, match="tells a rate of"):
        reader.open()

    assert module.n_started == 0


@pytest.mark.parametrize("status", [False, True])
def test_callback_takes_whatever_comes(status: bool, module: FakeSounddevice) -> None:
    clock = ManualClock(NS_PER_S)
    reader, stream = reader_of(clock)
    reader.open()
    assert reader.step()  # nothing is there
    assert module.stream is not None
    blocks = [np.zeros((0, 1), np.float32), np.full((320, 1), np.nan, np.float32)]
    blocks += [np.full((7, 1), 0.5, np.float32), np.full((320, 1), np.inf, np.float32)]
    for block in blocks:
        clock.advance(20 * NS_PER_MS)
        times = SimpleNamespace(currentTime=math.nan, inputBufferAdcTime=0.0)
        flags = SimpleNamespace(input_overflow=status)
        module.stream.callback(block, len(block), times, flags)
    for _ in blocks:
        assert reader.step()

    assert np.isfinite(stream.sound()).all()
    assert stream.count("bad_samples") == 640
    assert stream.count("audio_overflows") == 4 * status


def test_device_whose_name_is_no_text_hides_no_other(module: FakeSounddevice) -> None:
    module.found.insert(0, BAD_NAME)

    devices, default = portaudio.query_devices(module)

    assert [device["name"] for device in devices] == ["HDMI", "Mic"]
    assert default == 1


def test_portaudio_that_cannot_be_started_anew_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portaudio, "_open_streams", set())
    with pytest.raises(SourceError, match="cannot start"):
        portaudio.start_anew(FakeSounddevice())  # has none of the names that it needs
