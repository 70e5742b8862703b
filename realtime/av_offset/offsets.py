"""The measured offsets between cameras and microphones, kept from run to run; one small JSON file.

A pair is named by what both readers say of themselves, mode and rate included: another picture
size may have another delay. A file that cannot be read is a warning and no offset, for a run must
not stop at it.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from realtime.errors import OutputError
from weights.files import written_whole

logger = logging.getLogger(__name__)

FILE_NAME = "av-offsets.json"
MAX_FILE_BYTES = 1 << 20
MAX_OFFSET_MS = 1000.0


class Offsets:
    """Reads and writes the offsets of a store's folder; main thread only.

    Args:
        home: The store (`weights.store.default_home`).
    """

    def __init__(self, home: Path) -> None:
        self._path = home / FILE_NAME

    @property
    def path(self) -> Path:
        """The file, which need not exist."""
        return self._path

    def of(self, camera: str, microphone: str) -> int:
        """Return by how many ns the pair's picture is dated later than its sound; 0 if unknown."""
        offset_ms = self._read().get(_key(camera, microphone), 0.0)
        return round(offset_ms * 1_000_000)

    def keep(self, camera: str, microphone: str, offset_ns: int) -> None:
        """Keep a pair's offset in place of an older one.

        Raises:
            OutputError: The file cannot be written.
        """
        offsets = {**self._read(), _key(camera, microphone): round(offset_ns / 1_000_000, 1)}
        try:
            with written_whole(self._path) as unfinished:
                text = json.dumps(dict(sorted(offsets.items())), ensure_ascii=False, indent=1)
                unfinished.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"the offset cannot be kept in {self._path} ({error.strerror}); "
                "set MAFNET_HOME to a folder that can be written"
            ) from error

    def _read(self) -> dict[str, float]:
        try:
            if not self._path.is_file():
                return {}
            if self._path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError("it is too large")
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError("it is no JSON object")
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s is not read: %s; --calibrate writes it anew", self._path, error)
            return {}
        return {pair: float(ms) for pair, ms in content.items() if _is_offset(ms)}


def _is_offset(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MAX_OFFSET_MS  # NaN is not


def _key(camera: str, microphone: str) -> str:
    return f"{camera} + {microphone}"
