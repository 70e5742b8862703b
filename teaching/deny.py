"""Rows that speak against a label: what it was taken for in this room, and not elsewhere.

A row learns the corrected false events against everything else, the label's own sounds above all,
so that it hears nothing where the label is right. What it hears is taken off the label's evidence,
so it is scaled until a held-back false event would not have begun. It begins over what the label's
own sounds reach, held back, even where false events lie lower: these stay, and the label does too.
Where many of its own are known, from near and in rooms, it begins there in any case: the same
source sounds otherwise the next time, and nothing but the label is lost by denying more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teaching.learn import MAX_FOLDS, ROOM, Array, fit, scores

APART = 0.5  # logits between the label's own sounds and where a row begins to deny
SPREAD = 2.0  # standard deviations of the label's own sounds that are not touched (docs/lab)
MANY = 20  # of the label's own sounds tell what it reaches
LOWEST = 0.2  # of a false event's hops lie under where a row begins, where nothing bounds it
WEAKEST = 0.1  # of the others: the hop that must still be denied enough
MOST_GAIN = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A row and how it did on what it had not learned.

    Attributes:
        weights: `(width + 1,)`; what is above 0 is taken off the label.
        taken: Of each false event, held back, what is taken off each hop.
        own: What is taken off each of the label's own rows, held back.
        is_bounded: Whether some false events stay for the label's own sake.
    """

    weights: Array
    taken: tuple[Array, ...]
    own: Array
    is_bounded: bool


def deny(false: Sequence[Array], own: Array, others: Array, enough: float, seed: int = 0) -> Denial:
    """Learn what a label was taken for.

    Args:
        false: Each false event's seconds, `(n, width)`; two events or more.
        own: Seconds in which the label is right, `(m, width)`; there may be none.
        others: Anything else, `(N, width)`.
        enough: Logits that have to go.
        seed: Of the folds.
    """
    n_folds = min(len(false), MAX_FOLDS)
    fold_of = np.arange(len(false)) % n_folds
    own_fold = np.random.default_rng(seed).permutation(len(own)) % n_folds
    held: list[Array] = [np.zeros(0, np.float32)] * len(false)
    own_held = np.zeros(len(own), np.float32)
    for fold in range(n_folds):
        kept = [rows for rows, its in zip(false, fold_of, strict=True) if its != fold]
        kept_own = own[own_fold != fold]
        row = fit(kept, [(np.concatenate([others, kept_own]), 1.0), (kept_own, ROOM)])
        for k in np.flatnonzero(fold_of == fold):
            held[k] = scores(row, false[int(k)])
        own_held[own_fold == fold] = scores(row, own[own_fold == fold])
    row = fit(false, [(np.concatenate([others, own]), 1.0), (own, ROOM)])
    all_held = np.concatenate(held)
    wanted = float(np.quantile(all_held, LOWEST)) - APART
    begins = min(0.0, wanted)
    if len(own):
        reach = own_reach(own_held)
        begins = reach if len(own) >= MANY else max(wanted, reach)
    denied: NDArray[np.float32] = all_held[all_held > begins] - begins
    gain = MOST_GAIN
    if len(denied):
        gain = min(MOST_GAIN, max(1.0, enough / float(np.quantile(denied, WEAKEST))))
    row[-1] -= begins
    return Denial(
        weights=(gain * row).astype(np.float32),
        taken=tuple(gain * np.maximum(0, each - begins) for each in held),
        own=gain * np.maximum(0, own_held - begins),
        is_bounded=begins > wanted,
    )


def own_reach(held: Array) -> float:
    """Return the logit over which hardly any sound of a label's own lies, of held-back scores."""
    usual = float(held.mean() + SPREAD * held.std())
    return usual if len(held) >= MANY else max(float(held.max()), usual) + APART
