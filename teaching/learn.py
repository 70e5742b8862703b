"""Rows from a few examples: logistic regression on what the trunk made of each second.

Place in the flow: examples and what they are held against → **weights and a bias** → rows of a
head. The bias is set so that an event begins where held-back examples are told and held-back
other things are not: each is scored by a row that was learned without it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

SHRINK = 1e-3  # of squared weights; 3e-4 to 3e-3 named as many files (docs/lab)
MAX_STEPS = 60
MAX_FOLDS = 10
ROOM = 0.3  # weight of what the user's own room sounds like, beside the reference's 1
NOTHING = 0.4  # weight of hours of nothing among all other things
ROWS_A_MINUTE = 30  # of these; a minute is held back as a whole
SURE = 0.5  # of the way from there to what most examples reach
MOST_SURE = 4.0  # logits of that way, at most
QUARTER = 0.25  # of examples may lie lower
OTHERS = 0.97  # of other things lie under the threshold
TAIL = 0.1  # of the seconds of nothing tell how the rest of them would go on
RARE = 1 / 300  # of such seconds may reach the threshold, and two in a row have to (docs/lab)
Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A row and how it did on what it had not learned.

    Attributes:
        weights: `(width + 1,)`, the bias last; 0 is where an event should begin.
        peaks: Each example's surest two seconds, held back; 0 or more is told.
        others: Each reference row's score, held back.
    """

    weights: Array
    peaks: Array
    others: Array

    @property
    def recall(self) -> float:
        """The share of held-back examples that are told."""
        return float((self.peaks >= 0).mean())


def learn(
    examples: Sequence[Array],
    reference: Array,
    nothing: NDArray[np.bool_],
    room: Array | None = None,
    empty: Array | None = None,
    seed: int = 0,
) -> Learned:
    """Learn to tell examples from other things.

    Args:
        examples: Each example's seconds, `(n, width)`; two examples or more.
        reference: Other things, `(N, width)`.
        nothing: Which of these are of rooms in which nothing happens, `(N,)`.
        room: Other things that the user's room has, `(M, width)`.
        empty: An hour in which nothing happens, in order, `(K, width)`.
        seed: Of the folds.
    """
    n_folds = min(len(examples), MAX_FOLDS)
    fold_of = np.arange(len(examples)) % n_folds
    rng = np.random.default_rng(seed)
    their_fold = rng.permutation(len(reference)) % n_folds
    peaks = np.zeros(len(examples), np.float32)
    others = np.zeros(len(reference), np.float32)
    room = np.zeros((0, reference.shape[1]), np.float32) if room is None else room
    empty = room[:0] if empty is None else empty
    minute = np.arange(len(empty)) // ROWS_A_MINUTE
    empty_fold = rng.permutation(minute.max(initial=0) + 1)[minute] % n_folds
    silence = np.zeros(len(empty), np.float32)

    def against(
        kept: NDArray[np.bool_], kept_empty: NDArray[np.bool_]
    ) -> list[tuple[Array, float]]:
        if not len(empty):
            return [(reference[kept], 1.0), (room, ROOM)]
        quiet = np.concatenate([reference[kept & nothing], empty[kept_empty]])
        return [(reference[kept & ~nothing], 1.0 - NOTHING), (quiet, NOTHING), (room, ROOM)]

    for fold in range(n_folds):
        kept = [own for own, its in zip(examples, fold_of, strict=True) if its != fold]
        row = fit(kept, against(their_fold != fold, empty_fold != fold))
        for k in np.flatnonzero(fold_of == fold):
            peaks[k] = peak(scores(row, examples[int(k)]))
        others[their_fold == fold] = scores(row, reference[their_fold == fold])
        silence[empty_fold == fold] = scores(row, empty[empty_fold == fold])
    row = fit(examples, against(their_fold >= 0, empty_fold >= 0))
    begins = threshold(peaks, others, nothing, silence)
    row[-1] -= begins
    return Learned(weights=row, peaks=peaks - begins, others=others - begins)


def threshold(
    peaks: Array, others: Array, nothing: NDArray[np.bool_], silence: Array | None = None
) -> float:
    """Return the logit at which an event should begin, all scores held back.

    Where nothing happens nothing may be told: over the highest second of an hour of it. Where there
    are few such seconds, the largest scores, an exponential tail, are continued to what is rare. Of
    other things a few may be alike, or the same.

    Args:
        peaks: Of examples.
        others: Of other things.
        nothing: Which of these are of rooms in which nothing happens.
        silence: Of an hour of that; none or empty where there is no such hour.
    """
    surest = float(np.quantile(others[~nothing], OTHERS)) if not nothing.all() else -math.inf
    if silence is not None and len(silence):
        surest = max(surest, float(silence.max()), float(others[nothing].max(initial=-math.inf)))
    elif nothing.any():
        few = np.sort(others[nothing])
        n_tail = max(1, round(TAIL * len(few)))
        starts = float(few[-n_tail])
        slope = float(few[-n_tail:].mean()) - starts
        surest = max(surest, starts + slope * math.log(TAIL / RARE))
    gap = float(np.quantile(peaks, QUARTER)) - surest
    return surest + min(MOST_SURE, SURE * max(0.0, gap))


def fit(examples: Sequence[Array], against: Sequence[tuple[Array, float]]) -> Array:
    """Return the weights of logistic regression, `(width + 1,)`.

    Args:
        examples: Each counts alike, 1 in all.
        against: Rows of other things `(n, width)`, and what these count together.
    """
    rows = torch.from_numpy(np.concatenate([*examples, *(other for other, _ in against)]))
    target = torch.zeros(len(rows))
    target[: sum(map(len, examples))] = 1.0
    shares = [(len(own), 1 / len(examples)) for own in examples]
    shares += [(len(other), share) for other, share in against]
    counted = torch.from_numpy(
        np.concatenate([np.full(n, share / max(1, n)) for n, share in shares]).astype(np.float32)
    )
    weight = torch.zeros(rows.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=MAX_STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(rows @ weight + bias, target, reduction="none")
        total = (loss * counted).sum() + SHRINK * weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return torch.cat((weight, bias)).detach().numpy()


def scores(row: Array, rows: Array) -> Array:
    """Return what a row says of others, `(n,)`, logits."""
    return np.asarray(rows @ row[:-1] + row[-1], np.float32)


def peak(said: Array) -> float:
    """Return the highest logit that two of three hops in a row reach, as an event is confirmed."""
    if len(said) < 2:
        return float(said.min(initial=math.inf))
    pairs = [np.minimum(said[1:], said[:-1])]
    if len(said) > 2:
        pairs.append(np.minimum(said[2:], said[:-2]))
    return float(np.concatenate(pairs).max())


def begins_at(on: float, window_weight: float, window_clips: int) -> float:
    """Return the logit of one second that begins an event after silence.

    A score joins the newest second with a window of which it is one of `window_clips`.

    Args:
        on: The score at which an event begins.
        window_weight: `EventSpec.window_weight`.
        window_clips: T.
    """
    wanted = math.log(on / (1 - on))
    low, high = wanted, wanted + 20.0
    for _ in range(40):
        newest = (low + high) / 2
        share = 1 / (1 + math.exp(-newest)) / window_clips
        joined = window_weight * math.log(share / (1 - share)) + (1 - window_weight) * newest
        low, high = (newest, high) if joined < wanted else (low, newest)
    return high
