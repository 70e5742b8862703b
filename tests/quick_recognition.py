"""Recognition that costs nothing: what is loud is a Tone, what is bright is a Flash.

It stands where the trunks and MAFnet would be and holds the clip assembler to its word: every
clip that it is given is checked. All else of a run, from readers to sockets, is the product's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.clock import NS_PER_MS, Clock
from realtime.packets import CLIP_SAMPLES, CLIP_SLOTS, SLOT_NS, Clip, GridFrame, Prediction
from realtime.stats import Stats
from weights.bundle_spec import SOUND_MAPS, AudioSpec, Bundle, EventSpec, HeadSpec, VisualSpec

LABELS = ("Tone", "Flash", "Background")
TONE, FLASH, BACKGROUND = range(3)
LOUD_RMS = 0.1
BRIGHT = 128.0


class QuickRecognizer:
    """One stream's; one thread calls it."""

    def __init__(
        self,
        models: Any,
        n_clips: int,
        stride_ns: int,
        clock: Clock,
        stats: Stats,
        dated: bool,
    ) -> None:
        self._clock = clock
        self._stats = stats
        self._dated = dated
        self._n_clips = n_clips
        self._per_second = 1_000_000_000 // stride_ns
        self._present: deque[tuple[bool, bool]] = deque(maxlen=n_clips * self._per_second)
        self._brightness: dict[int, float] = {}
        self._newest_end_t_ns = 0

    def show(self, frames: Sequence[GridFrame]) -> None:
        for frame in frames:
            self._brightness[frame.slot] = float(frame.image.mean())
        self._stats.count("encoded_frames", len(frames))

    def step(self, clip: Clip) -> Prediction | None:
        started_ns = self._clock.now_ns()
        self._check(clip)
        self.show(clip.new_frames)
        self._present.append((clip.has_picture, clip.has_sound))
        newest = self._scores(clip)
        if not clip.decide:
            return None
        self._stats.count("predictions")
        now_ns = self._clock.now_ns()
        present = np.array(list(self._present)[:: -self._per_second][::-1], np.bool_)
        weights = present.astype(np.float32)
        return Prediction(
            end_t_ns=clip.end_t_ns,
            window=newest,
            newest=newest,
            attention=weights / max(1.0, float(weights.sum())),
            present=present,
            newest_ns=clip.newest_ns,
            latency_ms=(now_ns - clip.newest_ns) / NS_PER_MS if self._dated else None,
            compute_ms=(now_ns - started_ns) / NS_PER_MS,
            av_skew_ms=clip.av_skew_ms,
            gap_samples=clip.gap_samples,
            alone=self._alone(newest),
        )

    @staticmethod
    def _alone(scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """A flash is seen and a tone is heard, whatever the other sense does."""
        alone = np.zeros((2, 2, len(LABELS)), np.float32)
        alone[0, :, FLASH], alone[1, :, TONE] = scores[FLASH], scores[TONE]
        return alone

    def _scores(self, clip: Clip) -> NDArray[np.float32]:
        scores = np.zeros(len(LABELS), np.float32)
        if clip.waveform is not None:
            rms = float(np.sqrt(np.mean(np.square(clip.waveform))))
            scores[TONE] = min(1.0, rms / (2 * LOUD_RMS))
        shown = [self._brightness[slot] for slot in clip.slots if slot >= 0]
        if shown:
            scores[FLASH] = min(1.0, float(np.mean(shown)) / (2 * BRIGHT))
        if clip.has_picture or clip.has_sound:
            scores[BACKGROUND] = 1.0 - max(scores[TONE], scores[FLASH])
        first = clip.end_t_ns // SLOT_NS - CLIP_SLOTS
        held = max((slot for slot in self._brightness if slot <= first), default=first)
        for slot in [slot for slot in self._brightness if slot < held]:
            del self._brightness[slot]
        return scores

    def _check(self, clip: Clip) -> None:
        assert clip.end_t_ns > self._newest_end_t_ns, "clips come in order"
        self._newest_end_t_ns = clip.end_t_ns
        assert len(clip.slots) == CLIP_SLOTS
        end_slot = clip.end_t_ns // SLOT_NS
        assert all(slot < end_slot for slot in clip.slots), "a picture from the future"
        shown = [slot for slot in clip.slots if slot >= 0]
        assert shown == sorted(shown), "pictures go back"
        if clip.waveform is not None:
            assert clip.waveform.shape == (CLIP_SAMPLES,)
            assert np.isfinite(clip.waveform).all()
            assert np.abs(clip.waveform).max() <= 1.0
        assert len(self._brightness) <= 2 * CLIP_SLOTS + 1, "features are kept for ever"


class QuickBatch:
    """Has the interface of `realtime.recognition.batch.BatchRecognizer`; one thread calls it."""

    def __init__(self, models: Any, clock: Clock) -> None:
        self.models = models
        self._clock = clock
        self._streams: dict[str, QuickRecognizer] = {}

    def add(self, name: str, *, n_clips: int, stride_ns: int, stats: Stats, dated: bool) -> None:
        quick = QuickRecognizer(self.models, n_clips, stride_ns, self._clock, stats, dated)
        self._streams[name] = quick

    def forget(self, name: str) -> None:
        self._streams.pop(name, None)

    def encode(self, work: Sequence[tuple[str, Sequence[GridFrame]]]) -> None:
        for name, frames in work:
            self._streams[name].show(frames)

    def step(self, work: Sequence[tuple[str, Clip]]) -> list[Prediction | None]:
        return [self._streams[name].step(clip) for name, clip in work]


def quick_models() -> Any:
    """Return what has the interface of `realtime.recognition.models.Models` that a run uses."""
    return SimpleNamespace(device=SimpleNamespace(type="cpu"), describe=lambda: "stand-in")


def quick_bundle(**events: Any) -> Bundle:
    """Return a bundle without files, for runs whose recognition is quick."""
    settings: dict[str, Any] = {"on": 0.5, "off": 0.3, "confirm": (1, 1), "min_duration_s": 0.0}
    nowhere = Path("nowhere")
    return Bundle(
        name="quick",
        version="1",
        path=nowhere,
        labels=LABELS,
        background="Background",
        activation="sigmoid",
        temperature=1.0,
        sample_rate=16_000,
        visual=VisualSpec(trunk="efficientnet_lite0", dim=1280, weights=nowhere),
        audio=AudioSpec(trunk="vggish", sound_map=SOUND_MAPS["vggish"], weights=nowhere),
        head=HeadSpec(weights=nowhere),
        events=EventSpec(**{**settings, **events}),
        licence="none",
        provenance="a stand-in, for tests",
    )


def use_quick_recognition(monkeypatch: Any, **events: Any) -> None:
    """Have `realtime.pipeline` run with the stand-in; `events` are settings of its bundle."""
    from realtime import pipeline  # imports torch
    from realtime.recognition import batch

    monkeypatch.setattr(batch, "BatchRecognizer", QuickBatch)
    monkeypatch.setattr(pipeline, "load_models", lambda bundle, config: quick_models())
    monkeypatch.setattr(pipeline, "find_bundle", lambda name: quick_bundle(**events))


def use_quick_recognition_in_actors(monkeypatch: Any) -> None:
    """Have `realtime.cluster.pool.actor` run with the stand-in."""
    from realtime import bundle_settings
    from realtime.cluster.pool import stream_host
    from realtime.recognition import batch

    monkeypatch.setattr(batch, "BatchRecognizer", QuickBatch)
    monkeypatch.setattr(stream_host, "load_models", lambda bundle, config: quick_models())
    for module in (stream_host, bundle_settings):
        monkeypatch.setattr(module, "find_bundle", lambda name: quick_bundle())
