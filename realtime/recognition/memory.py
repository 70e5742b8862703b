"""One stream's memory: features of its frames, and MAFnet's codes of its last seconds.

Computes nothing but means: tensors in, tensors out. `realtime.recognition.batch` fills it and
decides over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mafnet.attention import HIDDEN
from mafnet.model import ClipCodes, MAFnetConfig
from realtime.packets import CLIP_SLOTS, SLOT_NS, Clip
from realtime.recognition.window import ClipWindow, WindowCodes
from realtime.stats import Stats


class FrameFeatures:
    """Features of frames by their slots, so that a frame passes the trunk once."""

    def __init__(self) -> None:
        self._features: dict[int, Tensor] = {}

    def __len__(self) -> int:
        """How many frames later clips may still show."""
        return len(self._features)

    def keep(self, slots: Iterable[int], features: Tensor) -> None:
        """Keep the features `(n, D)` of frames, by their slots."""
        self._features.update(zip(slots, features, strict=True))

    def mean(self, slots: Sequence[int]) -> Tensor | None:
        """Return the mean `(D,)` over the frames that a clip shows; None if it shows none."""
        rows = [self._features[slot] for slot in slots if slot >= 0]
        return torch.stack(rows).mean(dim=0) if rows else None

    def forget(self, first_slot: int) -> None:
        """Drop the frames that no clip from `first_slot` on shows.

        Not by what a clip shows: one with too few pictures shows none, the next may show them.
        """
        held = max((slot for slot in self._features if slot <= first_slot), default=first_slot)
        for slot in [slot for slot in self._features if slot < held]:
            del self._features[slot]


class StreamMemory:
    """What is kept of one stream between its clips; one thread uses it.

    Args:
        head: MAFnet's shapes.
        device: Where codes and features are.
        n_clips: T.
        stride_ns: Time between two clips.
        stats: Counts the stream's `encoded_frames` and `predictions`.
        dated: Whether frame times are on the run's clock, so that a latency has a meaning.
    """

    def __init__(
        self,
        head: MAFnetConfig,
        device: torch.device,
        *,
        n_clips: int,
        stride_ns: int,
        stats: Stats,
        dated: bool,
    ) -> None:
        self.stats = stats
        self.dated = dated
        self._frames = FrameFeatures()
        self._window = ClipWindow(
            n_clips,
            stride_ns,
            vector_dim=HIDDEN,
            device=device,
            n_labels=head.n_labels if head.evidence is not None else 0,
        )
        self._alone = ClipWindow(n_clips, stride_ns, vector_dim=HIDDEN, device=device)
        self._each = torch.eye(2, dtype=torch.bool, device=device)[:, None]  # (2, 1, 2)
        self._no_picture = torch.zeros(head.visual_dim, device=device)

    def keep(self, slots: Iterable[int], features: Tensor) -> None:
        """Keep the features `(n, D)` of frames, by their slots."""
        self._frames.keep(slots, features)
        self.stats.count("encoded_frames", len(features))

    def pool(self, clip: Clip) -> Tensor:
        """Return the clip's visual feature `(D,)`, and forget what no later clip shows."""
        mean = self._frames.mean(clip.slots)
        self._frames.forget(clip.end_t_ns // SLOT_NS - CLIP_SLOTS)
        return self._no_picture if mean is None else mean

    def append(self, clip: Clip, codes: ClipCodes, alone: ClipCodes, row: int) -> None:
        """Put the clip's code into the window.

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

    def adopt(self, places: Sequence[int | None], *, same_codes: bool) -> None:
        """Go on with another head.

        Args:
            places: Of each of its labels, where it stood; None where it was not.
            same_codes: Whether clips have the same codes for it; else the window begins anew.
        """
        self._window.with_labels(places)
        if not same_codes:
            self._window.forget()
            self._alone.forget()

    def window(self) -> WindowCodes:
        """Return the codes of the window that ends with the newest clip."""
        return self._window.gather()

    def senses_alone(self, evidence: Tensor | None) -> WindowCodes:
        """Return the same as each sense has it by itself, `(2, T, …)`, the picture's row first.

        Args:
            evidence: Of the window's clips, `(1, T, 2, n_labels)`: each sense's is its own anyway.
        """
        codes = self._alone.gather()
        return WindowCodes(
            codes.vectors.expand(2, -1, -1, -1),
            codes.scores.expand(2, -1, -1),
            codes.present & self._each,  # (2, T, 2)
            None if evidence is None else evidence.expand(2, -1, -1, -1),
        )

    def ends_t_ns(self) -> tuple[int, ...]:
        """Return the exclusive ends of the window's clips, stream time, oldest first."""
        return self._window.ends_t_ns()
