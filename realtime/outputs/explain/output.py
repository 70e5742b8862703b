"""`--explain FILE`: what one run saw, heard, decided and told, as a page that stands alone.

The recognize thread hands over clips and decisions, the output's own thread the events; the page
is written whole once both have ended. What is kept is bounded (`trace`, `material`), so that a
long file makes a coarser page and not a larger one.
"""

from __future__ import annotations

import base64
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.clock import NS_PER_S
from realtime.errors import OutputError
from realtime.outputs.explain.material import Film, MelStrip
from realtime.outputs.explain.page import page
from realtime.outputs.explain.trace import Trace
from realtime.packets import SAMPLE_RATE, SLOT_NS
from weights.files import written_whole
from weights.printable import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.outputs.wire import Message
    from realtime.packets import Clip, Prediction

logger = logging.getLogger(__name__)

MAX_MOMENTS = 1200
MAX_EVENTS = 500


class ExplainPage:
    """Collects one stream; see `realtime.outputs.output.Output`.

    Args:
        path: The page.
        source: The stream's name.
        labels: The bundle's, in the order of the scores.
        window_weight: How scores join window and newest clip.
        model: What recognizes, in words.
    """

    name = "explain"
    kinds = ("event",)

    def __init__(
        self, path: Path, source: str, labels: Sequence[str], window_weight: float, model: str
    ) -> None:
        self._path = path
        self._source = source
        self._labels = tuple(labels)
        self._model = model
        self._lock = threading.Lock()
        self._trace = Trace(window_weight, MAX_MOMENTS)
        self._film = Film()
        self._sound: MelStrip | None = None
        self._heard_t_ns = 0
        self._end_t_ns = 0
        self._events: dict[str, dict[str, Any]] = {}
        self._n_events = 0
        self._is_written = False

    def open(self) -> None:
        """See that the page can be written, before seconds of loading.

        Raises:
            OutputError: It cannot.
        """
        try:
            if self._path.is_dir():
                raise IsADirectoryError(21, "it is a folder; name a file")
            with written_whole(self._path.with_name(f".{self._path.name}.try")) as trial:
                trial.touch()
            self._path.with_name(f".{self._path.name}.try").unlink()
        except OSError as error:
            raise self._fault(error) from error

    def watch(self, clip: Clip, prediction: Prediction | None) -> None:
        """Take a clip in, and what was decided at its end; the recognize thread's."""
        with self._lock:
            self._end_t_ns = max(self._end_t_ns, clip.end_t_ns)
            for frame in clip.new_frames:
                self._film.add(frame.slot * SLOT_NS / NS_PER_S, frame.image)
            self._hear(clip)
            if prediction is not None:
                self._trace.add(prediction)

    def write(self, message: Message) -> None:
        """Take an event in; the newest word of each counts."""
        body: dict[str, Any] = message.body
        with self._lock:
            if body["id"] not in self._events:
                self._n_events += 1
                if len(self._events) == MAX_EVENTS:  # the surest are shown
                    weakest = min(self._events, key=lambda key: self._events[key]["confidence"])
                    del self._events[weakest]
            self._events[body["id"]] = told_event(body)

    def close(self) -> None:
        """Do nothing: recognition may still go on."""

    def conclude(self) -> None:
        """Write the page; once.

        Raises:
            OutputError: It cannot be written.
        """
        if self._is_written:
            return
        self._is_written = True
        with self._lock:
            text = page(self._told(), self._source, self._subtitle())
        try:
            with written_whole(self._path) as part:
                part.write_text(text, "utf-8")
        except OSError as error:
            raise self._fault(error) from error
        logger.info("why it was told: %s (%.1f MB)", self._path, len(text) / 1e6)

    def _hear(self, clip: Clip) -> None:
        """Take the part of a clip's second in that no clip had; what is not there is silent."""
        start_t_ns = clip.end_t_ns - NS_PER_S
        if self._sound is None:
            if clip.waveform is None:
                return
            self._sound, self._heard_t_ns = MelStrip(start_t_ns / NS_PER_S), start_t_ns
        if clip.end_t_ns <= self._heard_t_ns:
            return
        gap_s = (start_t_ns - self._heard_t_ns) / NS_PER_S
        if clip.waveform is None:
            self._sound.silence((clip.end_t_ns - self._heard_t_ns) / NS_PER_S)
        else:
            if gap_s > 0:
                self._sound.silence(gap_s)
            known = max(0, round(-gap_s * SAMPLE_RATE))
            self._sound.add(clip.waveform[known:])
        self._heard_t_ns = clip.end_t_ns

    def _told(self) -> dict[str, Any]:
        events = sorted(self._events.values(), key=lambda event: event["onset_s"])
        by_weight = sorted(events, key=lambda event: -event["confidence"])
        film = self._film.jpeg()
        return {
            "from_s": 0.0,
            "to_s": round(self._end_t_ns / NS_PER_S, 3),
            "zero_s": 0.0,
            **self._trace.told(self._labels, [event["label"] for event in by_weight]),
            "events": events,
            "n_events": self._n_events,
            "film": film_told(self._film, film),
            "sound": None if self._sound is None else self._sound.told(),
        }

    def _subtitle(self) -> str:
        n_events = "1 event" if self._n_events == 1 else f"{self._n_events:,} events"
        return clean(f"{self._model} · {self._end_t_ns / NS_PER_S:.1f} s · {n_events}")

    def _fault(self, error: OSError) -> OutputError:
        return OutputError(
            f"--explain cannot write {self._path} ({error.strerror or error}); name another file"
        )


def told_event(body: dict[str, Any]) -> dict[str, Any]:
    """Return what the view shows of an event message."""
    alone = (body["evidence"] or {}).get("alone") or {}
    return {
        "label": body["label"],
        "onset_s": body["onset"]["t_s"],
        "offset_s": None if body["offset"] is None else body["offset"]["t_s"],
        "confidence": body["confidence"],
        "picture": alone.get("picture"),
        "sound": alone.get("sound"),
    }


def film_told(film: Film, jpeg: bytes | None, address: str | None = None) -> dict[str, Any] | None:
    """Return what the view shows of a film: at an address, or in the page itself."""
    if jpeg is None:
        return None
    source = address or f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return {"src": source, "times": film.times_s}
