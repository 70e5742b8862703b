"""What was seen and heard, small: a strip of pictures and a log-mel picture; bounded.

Both halve what they keep when they are full, so that a day takes as much room as a minute.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from extractors.mel_frames import HOP_LENGTH, LOG_OFFSET, N_MELS, WIN_LENGTH, log_mel_frames
from realtime.packets import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PICTURES = 48
PICTURE_HEIGHT = 96  # px
MAX_COLUMNS = 3000
JPEG_QUALITY = 72
QUIET = float(np.log(LOG_OFFSET))
LOUD = 3.5  # ln of a mel band; what is louder is as bright
_COLUMN_S = HOP_LENGTH / SAMPLE_RATE


class Film:
    """Pictures with their times; each later than the one before.

    Args:
        limit: At most so many; then every other one goes.
    """

    def __init__(self, limit: int = MAX_PICTURES) -> None:
        self._limit = limit
        self._pictures: list[tuple[float, Image.Image]] = []
        self._step_s = 0.0

    def wants(self, time_s: float) -> bool:
        """Return whether a picture of this time would be kept."""
        return not self._pictures or time_s >= self._pictures[-1][0] + max(self._step_s, 0.24)

    def add(self, time_s: float, image: NDArray[np.uint8]) -> None:
        """Take one in, RGB uint8 `(H, W, 3)`, unless it comes too soon after the last."""
        if not self.wants(time_s):
            return
        if len(self._pictures) == self._limit:
            self._pictures = self._pictures[::2]
            first_s, last_s = self._pictures[0][0], self._pictures[-1][0]
            self._step_s = (last_s - first_s) / (len(self._pictures) - 1)
            if not self.wants(time_s):
                return
        height, width = image.shape[:2]
        size = max(1, round(width * PICTURE_HEIGHT / height)), PICTURE_HEIGHT
        self._pictures.append((time_s, Image.fromarray(image).resize(size)))

    @property
    def times_s(self) -> list[float]:
        """When each was taken."""
        return [round(time_s, 3) for time_s, _ in self._pictures]

    def jpeg(self) -> bytes | None:
        """Return all of them side by side, each as wide as the first; None without any."""
        if not self._pictures:
            return None
        width, height = self._pictures[0][1].size
        strip = Image.new("RGB", (width * len(self._pictures), height))
        for place, (_, picture) in enumerate(self._pictures):
            fitted = picture if picture.size == (width, height) else picture.resize((width, height))
            strip.paste(fitted, (place * width, 0))
        file = io.BytesIO()
        strip.save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue()


class MelStrip:
    """Sound as a log-mel picture; what is louder of two columns stays when they are joined.

    Args:
        from_s: When its first sample was.
        limit: At most so many columns, an even number.
    """

    def __init__(self, from_s: float = 0.0, limit: int = MAX_COLUMNS) -> None:
        self._from_s = from_s
        self._limit = limit
        self._columns: NDArray[np.uint8] = np.zeros((0, N_MELS), np.uint8)
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)
        self._joined: NDArray[np.uint8] = np.zeros((0, N_MELS), np.uint8)  # less than a column
        self._a_column = 1  # mel frames that are joined to one

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples in, mono float32 `(n,)` at 16 kHz."""
        samples = np.concatenate([self._rest, samples])
        frames = quantized(log_mel_frames(samples))
        self._rest = samples[len(frames) * HOP_LENGTH :]
        self._append(frames)

    def silence(self, seconds: float) -> None:
        """Say that nothing was heard for so long."""
        self.add(np.zeros(round(seconds * SAMPLE_RATE), np.float32))

    def _append(self, frames: NDArray[np.uint8]) -> None:
        frames = np.concatenate([self._joined, frames])
        n_whole = len(frames) // self._a_column
        self._joined = frames[n_whole * self._a_column :]
        whole = frames[: n_whole * self._a_column].reshape(n_whole, self._a_column, N_MELS)
        self._columns = np.concatenate([self._columns, whole.max(axis=1, initial=0)])
        while len(self._columns) > self._limit:
            n_pairs = len(self._columns) // 2
            odd = self._columns[2 * n_pairs :]
            self._columns = self._columns[: 2 * n_pairs].reshape(n_pairs, 2, N_MELS).max(axis=1)
            self._joined = np.concatenate([np.repeat(odd, self._a_column, axis=0), self._joined])
            self._a_column *= 2

    def told(self) -> dict[str, Any] | None:
        """Return it as JSON holds it: bytes, column after column, low bands first; or None."""
        n_columns = len(self._columns)
        if not n_columns:
            return None
        middle_s = (
            (WIN_LENGTH - HOP_LENGTH) / 2 / SAMPLE_RATE
        )  # a column lies in its window's middle
        from_s = self._from_s + middle_s
        return {
            "from_s": round(from_s, 4),
            "to_s": round(from_s + n_columns * self._a_column * _COLUMN_S, 4),
            "bands": N_MELS,
            "columns": base64.b64encode(self._columns.tobytes()).decode(),
        }


def quantized(log_mel: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a log-mel picture as bytes: 0 is silence, 255 as loud as is told apart."""
    share = (log_mel - QUIET) / (LOUD - QUIET)
    return np.asarray(np.clip(share * 255.0, 0.0, 255.0).astype(np.uint8))
