"""What is heard now, as mel columns: computed when a page asks, once for all who look."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from extractors.mel_frames import HOP_LENGTH, N_MELS, WIN_LENGTH, log_mel_frames
from realtime.outputs.explain.material import quantized
from realtime.packets import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN_S = 6
MAX_COLUMNS = SHOWN_S * SAMPLE_RATE // HOP_LENGTH


class NewestSound(NamedTuple):
    """Mono float32 `(n,)` at 16 kHz; `first_index` counts the stream's samples."""

    first_index: int
    samples: NDArray[np.float32]


class _Strip:
    """One stream's newest columns; column k begins at sample 160 k."""

    def __init__(self) -> None:
        self.end = 0
        self.columns: NDArray[np.uint8] = np.zeros((0, N_MELS), np.uint8)

    def follow(self, sound: NewestSound) -> None:
        """Compute what is new; what was missed between two looks is black."""
        first = -(-sound.first_index // HOP_LENGTH)
        samples = sound.samples[first * HOP_LENGTH - sound.first_index :]
        columns = quantized(log_mel_frames(samples))
        n_missed = min(MAX_COLUMNS, max(0, first - self.end))
        black = np.zeros((n_missed, N_MELS), np.uint8)
        self.columns = np.concatenate([self.columns, black, columns])[-MAX_COLUMNS:]
        self.end = first + len(columns)


class Heard:
    """Hands out columns; any thread may call it.

    Args:
        newest_sound: Returns a stream's sound from a sample index on, as far as it is there, by the
            stream's name; None where there is none of the kind.
    """

    def __init__(self, newest_sound: Callable[[str, int], NewestSound | None]) -> None:
        self._newest_sound = newest_sound
        self._lock = threading.Lock()
        self._strips: dict[str, _Strip] = {}

    def since(self, source: str, after: int) -> dict[str, object] | None:
        """Return the columns behind `after`, the newest six seconds at most; None without sound.

        Returns:
            `end`, to ask from the next time, `bands`, and `columns`: bytes in base64, column after
            column, low bands first; 0 is silence.
        """
        with self._lock:
            strip = self._strips.get(source) or _Strip()
            sound = self._newest_sound(source, strip.end * HOP_LENGTH)
            if sound is None:
                return None
            if len(sound.samples) >= WIN_LENGTH + HOP_LENGTH:
                strip.follow(sound)
            self._strips[source] = strip
            n_asked = strip.end - after if after <= strip.end else MAX_COLUMNS  # or a new run
            n_new = min(len(strip.columns), n_asked)
            columns = strip.columns[len(strip.columns) - n_new :]
            return {
                "end": strip.end,
                "bands": N_MELS,
                "columns": base64.b64encode(columns.tobytes()).decode(),
            }
