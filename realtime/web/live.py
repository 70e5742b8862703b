"""What happens now, as JSON and as small pictures: made of snapshots, once for all who look.

Nothing here waits for recognition or makes it wait: a snapshot is a copy of what it said last, a
picture a copy of 150 kB out of the ring.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from realtime.clock import NS_PER_S, Clock
from realtime.outputs.base import DashboardSnapshot, picture_share
from realtime.packets import GridFrame, Sense
from weights.printable import cleaned, json_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

PULSE_S = 0.25  # decisions come as often
N_LIKELIEST = 5
JPEG_QUALITY = 70
DROPS = ("dropped_frames", "audio_gap_samples", "dropped_messages", "record_dropped_frames")


class Live:
    """Says what happens; the web thread's, but for `picture`, which any thread may call.

    Args:
        view: Returns the run's snapshot; None before it is open.
        newest_frame: Returns a stream's newest picture by the stream's name; None without one.
        clock: The run's.
    """

    def __init__(
        self,
        view: Callable[[], DashboardSnapshot | None],
        newest_frame: Callable[[str], GridFrame | None],
        clock: Clock,
    ) -> None:
        self._view = view
        self._newest_frame = newest_frame
        self._clock = clock
        self._text = ""
        self._made_ns: int | None = None
        self._jpegs: dict[str, tuple[int, bytes]] = {}  # by stream: slot and picture

    def text(self) -> str:
        """Return the run as it is now, one line of JSON, no older than `PULSE_S`."""
        now_ns = self._clock.now_ns()
        if self._made_ns is None or now_ns - self._made_ns >= PULSE_S * NS_PER_S / 2:
            self._made_ns = now_ns
            view = self._view()
            self._text = json_text({"sources": []} if view is None else _run(cleaned(view)))
        return self._text

    def picture(self, source: str) -> bytes | None:
        """Return a stream's newest picture as JPEG, as the network sees it; None without one."""
        frame = self._newest_frame(source)
        if frame is None:
            return None
        slot, jpeg = self._jpegs.get(source, (-1, b""))
        if slot != frame.slot:
            file = io.BytesIO()
            Image.fromarray(frame.image).save(file, "JPEG", quality=JPEG_QUALITY)
            jpeg = file.getvalue()
            self._jpegs[source] = frame.slot, jpeg
        return jpeg


def _run(view: DashboardSnapshot) -> dict[str, object]:
    return {
        "bundle": view.run.bundle,
        "backend": view.run.backend,
        "elapsed_s": round(view.elapsed_s, 1),
        "sources": [_source(each) for each in (view, *view.others)],
    }


def _source(view: DashboardSnapshot) -> dict[str, object]:
    stream, stats = view.stream, view.stats
    prediction = stream.prediction
    told: dict[str, object] = {
        "name": view.source,
        "t_s": round(stream.t_s, 2),
        "senses": [
            {"sense": each.sense.value, "state": each.state.value, "detail": each.detail}
            for each in stream.senses
        ],
        "load": stream.load,
        "recording": view.recording,
        "level_db": _rounded(stats.sound_level_db, 1),
        "latency_ms": _rounded(stats.latency_p95_ms, 0),
        "lost": {name: stats.count(name) for name in DROPS if stats.count(name)},
        "running": [
            {
                "label": event.label,
                "confidence": round(event.confidence, 3),
                "score": round(event.score, 3),
                "for_s": round(max(0.0, stream.t_s - event.onset_t_ns / NS_PER_S), 1),
            }
            for event in sorted(stream.active, key=lambda event: (-event.score, event.number))
        ],
        "likeliest": [],
        "attention": None,
    }
    if prediction is not None:
        scores = prediction.scores(view.run.window_weight)
        alone = prediction.scores_alone(view.run.window_weight)
        active = {event.label for event in stream.active}
        present = prediction.present[-1]
        told["likeliest"] = [
            {
                "label": view.run.labels[index],
                "score": round(float(scores[index]), 3),
                "running": view.run.labels[index] in active,
                **{
                    sense.value: _alone(alone, m, int(index)) if present[m] else None
                    for m, sense in enumerate(Sense)
                },
            }
            for index in np.argsort(-scores, kind="stable")[:N_LIKELIEST]
        ]
        told["attention"] = {
            "picture_share": round(picture_share(prediction), 3),
            **{
                sense.value: [
                    round(float(weight), 4) if is_there else None
                    for weight, is_there in zip(
                        prediction.attention[:, m], prediction.present[:, m], strict=True
                    )
                ]
                for m, sense in enumerate(Sense)
            },
        }
    return told


def _alone(alone: NDArray[np.float64] | None, m: int, index: int) -> float | None:
    return None if alone is None else round(float(alone[m, index]), 3)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), digits)
