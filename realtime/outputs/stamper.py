"""Events, predictions and states to messages: numbered, dated, with the evidence of each."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from realtime.clock import NS_PER_MS, NS_PER_S, Clock, Timeline, WallClock, format_utc
from realtime.outputs.wire import VERSION, Message, Quality, StreamStatus
from realtime.packets import Event, Phase, Prediction, Sense
from realtime.redaction import redacted

TOP_K = 5
HEARTBEAT_TOPIC = "heartbeat/"
HEAD = frozenset(("v", "type", "run", "seq", "topic_seq", "source", "sent", "replay"))


class MessageStamper:
    """Builds messages and numbers them. Any thread may call any method.

    `seq` counts all messages of a run and `topic_seq` those of a topic, both from 1. The numbers
    go out in order as long as one thread stamps and posts the messages of one topic.

    Args:
        run: The run's id; a new one at every start.
        clock: The run's clock; `sent.t_s` counts from this constructor's call.
        wall: Dates the run's clock.
        window_clips: T; a prediction with fewer clips is marked `short_window`.
        window_weight: `EventSpec.window_weight`, so that `top` ranks by the tracker's score
            (confusable labels aside).
    """

    def __init__(
        self,
        run: str,
        clock: Clock,
        wall: WallClock,
        *,
        window_clips: int = 10,
        window_weight: float = 0.25,
    ) -> None:
        self.run = run
        self._clock = clock
        self._started_ns = clock.now_ns()
        self._wall = wall
        self._window_clips = window_clips
        self._window_weight = window_weight
        self._lock = threading.Lock()
        self._seq = 0
        self._topic_seqs: dict[str, int] = {}

    def weigh(self, window_weight: float) -> None:
        """Rank `top` by another share of the window from now on."""
        self._window_weight = window_weight

    def event(
        self,
        source: str,
        timeline: Timeline,
        event: Event,
        prediction: Prediction | None,
        labels: Sequence[str],
        quality: Quality,
    ) -> Message:
        """Build the message of one phase of an event, topic `event/<source>/`.

        Args:
            source: The stream's name.
            timeline: The stream's time, for UTC.
            event: What the tracker said.
            prediction: The hop that it follows from; None when the stream ended instead.
            labels: The bundle's labels, in the order of the probabilities.
            quality: What was lost so far.
        """
        offset = None if event.offset_t_ns is None else _moment(timeline, event.offset_t_ns)
        duration_s = (
            None if event.offset_t_ns is None else _seconds(event.offset_t_ns - event.onset_t_ns)
        )
        body: dict[str, object] = {
            "id": f"{self.run}-{source}-{event.number}",
            "phase": event.phase.value,
            "label": event.label,
            "confidence": _share(event.confidence),
            "score": _share(event.score),
            "onset": _moment(timeline, event.onset_t_ns),
            "offset": offset,
            "duration_s": duration_s,
            **self._decision(prediction, labels, quality, event.alone),
        }
        if event.phase is Phase.OFFSET:
            body["reason"] = event.reason
        return self._stamp("event", source, body)

    def prediction(
        self,
        source: str,
        timeline: Timeline,
        prediction: Prediction,
        labels: Sequence[str],
        quality: Quality,
    ) -> Message:
        """Build the message of one hop, topic `prediction/<source>/`; arguments as for `event`."""
        body: dict[str, object] = {
            "end": _moment(timeline, prediction.end_t_ns),
            **self._decision(prediction, labels, quality),
        }
        return self._stamp("prediction", source, body)

    def status(self, source: str, status: StreamStatus) -> Message:
        """Build a stream's status, topic `status/<source>/`; send one a change."""
        senses: dict[str, object] = {s.value: {"state": "absent", "detail": ""} for s in Sense}
        for sense in status.senses:
            detail = redacted(sense.detail)
            senses[sense.sense.value] = {"state": sense.state.value, "detail": detail}
        body: dict[str, object] = {
            "state": status.state.value,
            "detail": redacted(status.detail),
            "senses": senses,
            "bundle": {"name": status.bundle, "version": status.bundle_version},
            "labels": list(status.labels),
            "background": status.background,
            "hop_s": status.hop_s,
            "grid_hz": status.grid_hz,
            "lag_s": status.lag_s,
            "damage": {
                "broken_packets": status.damage.n_packets,
                "missing_picture_s": round(status.damage.picture_s, 3),
                "missing_sound_s": round(status.damage.sound_s, 3),
            },
            "window_clips": status.window_clips,
            "device": status.device,
            "backend": status.backend,
        }
        return self._stamp("status", source, body)

    def heartbeat(
        self,
        counters: Mapping[str, int],
        topics: Mapping[str, int],
        sources: Mapping[str, Mapping[str, str]],
        *,
        interval_s: float = 1.0,
        latency_p50_ms: float | None = None,
        latency_p95_ms: float | None = None,
    ) -> Message:
        """Build the sign of life, topic `heartbeat/`.

        Args:
            counters: The run's counters.
            topics: Last `topic_seq` that went out, by topic (`ZmqPublisher.published`): a client
                learns from it that it lost the end of a topic.
            sources: State of each sense, by sense and stream.
            interval_s: When to expect the next one.
            latency_p50_ms: Median of the recent latencies, None where there are none.
            latency_p95_ms: Their 95th percentile.
        """
        body: dict[str, object] = {
            "uptime_s": _seconds(self._clock.now_ns() - self._started_ns),
            "interval_s": interval_s,
            "counters": dict(sorted(counters.items())),
            "latency_ms": {"p50": _ms(latency_p50_ms), "p95": _ms(latency_p95_ms)},
            "topics": dict(sorted(topics.items())),
            "sources": {
                name: {str(sense): str(state) for sense, state in senses.items()}
                for name, senses in sources.items()
            },
        }
        return self._stamp("heartbeat", None, body)

    def utc(self) -> datetime:
        """Return the time as messages have it."""
        return self._wall.utc(self._clock.now_ns())

    def again(self, body: Mapping[str, object]) -> Message:
        """Number a message of another run as this one's; all but its head stays.

        Args:
            body: As it came; a stream's.
        """
        rest = {key: value for key, value in body.items() if key not in HEAD}
        return self._stamp(str(body["type"]), str(body["source"]), rest)

    def _stamp(self, kind: str, source: str | None, body: dict[str, object]) -> Message:
        topic = HEARTBEAT_TOPIC if source is None else f"{kind}/{source}/"
        with self._lock:
            self._seq += 1
            seq = self._seq
            topic_seq = self._topic_seqs[topic] = self._topic_seqs.get(topic, 0) + 1
        now_ns = self._clock.now_ns()
        head: dict[str, object] = {
            "v": VERSION,
            "type": kind,
            "run": self.run,
            "seq": seq,
            "topic_seq": topic_seq,
            "source": source,
            "sent": {
                "t_s": _seconds(now_ns - self._started_ns),
                "utc": format_utc(self._wall.utc(now_ns)),
            },
        }
        return Message(topic, {**head, **body})

    def _decision(
        self,
        prediction: Prediction | None,
        labels: Sequence[str],
        quality: Quality,
        alone: tuple[float | None, float | None] | None = None,
    ) -> dict[str, object]:
        """What a decision rests on; without a prediction the fields are there and empty."""
        figures: dict[str, object] = {
            "latency_ms": None,
            "av_skew_ms": None,
            "dropped_frames": quality.dropped_frames,
            "audio_gap_samples": quality.audio_gap_samples,
            "compute_ms": None,
        }
        if prediction is None:
            return {
                "top": [],
                "evidence": None,
                "senses": [],
                "newest_senses": [],
                "window_clips": 0,
                "short_window": True,
                "quality": figures,
            }
        if prediction.latency_ms is not None:
            latency_ns = self._clock.now_ns() - prediction.newest_ns
            figures["latency_ms"] = _ms(latency_ns / NS_PER_MS)
        figures["av_skew_ms"] = _ms(prediction.av_skew_ms)
        figures["compute_ms"] = _ms(prediction.compute_ms)
        return {
            "top": top(prediction.scores(self._window_weight), labels),
            "evidence": _evidence(prediction, alone),
            "senses": [sense.value for sense in prediction.senses],
            "newest_senses": [sense.value for sense in prediction.newest_senses],
            "window_clips": prediction.n_clips,
            "short_window": prediction.n_clips < self._window_clips,
            "quality": figures,
        }


def top(
    scores: NDArray[np.float64], labels: Sequence[str], k: int = TOP_K
) -> list[dict[str, object]]:
    """Return the k likeliest labels, likeliest first; equal ones in the labels' order."""
    if scores.shape != (len(labels),):
        raise ValueError(f"scores must be ({len(labels)},), one a label, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("probabilities must be finite")
    order = np.argsort(-scores, kind="stable")[:k]
    return [{"label": labels[i], "probability": _share(float(scores[i]))} for i in order]


def _evidence(
    prediction: Prediction, alone: tuple[float | None, float | None] | None
) -> dict[str, object]:
    attention = prediction.attention
    n_clips = prediction.n_clips
    ends_ns = prediction.clip_ends_t_ns or [
        prediction.end_t_ns - (n_clips - 1 - index) * NS_PER_S for index in range(n_clips)
    ]
    by_sense = attention.sum(axis=0)
    clip, sense = np.unravel_index(int(attention.argmax()), attention.shape)
    evidence: dict[str, object] = {
        "attention": [[_share(float(value)) for value in row] for row in attention],
        "clip_end_t_s": [_seconds(end_ns) for end_ns in ends_ns],
        "picture": _share(float(by_sense[0])),
        "sound": _share(float(by_sense[1])),
        "strongest": {
            "clip_end_t_s": _seconds(ends_ns[int(clip)]),
            "sense": list(Sense)[int(sense)].value,
            "share": _share(float(attention[clip, sense])),
        },
    }
    if alone is not None:
        evidence["alone"] = {
            each.value: None if score is None else _share(score)
            for each, score in zip(Sense, alone, strict=True)
        }
    return evidence


def _moment(timeline: Timeline, t_ns: int) -> dict[str, object]:
    return {"t_s": _seconds(t_ns), "utc": format_utc(timeline.utc(t_ns))}


def _seconds(duration_ns: int) -> float:
    return round(duration_ns / NS_PER_S, 4)


def _ms(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 2)


def _share(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a probability must be finite, got {value}")
    return round(min(1.0, max(0.0, value)), 4)
