"""What a person is shown of a stream that is recognized elsewhere, made of its messages.

A message has the five likeliest labels and the attention, which is what dashboard and page show.
What they show of a stream in this process beside that is left out: each sense's own scores, and
pictures.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from realtime.clock import NS_PER_S
from realtime.outputs.base import StreamView
from realtime.packets import Event, Phase, Prediction, Sense, SenseState, SenseStatus

N_RECENT_EVENTS = 200


class ShownStream:
    """Follows one stream's messages; `take` is one thread's, `view` any's.

    Args:
        labels: The bundle's, in the order of the scores.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._places = {label: place for place, label in enumerate(labels)}
        self._labels = tuple(labels)
        self._lock = threading.Lock()
        self._prediction: Prediction | None = None
        self._active: dict[int, Event] = {}
        self._recent: deque[Event] = deque(maxlen=N_RECENT_EVENTS)
        self._share: dict[int, float] = {}
        self._senses: tuple[SenseStatus, ...] = tuple(
            SenseStatus(sense=s, state=SenseState.RECONNECTING, detail="waits for a recognizer")
            for s in Sense
        )
        self._t_ns = 0

    @property
    def senses(self) -> dict[str, str]:
        """The state of each sense by its name."""
        return {each.sense.value: each.state.value for each in self._senses}

    def take(self, body: Mapping[str, Any]) -> None:
        """Take a message of the stream, as the pool tells it."""
        with self._lock:
            if body["type"] == "status":
                self._senses = tuple(
                    SenseStatus(sense=s, state=SenseState(told["state"]), detail=told["detail"])
                    for s in Sense
                    if (told := body["senses"][s.value])
                )
            elif body["type"] == "prediction":
                self._prediction = self._predicted(body)
                self._t_ns = round(body["end"]["t_s"] * NS_PER_S)
            elif body["type"] == "event":
                self._take_event(body)

    def view(self) -> StreamView:
        """Return what is shown now."""
        with self._lock:
            return StreamView(
                labels=self._labels,
                t_s=self._t_ns / NS_PER_S,
                prediction=self._prediction,
                active=tuple(self._active.values()),
                recent=tuple(self._recent),
                picture_share=dict(self._share),
                senses=self._senses,
            )

    def _take_event(self, body: Mapping[str, Any]) -> None:
        offset = body["offset"]
        event = Event(
            number=int(body["id"].rpartition("-")[2]),
            phase=Phase(body["phase"]),
            label=body["label"],
            confidence=body["confidence"],
            score=body["score"],
            onset_t_ns=round(body["onset"]["t_s"] * NS_PER_S),
            offset_t_ns=None if offset is None else round(offset["t_s"] * NS_PER_S),
            reason=body.get("reason"),
        )
        if event.phase is Phase.OFFSET:
            self._active.pop(event.number, None)
            self._recent.append(event)
        else:
            self._active[event.number] = event
        if body["evidence"] is not None:
            self._share[event.number] = body["evidence"]["picture"]
        shown = self._active.keys() | {each.number for each in self._recent}
        self._share = {number: share for number, share in self._share.items() if number in shown}

    def _predicted(self, body: Mapping[str, Any]) -> Prediction:
        scores = np.zeros(len(self._labels), np.float32)
        for each in body["top"]:
            place = self._places.get(each["label"])
            if place is not None:
                scores[place] = each["probability"]
        evidence = body["evidence"] or {"attention": [[0.0, 0.0]], "clip_end_t_s": []}
        attention = np.asarray(evidence["attention"], np.float32).reshape(-1, 2)
        present = attention > 0.0
        present[-1] = [sense.value in body["newest_senses"] for sense in Sense]
        quality = body["quality"]
        return Prediction(
            end_t_ns=round(body["end"]["t_s"] * NS_PER_S),
            window=scores,
            newest=scores,
            attention=attention,
            present=present,
            newest_ns=0,
            latency_ms=quality["latency_ms"],
            compute_ms=quality["compute_ms"] or 0.0,
            av_skew_ms=quality["av_skew_ms"],
            gap_samples=quality["audio_gap_samples"],
            clip_ends_t_ns=tuple(round(t_s * NS_PER_S) for t_s in evidence["clip_end_t_s"]),
        )
