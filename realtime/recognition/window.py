"""The window: MAFnet's per-clip codes of the last seconds, and the T of them that a decision joins.

Each clip's code is computed once (`mafnet.model.MAFnet.encode_clips`) and kept here; a decision
takes the codes one second apart that end now. With a hop of less than a second the ring holds the
interleaved windows of all phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mafnet.attention import SOUND
from mafnet.evidence import NO_CLASS
from realtime.clock import NS_PER_S


class WindowCodes(NamedTuple):
    """The codes of a window's T clips, oldest first, as `mafnet.model.MAFnet.decide` takes them.

    Attributes:
        vectors: `(1, T, 2, vector_dim)`.
        scores: `(1, T, 2)`.
        present: bool `(1, T, 2)`.
        evidence: `(1, T, 2, n_labels)`; None of a network without it.
    """

    vectors: Tensor
    scores: Tensor
    present: Tensor
    evidence: Tensor | None = None

    def newest(self) -> WindowCodes:
        """Return the newest clip's codes alone, T = 1."""
        evidence = None if self.evidence is None else self.evidence[:, -1:]
        return WindowCodes(
            self.vectors[:, -1:], self.scores[:, -1:], self.present[:, -1:], evidence
        )


class ClipWindow:
    """A preallocated ring of clip codes by end time; one thread uses it.

    Args:
        n_clips: T, the most clips that a window joins.
        stride_ns: Time between two clips of the stream; divides a second.
        vector_dim: Length of one sense's vector in a code (512).
        device: Where codes are kept.
        n_labels: Labels of which codes hold evidence; 0 for codes without.
    """

    def __init__(
        self,
        n_clips: int,
        stride_ns: int,
        vector_dim: int,
        device: torch.device | str = "cpu",
        n_labels: int = 0,
    ) -> None:
        if n_clips < 1:
            raise ValueError(f"a window has at least 1 clip, got {n_clips}")
        if stride_ns < 1 or NS_PER_S % stride_ns:
            raise ValueError(f"the stride must divide a second, got {stride_ns} ns")
        self._n_clips = n_clips
        self._stride_ns = stride_ns
        self._per_second = NS_PER_S // stride_ns
        self._capacity = n_clips * self._per_second
        self._vectors = torch.zeros((self._capacity, 2, vector_dim), device=device)
        self._scores = torch.zeros((self._capacity, 2), device=device)
        self._present = torch.zeros((self._capacity, 2), dtype=torch.bool, device=device)
        self._evidence = (
            torch.zeros((self._capacity, 2, n_labels), device=device) if n_labels else None
        )
        self._numbers = [-1] * self._capacity  # which clip each row holds
        self._newest = -1

    def append(
        self,
        end_t_ns: int,
        vectors: Tensor,
        scores: Tensor,
        present: Tensor,
        evidence: Tensor | None = None,
    ) -> None:
        """Keep one clip's code.

        Args:
            end_t_ns: Its exclusive end, stream time; on the stride grid, later than any before.
            vectors: `(2, vector_dim)`.
            scores: `(2,)`.
            present: bool `(2,)`.
            evidence: `(2, n_labels)` where codes hold it.
        """
        number, rest = divmod(end_t_ns, self._stride_ns)
        if rest or number <= self._newest:
            raise ValueError(f"clips come in order on the stride grid, got end {end_t_ns} ns")
        row = number % self._capacity
        self._vectors[row] = vectors
        self._scores[row] = scores
        self._present[row] = present
        if self._evidence is not None:
            if evidence is None:
                raise ValueError("this window keeps evidence, and the clip's code has none")
            self._evidence[row] = evidence
        self._numbers[row] = number
        self._newest = number

    def with_labels(self, places: Sequence[int | None]) -> None:
        """Put the evidence in the order of other labels.

        Args:
            places: Of each new label, where it stood; None where it was not: then nothing was
                heard or seen of it.
        """
        if self._evidence is None:
            return
        before = self._evidence
        self._evidence = before.new_zeros((self._capacity, 2, len(places)))
        self._evidence[:, SOUND] = NO_CLASS
        known = [k for k, place in enumerate(places) if place is not None]
        self._evidence[:, :, known] = before[:, :, [p for p in places if p is not None]]

    def forget(self) -> None:
        """Begin anew with the next clip."""
        self._numbers = [-1] * self._capacity

    def _wanted(self) -> list[int]:
        """Return the numbers of the clips that the window has, oldest first."""
        if self._newest < 0:
            raise ValueError("the window is empty: append a clip first")
        wanted = range(self._newest - (self._n_clips - 1) * self._per_second, self._newest + 1)
        return [
            number
            for number in wanted[:: self._per_second]
            if number >= 0 and self._numbers[number % self._capacity] == number
        ]

    def ends_t_ns(self) -> tuple[int, ...]:
        """Return the exclusive ends of the clips that `gather` returns, stream time."""
        return tuple(number * self._stride_ns for number in self._wanted())

    def gather(self) -> WindowCodes:
        """Return the window that ends with the newest clip, oldest clip first.

        A clip that was skipped or fell before the stream's first second is left out.

        Returns:
            The codes, with T from 1 to `n_clips`.

        Raises:
            ValueError: No clip was appended yet.
        """
        rows = [number % self._capacity for number in self._wanted()]
        index = torch.tensor(rows, device=self._vectors.device)
        evidence = None if self._evidence is None else self._evidence[index][None]
        return WindowCodes(
            self._vectors[index][None],
            self._scores[index][None],
            self._present[index][None],
            evidence,
        )
