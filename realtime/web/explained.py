"""Why an event was told, for the view behind its card: made when somebody looks, one at a time.

Of a clip only key frames are decoded, in one thread, so that whoever opens many cards waits for
his own. Its priority is that of all: a thread that the system keeps waiting while it holds
Python's lock would have recognition wait with it. The newest few views are kept.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from extractors.errors import MediaError
from realtime.outputs.explain.clip_views import read_clip
from realtime.outputs.explain.event_trace import AFTER_NS, BEFORE_NS, unpacked

N_KEPT = 8
MAX_SPAN_S = 600.0


class _Seen(NamedTuple):
    """What a clip shows; `film` is told, but for where it is."""

    jpeg: bytes | None
    times_s: list[float]
    sound: dict[str, Any] | None
    starts_s: float


class Explained:
    """Makes views; awaited in the web thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "web-clips")
        self._kept: OrderedDict[tuple[str, int], _Seen] = OrderedDict()

    async def told(
        self, row: dict[str, Any], trace: bytes | None, clip: Path | None, film_address: str
    ) -> dict[str, object]:
        """Return what the view draws of an event; its onset is the zero of the time axis.

        Args:
            row: Of the history.
            trace: What it rested on, packed; None where that is not known.
            clip: Its recording; None without one.
            film_address: Where the browser asks for the pictures.
        """
        told = (unpacked(trace) if trace is not None else None) or {}
        seen = None if clip is None else await self._seen(row, clip)
        onset_s = row["onset_t_s"]
        end_s = onset_s + 1.0 if row["offset_t_s"] is None else row["offset_t_s"]
        from_s, to_s = onset_s - BEFORE_NS / 1e9, end_s + AFTER_NS / 1e9
        times = told.get("times") or []
        if seen is not None and seen.sound is not None:
            from_s, to_s = min(from_s, seen.starts_s), max(to_s, seen.sound["to_s"])
        elif seen is not None and seen.times_s:
            from_s, to_s = min(from_s, seen.starts_s), max(to_s, seen.times_s[-1] + 1.0)
        film = None
        if seen is not None and seen.jpeg is not None:
            film = {"src": film_address, "times": seen.times_s}
        return {
            "from_s": max(0.0, from_s),
            "to_s": min(to_s, from_s + MAX_SPAN_S),
            "zero_s": onset_s,
            "times": times,
            "labels": told.get("labels") or [],
            "attention": told.get("attention"),
            "events": [
                {
                    "label": row["corrected"] or row["label"],
                    "onset_s": onset_s,
                    "offset_s": row["offset_t_s"],
                    "confidence": row["confidence"],
                    "picture": row["picture_alone"],
                    "sound": row["sound_alone"],
                }
            ],
            "film": film,
            "sound": None if seen is None else seen.sound,
        }

    async def film(self, row: dict[str, Any], clip: Path) -> bytes | None:
        """Return the pictures of an event's clip in one strip, JPEG; None without any."""
        seen = await self._seen(row, clip)
        return None if seen is None else seen.jpeg

    def close(self) -> None:
        """Wait for nobody and take no more questions."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _seen(self, row: dict[str, Any], clip: Path) -> _Seen | None:
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._look, str(row["id"]), float(row["onset_t_s"]), row, clip
        )

    def _look(self, event: str, onset_s: float, row: dict[str, Any], clip: Path) -> _Seen | None:
        try:
            key = event, clip.stat().st_mtime_ns
        except OSError:  # it was deleted just now
            return None
        seen = self._kept.get(key)
        if seen is None:
            starts_s = onset_s - float(row["pre_roll_s"] or 0.0)
            try:
                film, sound = read_clip(clip, starts_s)
            except (MediaError, OSError):  # what a crash left
                return None
            told = None if sound is None else sound.told()
            seen = _Seen(film.jpeg(), film.times_s, told, starts_s)
            self._kept[key] = seen
            while len(self._kept) > N_KEPT:
                self._kept.popitem(last=False)
        return seen
