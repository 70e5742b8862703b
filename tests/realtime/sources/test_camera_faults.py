"""What OpenCV may do instead of answering: no picture, one sentence, and a closed device."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime.clock import NS_PER_MS, ManualClock
from realtime.errors import LibraryMissing, SourceError
from realtime.sources import camera
from realtime.sources.capture import Capture, to_rgb
from source_builders import make_stream


class Cv2Error(Exception):
    """As `cv2.error`, which derives from nothing nearer."""


class Driver:
    """A device at 25 frames a second of which any call may fail.

    Attributes:
        faults: What calls raise, by their name.
        answers: What they return instead of what is usual.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.faults: dict[str, BaseException] = {}
        self.answers: dict[str, Any] = {}
        self.n_released = 0

    def _call(self, name: str, usual: Any) -> Any:
        if name in self.faults:
            raise self.faults[name]
        return self.answers.get(name, usual)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return bool(self._call("isOpened", True))

    def grab(self) -> bool:
        self.clock.advance(40 * NS_PER_MS)
        return bool(self._call("grab", True))

    def retrieve(self) -> tuple[bool, Any]:
        found: tuple[bool, Any] = self._call("retrieve", (True, np.full((8, 8, 3), 9, np.uint8)))
        return found

    def get(self, _: int) -> float:
        return self._call("get", 25.0)  # type: ignore[no-any-return]

    def set(self, _: int, __: float) -> bool:
        return bool(self._call("set", True))

    def release(self) -> None:
        self.n_released += 1
        self._call("release", None)


class Module(SimpleNamespace):
    """Enough of OpenCV to open a camera."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(
            error=Cv2Error,
            CAP_V4L2=200, CAP_ANY=0, CAP_PROP_BUFFERSIZE=38, CAP_PROP_FPS=5,
            CAP_PROP_FRAME_WIDTH=3, CAP_PROP_FRAME_HEIGHT=4,
            VideoCapture=lambda *_: driver._call("VideoCapture", driver),
        )  # fmt: skip


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(camera, "import_cv2", lambda: Module(driver))
    monkeypatch.setattr(camera, "_check_device", lambda _: None)
    return driver


def reader_of(driver: Driver) -> tuple[camera.CameraReader, Any]:
    stream = make_stream(live=True, clock=driver.clock)
    return camera.CameraReader("0", stream.inlet), stream


FAULTS = [Cv2Error("(-215) !_src.empty()"), MemoryError(), SystemError("NULL without an error")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("call", ["VideoCapture", "isOpened", "grab"])
def test_camera_whose_driver_throws_at_the_opening_is_one_sentence(
    call: str, fault: BaseException, driver: Driver
) -> None:
    driver.faults[call] = fault
    reader, _ = reader_of(driver)

    with pytest.raises(SourceError, match="camera 0") as caught:
        reader.open()
    reader.close()

    assert "\n" not in str(caught.value)
    assert driver.n_released == (0 if call == "VideoCapture" else 1)


@pytest.mark.parametrize("call", ["get", "set", "release"])
def test_camera_is_read_when_its_settings_and_its_closing_throw(call: str, driver: Driver) -> None:
    driver.faults[call] = Cv2Error("not implemented")
    reader, stream = reader_of(driver)

    reader.open()
    for _ in range(10):
        assert reader.step()
    reader.close()

    assert stream.count("grid_frames") > 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0])
def test_camera_is_read_when_its_driver_tells_no_numbers(value: float, driver: Driver) -> None:
    driver.answers["get"] = value
    reader, _ = reader_of(driver)

    reader.open()

    assert "of unknown size" in reader.describe()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("call", ["grab", "retrieve"])
def test_camera_whose_driver_throws_midway_is_lost_after_two_seconds(
    call: str, fault: BaseException, driver: Driver
) -> None:
    reader, stream = reader_of(driver)
    reader.open()
    assert reader.step()
    driver.faults[call] = fault

    def look_on() -> None:
        for _ in range(100):
            reader.step()
            driver.clock.advance(50 * NS_PER_MS)

    with pytest.raises(SourceError, match="no pictures any more"):
        look_on()

    assert stream.count("failed_reads") > 10


@pytest.mark.parametrize(
    "image",
    [None, np.zeros((0, 0, 3), np.uint8), np.zeros((0,), np.uint8), "nothing"],
    ids=["none", "empty", "flat", "text"],
)
def test_frame_that_is_no_picture_is_a_failed_read(image: Any, driver: Driver) -> None:
    reader, stream = reader_of(driver)
    reader.open()
    assert reader.step()
    n_frames = stream.count("frames")
    driver.answers["retrieve"] = (True, image)

    assert reader.step()

    assert stream.count("failed_reads") == 1
    assert stream.count("frames") == n_frames


def test_camera_goes_on_when_its_frames_change_their_size_and_colours(driver: Driver) -> None:
    reader, stream = reader_of(driver)
    reader.open()
    shapes = [(8, 8, 3), (16, 32, 3), (480, 640), (2, 2, 1), (9, 7, 4)]
    for shape in shapes * 3:
        driver.answers["retrieve"] = (True, np.full(shape, 100, np.uint8))
        assert reader.step()

    assert stream.count("frames") == 15
    assert {frame.image.mean() for frame in stream.frames.read(0, 1 << 40)} == {100.0}


@pytest.mark.parametrize("shape", [(8, 8, 2), (8, 8, 5)])
def test_pictures_that_are_no_colours_are_one_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(SourceError, match="neither grey nor colours"):
        to_rgb(np.zeros(shape, np.uint8))


def test_grey_deep_and_coloured_pictures_become_rgb() -> None:
    grey = np.full((2, 3), 7, np.uint8)
    assert to_rgb(grey).shape == (2, 3, 3)
    assert to_rgb(grey[:, :, None]).shape == (2, 3, 3)
    deep = np.full((2, 3), 0x4142, np.uint16)  # a thermal camera
    assert np.unique(to_rgb(deep)).tolist() == [0x41]
    bgr = np.zeros((2, 3, 3), np.uint8)
    bgr[..., 0] = 200
    assert to_rgb(bgr)[0, 0].tolist() == [0, 0, 200]


def test_a_closed_capture_that_throws_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver()
    driver.faults["release"] = Cv2Error("one\ntwo")

    Capture(Module(driver), driver).release()

    assert "not closed as it should be: one" in caplog.text


def test_an_opencv_that_is_installed_by_halves_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))  # what a folder of that name gives

    with pytest.raises(LibraryMissing, match="by halves"):
        camera.import_cv2()


@pytest.mark.parametrize("library", ["libGL.so.1", "libxcb.so.1", "libgthread-2.0.so.0"])
def test_system_library_that_opencv_misses_is_named_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, library: str
) -> None:
    said = f"{library}: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({said!r})\n")
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(LibraryMissing, match=f"{library}.*apt-get install libgl1"):
        camera.import_cv2()
