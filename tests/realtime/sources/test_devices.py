"""Readers of devices, with fakes where the library would be, and the list of devices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.config import SourceConfig
from realtime.errors import LibraryMissing, SourceError
from realtime.sources import camera, devices, microphone, portaudio, sound_inputs
from realtime.sources.block_dating import BlockDating
from realtime.sources.capture import Capture
from realtime.sources.factory import open_readers
from source_builders import make_stream

NO_CAMERA_HERE = not list(Path("/dev").glob("video*"))

DEVICES = [
    {"index": 0, "name": "HDMI", "max_input_channels": 0, "default_samplerate": 48000.0},
    {"index": 1, "name": "USB Mic Array", "max_input_channels": 4, "default_samplerate": 16000.0},
    {"index": 2, "name": "Built-in", "max_input_channels": 2, "default_samplerate": 44100.0},
    {"index": 3, "name": "USB Webcam", "max_input_channels": 1, "default_samplerate": 48000.0},
]


class FakeSounddevice:
    """Enough of the module to choose a device."""

    def __init__(self, found: list[dict[str, object]], default: int = 2) -> None:
        self._found = found
        self.default = SimpleNamespace(device=(default, 0))

    def query_devices(self) -> list[dict[str, object]]:
        return self._found


class PortAudioError(Exception):
    """As sounddevice's, which derives from nothing nearer."""


class FailingSounddevice(FakeSounddevice):
    """A PortAudio that lists nothing."""

    PortAudioError = PortAudioError

    def query_devices(self) -> list[dict[str, object]]:
        raise PortAudioError("Error querying device -1")


class FakeCv2:
    """The module, as far as a capture needs it."""

    class error(Exception):  # noqa: N801, N818 - OpenCV's name
        """What a backend throws."""


class FakeCapture:
    """A camera at 25 frames a second whose driver kept some of them."""

    def __init__(self, clock: ManualClock, n_kept: int) -> None:
        self._clock = clock
        self._n_kept = n_kept
        self._n_grabbed = 0

    def grab(self) -> bool:
        self._n_grabbed += 1
        if self._n_grabbed > self._n_kept:
            self._clock.advance(40 * NS_PER_MS)
        return True

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((8, 8, 3), self._n_grabbed, np.uint8)

    def release(self) -> None:
        pass


@pytest.mark.skipif(not NO_CAMERA_HERE, reason="this machine has a camera")
def test_a_missing_camera_is_one_sentence_with_what_to_do() -> None:
    config = SourceConfig(name="cam", kind="live", camera="0")
    i = make_stream(live=True).inlet
    with pytest.raises(SourceError, match="no /dev/video") as caught:
        open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)
    assert "--source FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "number"), [("default", 2), ("1", 1), ("array", 1), ("webcam", 3), ("Built-in", 2)]
)
def test_a_microphone_is_found_by_number_or_name(asked: str, number: int) -> None:
    assert sound_inputs.find_input(FakeSounddevice(DEVICES), asked)["index"] == number


def test_the_first_input_is_taken_when_there_is_no_default() -> None:
    assert sound_inputs.find_input(FakeSounddevice(DEVICES, default=-1), "default")["index"] == 1


@pytest.mark.parametrize(
    ("asked", "said"), [("usb", "several"), ("0", "no sound input"), ("piano", "no sound input")]
)
def test_the_inputs_are_named_when_none_or_several_fit(asked: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        sound_inputs.find_input(FakeSounddevice(DEVICES), asked)
    assert "1 'USB Mic Array'" in str(caught.value)


def test_no_sound_input_is_one_sentence() -> None:
    with pytest.raises(SourceError, match="no sound input exists"):
        sound_inputs.find_input(FakeSounddevice(DEVICES[:1]), "default")


def test_the_converters_time_is_believed_when_it_is_possible() -> None:
    dating = BlockDating(16_000, latency_s=0.05)

    assert dating.first_sample_ns(320, NS_PER_S, 0.035) == NS_PER_S - 35 * NS_PER_MS
    assert dating.believes_device


@pytest.mark.parametrize("age_s", [0.0, -3.0, 1e6, float("nan")])
def test_arrival_dates_a_block_when_the_converters_time_is_a_lie(age_s: float) -> None:
    dating = BlockDating(16_000, latency_s=0.05)

    assert dating.first_sample_ns(320, NS_PER_S, age_s) == NS_PER_S - 50 * NS_PER_MS
    assert not dating.believes_device
    assert dating.first_sample_ns(320, NS_PER_S, 0.035) == NS_PER_S - 50 * NS_PER_MS


def test_the_callback_only_copies_and_never_waits_when_nobody_takes() -> None:
    stream = make_stream(live=True)
    reader = microphone.MicrophoneReader("default", stream.inlet)
    time = SimpleNamespace(currentTime=1.0, inputBufferAdcTime=0.98)
    samples = np.zeros((320, 1), np.float32)
    for _ in range(microphone._QUEUE_BLOCKS + 7):
        reader._callback(samples, 320, time, SimpleNamespace(input_overflow=True))

    assert reader._blocks.qsize() == microphone._QUEUE_BLOCKS
    assert reader._n_lost == 7
    assert reader._blocks.get().samples is not samples


def test_sound_begins_at_the_first_step_when_blocks_were_queued_before() -> None:
    clock = ManualClock(NS_PER_S)
    stream = make_stream(live=True, clock=clock)
    reader = microphone.MicrophoneReader("default", stream.inlet)
    reader._stream = SimpleNamespace(active=True)
    reader._audio = stream.inlet.audio_intake(16_000, 1)
    reader._dating = BlockDating(16_000, latency_s=0.0)
    time = SimpleNamespace(currentTime=1.0, inputBufferAdcTime=0.98)
    status = SimpleNamespace(input_overflow=False)
    for _ in range(microphone._QUEUE_BLOCKS + 7):  # models load
        clock.advance(20 * NS_PER_MS)
        reader._callback(np.ones((320, 1), np.float32), 320, time, status)
    began_ns = clock.now_ns()
    assert reader.step()  # finds nothing new
    clock.advance(20 * NS_PER_MS)
    reader._callback(np.zeros((320, 1), np.float32), 320, time, status)

    assert reader.step()

    assert stream.timeline.epoch_ns == began_ns
    assert stream.sound().max() == 0.0
    assert stream.count("dropped_blocks") == 0


def test_pictures_begin_at_the_first_step_when_the_driver_kept_older_ones() -> None:
    clock = ManualClock()
    stream = make_stream(live=True, clock=clock)
    reader = camera.CameraReader("0", stream.inlet)
    reader._capture = Capture(FakeCv2, FakeCapture(clock, n_kept=3))
    reader._video = stream.inlet.video_intake()

    for _ in range(6):
        assert reader.step()

    assert stream.timeline.epoch_ns == 80 * NS_PER_MS
    assert stream.frames.read(0, 0)[0].image.max() == 5  # 1 to 3 were old, 4 was waited for


def test_camera_whose_pictures_grow_beyond_8k_is_refused_in_one_sentence() -> None:
    stream = make_stream(live=True, clock=ManualClock())
    reader = camera.CameraReader("0", stream.inlet)
    capture = FakeCapture(ManualClock(), n_kept=0)
    reader._capture, reader._video = Capture(FakeCv2, capture), stream.inlet.video_intake()
    assert reader.step()
    huge = np.broadcast_to(np.uint8(0), (10_000, 10_000, 3))
    capture.retrieve = lambda: (True, huge)  # type: ignore[method-assign]

    with pytest.raises(SourceError, match="10000x10000; up to 8K") as caught:
        reader.step()
    assert "\n" not in str(caught.value)


def test_a_failing_portaudio_is_one_sentence_when_devices_are_asked_for() -> None:
    with pytest.raises(SourceError, match=r"cannot list the sound devices: Error querying"):
        sound_inputs.find_input(FailingSounddevice(DEVICES), "default")


@pytest.mark.parametrize(
    ("module", "kind", "words"),
    [
        (
            "class PortAudioError(Exception): pass\nraise PortAudioError('no host')",
            SourceError,
            "no host",
        ),
        ("raise OSError('PortAudio library not found')", LibraryMissing, "libportaudio2"),
    ],
)
def test_a_portaudio_that_does_not_start_is_one_sentence(
    module: str,
    kind: type[Exception],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sounddevice.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)

    with pytest.raises(kind, match=words):
        portaudio.import_sounddevice()


def test_cameras_are_listed_with_their_argument(tmp_path: Path) -> None:
    for number, index in ((0, "0"), (1, "1"), (10, "0")):
        folder = tmp_path / f"video{number}"
        folder.mkdir()
        (folder / "name").write_text(f"Camera {number}\n")
        (folder / "index").write_text(index)

    lines = devices._cameras(tmp_path)

    assert len(lines) == 2
    assert lines[0].split() == ["--camera", "0", "/dev/video0", "Camera", "0"]


def test_listing_needs_no_heavy_package_and_always_answers() -> None:
    code = (
        "import sys; from realtime.sources.devices import list_devices; print(list_devices());"
        "sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'av', 'PIL')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[3],
    )

    assert done.returncode == 0, done.stderr
    assert "Cameras" in done.stdout
    assert "Sound inputs" in done.stdout


@pytest.mark.parametrize(
    ("claimed", "opened"), [(1, 1), (2, 2), (4, 4), (8, 8), (9, 2), (32, 2), (64, 2), (128, 2)]
)
def test_sound_server_that_makes_channels_up_is_asked_for_two(claimed: int, opened: int) -> None:
    info = {"name": "pulse", "default_samplerate": 44100.0, "max_input_channels": claimed}

    assert sound_inputs.device_form(info) == (44100, opened)
