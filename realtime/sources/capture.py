"""OpenCV's capture with its faults as values: one call of the driver a method.

OpenCV answers False where it knows that something failed. Where it does not, a backend throws
`cv2.error`, converts what never came, or tells a size that is no number: a broken JPEG, a driver
that was unloaded, a device that went to sleep. All of that is "no picture" here. It decides
nothing; that is `realtime.sources.camera`.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime.errors import SourceError
from weights.printable import first_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_CHANNELS = (1, 3, 4)  # grey; blue, green, red; the same with a share that nobody sees
_BITS = {np.dtype(np.uint8): 0, np.dtype(np.uint16): 8}  # more than a byte has


class Capture:
    """Reads an open `cv2.VideoCapture`; one thread calls it.

    Args:
        cv2: The module.
        capture: What it opened.
    """

    def __init__(self, cv2: Any, capture: Any) -> None:
        self._faults = _faults_of(cv2)
        self._capture = capture

    def is_open(self) -> bool:
        """Whether the device could be opened."""
        try:
            return bool(self._capture.isOpened())
        except self._faults:
            return False

    def grab(self) -> bool:
        """Take the next frame from the driver; return whether there was one."""
        try:
            return bool(self._capture.grab())
        except self._faults:
            return False

    def retrieve(self) -> NDArray[Any] | None:
        """Return the frame that was taken, as OpenCV decodes it; None where it cannot."""
        try:
            found, image = self._capture.retrieve()
        except self._faults:
            return None
        is_picture = found and isinstance(image, np.ndarray) and image.ndim in (2, 3)
        return image if is_picture and image.size else None

    def number(self, setting: int) -> float:
        """Return what the driver says of a setting; 0 where it says no number."""
        try:
            value = float(self._capture.get(setting))
        except self._faults:
            return 0.0
        return value if math.isfinite(value) and value > 0 else 0.0

    def ask(self, setting: int, value: float) -> None:
        """Ask for a setting; a driver may know better."""
        try:
            self._capture.set(setting, value)
        except self._faults as error:
            logger.debug("the camera's driver refused a setting: %s", error)

    def release(self) -> None:
        """Let go of the device."""
        try:
            self._capture.release()
        except self._faults as error:
            logger.warning("the camera is not closed as it should be: %s", first_line(error))


def open_capture(cv2: Any, target: int | str, api: int) -> Capture | None:
    """Open a device; None where it does not open."""
    try:
        capture = Capture(cv2, cv2.VideoCapture(target, api))
    except _faults_of(cv2):
        return None
    if not capture.is_open():
        capture.release()
        return None
    return capture


def _faults_of(cv2: Any) -> tuple[type[Exception], ...]:
    """Return what OpenCV throws where a device, or what it gives, is at fault."""
    return cv2.error, MemoryError, SystemError, TypeError, ValueError


def to_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return RGB uint8 `(H, W, 3)` of what OpenCV gives: grey or BGR, 8 or 16 bits.

    Raises:
        SourceError: It is neither.
    """
    n_channels = 1 if image.ndim == 2 else image.shape[2]
    n_more = _BITS.get(image.dtype)
    if n_more is None or n_channels not in _CHANNELS:
        raise SourceError(
            f"the camera gives pictures of {n_channels} channels in {image.dtype}, which are "
            "neither grey nor colours; set it to MJPEG, YUYV or RGB"
        )
    bytes_only = (image >> n_more).astype(np.uint8) if n_more else image
    if n_channels == 1:  # an infrared or thermal camera
        return np.repeat(bytes_only.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(bytes_only[:, :, 2::-1])  # OpenCV's order is blue, green, red
