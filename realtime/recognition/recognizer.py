"""Clips in, predictions out: only what is new is computed, the rest comes from the window.

A step costs the frames that came since the last clip, one second of sound, one clip of MAFnet and
a softmax over 2·T scores, whatever T and the hop are. A `Recognizer` is one stream's memory and
decisions; `realtime.recognition.joint` passes what is due of all streams through the networks.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mafnet.model import ClipCodes
from realtime.clock import NS_PER_MS, Clock
from realtime.packets import CLIP_SLOTS, SLOT_NS, Clip, Prediction
from realtime.recognition.features import Models
from realtime.recognition.window import ClipWindow, WindowCodes
from realtime.stats import Stats


class Recognizer:
    """Recognizes one stream; one thread calls it.

    Args:
        models: The bundle's networks.
        n_clips: T.
        stride_ns: Time between two clips.
        clock: The run's clock.
        stats: Counts `encoded_frames` and `predictions`.
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
        self._clock = clock
        self._stats = stats
        self._dated = dated
        head = models.head.config
        self._window = ClipWindow(
            n_clips,
            stride_ns,
            vector_dim=512,
            device=models.device,
            n_labels=head.n_labels if head.evidence is not None else 0,
        )
        self._alone = ClipWindow(n_clips, stride_ns, vector_dim=512, device=models.device)
        self._each = torch.eye(2, dtype=torch.bool, device=models.device)[:, None]  # (2, 1, 2)
        self._features: dict[int, Tensor] = {}  # by slot: a frame passes the trunk once
        self._no_picture = torch.zeros(head.visual_dim, device=models.device)

    @property
    def n_kept_features(self) -> int:
        """How many frames' features are kept for later clips."""
        return len(self._features)

    def keep(self, slots: Iterable[int], features: Tensor) -> None:
        """Keep the features `(n, D)` of frames, by their slots."""
        self._features.update(zip(slots, features, strict=True))
        self._stats.count("encoded_frames", len(features))

    def pool(self, clip: Clip) -> Tensor:
        """Return the clip's visual feature `(D,)`: the mean over the frames that it shows.

        Frames that no later clip shows are forgotten.
        """
        rows = [self._features[slot] for slot in clip.slots if slot >= 0]
        self._forget(clip.end_t_ns // SLOT_NS - CLIP_SLOTS)
        return torch.stack(rows).mean(dim=0) if rows else self._no_picture

    def append(self, clip: Clip, codes: ClipCodes, alone: ClipCodes, row: int) -> None:
        """Put the clip's code, a row of `codes`, into the window.

        Args:
            clip: The newest.
            codes: Of this clip among others.
            alone: The same, each sense coded as if it were alone.
            row: This clip's.
        """
        present = torch.tensor([clip.has_picture, clip.has_sound])
        evidence = None if codes.evidence is None else codes.evidence[row]
        self._window.append(clip.end_t_ns, codes.vectors[row], codes.scores[row], present, evidence)
        self._alone.append(clip.end_t_ns, alone.vectors[row], alone.scores[row], present)

    def decide(self, clip: Clip, started_ns: int) -> Prediction:
        """Decide over the window that ends with `clip`, which was appended.

        Args:
            clip: The newest.
            started_ns: When its computation began, on the run's clock.

        Returns:
            The prediction. Where a window has neither sense all probabilities are 0.
        """
        head = self._models.head
        codes = self._window.gather()
        present = codes.present
        window = head.decide(*codes)
        newest = head.decide(*codes.newest())
        alone = self._decide_alone(codes.evidence)
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
            alone=alone,
            independent=head.config.activation == "sigmoid",
            clip_ends_t_ns=self._window.ends_t_ns(),
        )

    def _decide_alone(self, evidence: Tensor | None) -> NDArray[np.float32]:
        """Return what each sense says by itself, `(2, 2, n_labels)`; see `Prediction.alone`.

        Args:
            evidence: Of the window's clips, `(1, T, 2, n_labels)`: each sense's is its own anyway.
        """
        codes = self._alone.gather()
        each = WindowCodes(
            codes.vectors.expand(2, -1, -1, -1),
            codes.scores.expand(2, -1, -1),
            codes.present & self._each,  # (2, T, 2), the picture's row first
            None if evidence is None else evidence.expand(2, -1, -1, -1),
        )
        newest = each.newest()
        probabilities = [self._models.head.decide(*part).probabilities for part in (each, newest)]
        anything = [part.present.flatten(1).any(dim=1) for part in (each, newest)]
        return _numpy(torch.stack(probabilities, dim=1) * torch.stack(anything, dim=1)[:, :, None])

    def _forget(self, first_slot: int) -> None:
        """Drop the frames that no clip from `first_slot` on shows.

        Not by what this clip shows: one with too few pictures shows none, the next may show them.
        """
        held = max((slot for slot in self._features if slot <= first_slot), default=first_slot)
        for slot in [slot for slot in self._features if slot < held]:
            del self._features[slot]


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
