"""Clips in, predictions out: only what is new is computed, the rest comes from the window.

A step costs the frames that came since the last clip, one second of sound, one clip of MAFnet and
a softmax over 2·T scores, whatever T and the hop are.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from realtime.clock import NS_PER_MS, Clock
from realtime.packets import CLIP_SLOTS, SLOT_NS, Clip, Prediction
from realtime.recognition.features import MAX_BATCH, FeatureExtractor, Models
from realtime.recognition.window import ClipWindow
from realtime.stats import Stats


class Recognizer:
    """Recognizes one stream; one thread calls it.

    Args:
        models: The bundle's networks.
        n_clips: T.
        stride_ns: Time between two clips.
        clock: The run's clock.
        stats: Counts `encoded_frames` and `predictions`, keeps the times of each step.
        dated: Whether frame times are on the run's clock, so that a latency has a meaning.
    """

    def __init__(
        self,
        models: Models,
        n_clips: int,
        stride_ns: int,
        clock: Clock,
        stats: Stats,
        dated: bool,
    ) -> None:
        self._models = models
        self._extractor = FeatureExtractor(models)
        self._clock = clock
        self._stats = stats
        self._dated = dated
        self._visual_dim = models.head.config.visual_dim
        self._window = ClipWindow(n_clips, stride_ns, vector_dim=512, device=models.device)
        self._features: dict[int, Tensor] = {}  # by slot: a frame passes the trunk once
        self._no_picture = torch.zeros((1, self._visual_dim), device=models.device)
        self._no_sound = torch.zeros((1, 512, 12, 8), device=models.device)

    @property
    def n_kept_features(self) -> int:
        """How many frames' features are kept for later clips."""
        return len(self._features)

    @torch.inference_mode()
    def step(self, clip: Clip) -> Prediction | None:
        """Take one clip in; return the prediction if one is due.

        Returns:
            None between hops. Where a window has neither sense all probabilities are 0.
        """
        started_ns = self._clock.now_ns()
        self._encode_frames(clip)
        present = torch.tensor(
            [[clip.has_picture, clip.has_sound]],
            device=self._models.device,
        )
        visual = self._pool(clip.slots)
        sound = self._no_sound
        if clip.waveform is not None:
            sound = self._extractor.encode_sound(clip.waveform)
        codes = self._models.head.encode_clips(visual, sound, present)
        self._window.append(clip.end_t_ns, codes.vectors[0], codes.scores[0], present[0])
        if not clip.decide:
            return None
        return self._decide(clip, started_ns)

    def _encode_frames(self, clip: Clip) -> None:
        frames = clip.new_frames
        for start in range(0, len(frames), MAX_BATCH):
            batch = frames[start : start + MAX_BATCH]
            features = self._extractor.encode_frames([frame.image for frame in batch])
            self._features.update(zip((frame.slot for frame in batch), features, strict=True))
        self._stats.count("encoded_frames", len(frames))
        self._forget(clip.end_t_ns // SLOT_NS - CLIP_SLOTS)

    def _forget(self, first_slot: int) -> None:
        """Drop the frames that no clip from `first_slot` on shows.

        Not by what this clip shows: one with too few pictures shows none, the next may show them.
        """
        held = max((slot for slot in self._features if slot <= first_slot), default=first_slot)
        for slot in [slot for slot in self._features if slot < held]:
            del self._features[slot]

    def _pool(self, slots: tuple[int, ...]) -> Tensor:
        """Return the clip's visual feature `(1, D)`: the mean over the frames that it shows."""
        rows = [self._features[slot] for slot in slots if slot >= 0]
        if not rows:
            return self._no_picture
        return torch.stack(rows).mean(dim=0, keepdim=True)

    def _decide(self, clip: Clip, started_ns: int) -> Prediction:
        head = self._models.head
        vectors, scores, present = self._window.gather()
        window = head.decide(vectors, scores, present)
        newest = head.decide(vectors[:, -1:], scores[:, -1:], present[:, -1:])
        anything, anything_new = bool(present.any()), bool(present[:, -1].any())
        now_ns = self._clock.now_ns()
        compute_ms = (now_ns - started_ns) / NS_PER_MS
        latency_ms = (now_ns - clip.newest_ns) / NS_PER_MS if self._dated else None
        self._stats.count("predictions")
        return Prediction(
            end_t_ns=clip.end_t_ns,
            window=_numpy(window.probabilities[0]) * np.float32(anything),
            newest=_numpy(newest.probabilities[0]) * np.float32(anything_new),
            attention=_numpy(window.attention[0]),
            present=present[0].cpu().numpy(),
            newest_ns=clip.newest_ns,
            latency_ms=latency_ms,
            compute_ms=compute_ms,
            av_skew_ms=clip.av_skew_ms,
            gap_samples=clip.gap_samples,
        )


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
