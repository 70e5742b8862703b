"""A camera of this machine through OpenCV: the one file that loads it.

Each frame is dated when the driver hands it over, before it is decoded; a driver's own queue is
asked to be short but never relied on (opencv#10671), so every frame is taken as soon as it is
there and the intake keeps the newest. The frames that the driver kept since the opening are
thrown away at the first step: they would be dated now, seconds late. Cameras at a URL are read by
`realtime.sources.network`. What OpenCV throws is caught in `realtime.sources.capture`.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractors.decoding.limits import MAX_PICTURE_PIXELS
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.errors import LibraryMissing, SourceError
from realtime.sources.base import SourceSenses
from realtime.sources.capture import Capture, open_capture, to_rgb
from realtime.sources.identity import DeviceIdentity, device_path, find_camera, stable_name
from weights.printable import first_line

if TYPE_CHECKING:
    from realtime.sources.base import Inlet
    from realtime.sources.video_intake import VideoIntake

LOST_NS = 2 * NS_PER_S  # without a picture; a busy camera fails now and then
_RETRY_NS = 50 * NS_PER_MS
_MAX_KEPT_FRAMES = 4  # OpenCV's V4L2 capture asks for as many buffers
_WAITED_NS = 3 * NS_PER_MS  # a grab that took longer waited for a new frame
_SELECT_TIMEOUT_S = "1"  # OpenCV waits 10 s for a frame unless told (opencv#14044)
# libGL.so.1, libxcb.so.1, libgthread-2.0.so.0 …: which is missed first depends on the wheel.
_SYSTEM_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")
_WHAT_TO_DO = "plug a camera in, or give --source FILE, or --camera URL"


class CameraReader:
    """Reads one camera; see `realtime.sources.base.Reader`.

    Args:
        camera: Index (`0`) or device path (`/dev/video0`).
        inlet: Where frames go.
        identity: Remembers which device it was, for the next reader of the same camera.
    """

    def __init__(self, camera: str, inlet: Inlet, identity: DeviceIdentity | None = None) -> None:
        self.name = "capture-video"
        self.senses = SourceSenses(picture=True, sound=False)
        self._camera = camera
        self._identity = identity or DeviceIdentity()
        self._inlet = inlet
        self._capture: Capture | None = None
        self._video: VideoIntake | None = None
        self._stop = threading.Event()
        self._failing_since_ns: int | None = None
        self._begun = False
        self._description = f"camera {camera}"

    def open(self) -> None:
        """Open the device and take a first frame, which some drivers need seconds for."""
        self._camera = find_camera(self._camera, self._identity.name)
        _check_device(self._camera)
        cv2 = import_cv2()
        target = int(self._camera) if self._camera.isdigit() else self._camera
        api = cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY
        capture = open_capture(cv2, target, api)
        if capture is None:
            raise SourceError(
                f"camera {self._camera} cannot be opened: another program may hold it, or this "
                f"user may not read it (group video); {_WHAT_TO_DO}"
            )
        self._capture = capture  # `close` lets go of it, whatever follows
        capture.ask(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not capture.grab():
            raise SourceError(f"camera {self._camera} opens but gives no picture; {_WHAT_TO_DO}")
        width = round(capture.number(cv2.CAP_PROP_FRAME_WIDTH))
        height = round(capture.number(cv2.CAP_PROP_FRAME_HEIGHT))
        _limit_picture(self._camera, width, height)
        rate = capture.number(cv2.CAP_PROP_FPS)
        path = device_path(self._camera)
        self._identity.name = self._identity.name or stable_name(path)
        size = f"{width}x{height}" if width and height else "of unknown size"
        self._description = f"{path}, {size}" + (f" at {rate:g} fps" if rate else "")
        self._video = self._inlet.video_intake()

    def step(self) -> bool:
        """Take one frame."""
        if self._capture is None or self._video is None:
            raise ValueError("open the reader first")
        if not self._begun:
            self._begun = True
            self._forget_kept_frames(self._capture)
        if not self._capture.grab():
            return self._fail()
        time_ns = self._inlet.clock.now_ns()
        image = self._capture.retrieve()
        if image is None:
            return self._fail()
        self._failing_since_ns = None
        _limit_picture(self._camera, image.shape[1], image.shape[0])
        self._video.append_lazy(time_ns, lambda: to_rgb(image))
        return True

    def close(self) -> None:
        """Let go of the device."""
        self._stop.set()
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def describe(self) -> str:
        """Return device, size and rate."""
        return self._description

    def _forget_kept_frames(self, capture: Capture) -> None:
        """Take what the driver kept, up to the first frame that had to be waited for."""
        for _ in range(_MAX_KEPT_FRAMES):
            before_ns = self._inlet.clock.now_ns()
            if not capture.grab() or self._inlet.clock.now_ns() - before_ns > _WAITED_NS:
                return

    def _fail(self) -> bool:
        self._inlet.stats.count("failed_reads")
        now_ns = self._inlet.clock.now_ns()
        if self._failing_since_ns is None:
            self._failing_since_ns = now_ns
        if now_ns - self._failing_since_ns >= LOST_NS:
            raise SourceError(
                f"camera {self._camera} gives no pictures any more; was it unplugged?"
            )
        return not self._inlet.clock.wait(self._stop, _RETRY_NS)


def _limit_picture(camera: str, width: int, height: int) -> None:
    """Refuse pictures above 8K, as files and streams do: a driver may claim anything."""
    if width * height > MAX_PICTURE_PIXELS:
        raise SourceError(
            f"camera {camera} has pictures of {width}x{height}; up to 8K (7680x4320) is read, "
            "so set it to a smaller size"
        )


def _check_device(camera: str) -> None:
    """Say at once what OpenCV would take seconds and many lines to say."""
    if not sys.platform.startswith("linux"):
        return
    if Path(device_path(camera)).exists():
        return
    there = sorted(p.name for p in Path("/dev").glob("video*"))
    have = f"here are {', '.join(there)}" if there else "no /dev/video* device exists here"
    raise SourceError(f"camera {camera} cannot be opened: {have}; {_WHAT_TO_DO}")


def import_cv2() -> Any:
    """Return the module `cv2`, told to wait for a camera no longer than a second.

    Raises:
        LibraryMissing: It or a system library that it needs is absent, or it is broken.
    """
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", _SELECT_TIMEOUT_S)
    try:
        import cv2
    except ImportError as error:
        if missing := _SYSTEM_LIBRARY.search(str(error)):
            raise LibraryMissing(
                f"OpenCV needs the system library {missing[1]}, which is not installed; "
                "run `apt-get install libgl1 libglib2.0-0`"
            ) from error
        raise LibraryMissing(
            f"OpenCV cannot be loaded: {error}; run `pip install opencv-python`"
        ) from error
    try:
        # Its warnings on stderr say less than the error that follows.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    except AttributeError as error:
        raise LibraryMissing(
            f"OpenCV is installed by halves ({first_line(error)}); "
            "run `pip install --force-reinstall opencv-python`"
        ) from error
    return cv2
