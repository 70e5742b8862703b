"""A head with more rows: new labels at the end, what was taught beside the classes' evidence.

All numbers of the head before stay as they are, to the bit. A new label's row of the head proper
is zero: only what was taught speaks of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mafnet.evidence import PICTURE_SCALE, UNHEARD
from weights.bundle import Bundle, EvidenceSpec
from weights.bundle_spec import Lesson
from weights.event_spec import EventSpec

OFF = 0.46  # of `on`, as all labels of the starter
NEVER = -20.0  # logits of a sense that a row says nothing by
_OF_LABELS = (  # by the label's position along their first axis, and what a new one has there
    ("head.weight", 0.0),
    ("head.bias", 0.0),
    ("head_norm.weight", 0.0),
    ("head_norm.bias", 0.0),
    ("head_norm.running_mean", 0.0),
    ("head_norm.running_var", 1.0),
    ("evidence.sound_scale", 1.0),
    ("evidence.sound_bias", 0.0),
    ("evidence.sound_missing", UNHEARD),
    ("evidence.picture_scale", PICTURE_SCALE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of `mafnet.taught`; a sense without weights is not asked.

    Attributes:
        lesson: What it is about.
        heard: `(C,)` and a bias in the last place, `(C + 1,)`; None where sound says nothing.
        seen: `(D + 1,)` likewise.
    """

    lesson: Lesson
    heard: NDArray[np.float32] | None = None
    seen: NDArray[np.float32] | None = None


def with_rows(
    bundle: Bundle, state: dict[str, Tensor], rows: Sequence[Row], on: dict[str, float]
) -> tuple[Bundle, dict[str, Tensor]]:
    """Add rows to a bundle's labels, settings and head.

    Args:
        bundle: With evidence.
        state: Its head's.
        rows: In order; labels that the bundle has not are new.
        on: Thresholds of new labels, and of old ones that move.

    Returns:
        The bundle, its files not written yet, and the state.
    """
    evidence = bundle.head.evidence
    if evidence is None:
        raise ValueError("only a bundle with evidence can be taught")
    told = dict.fromkeys(row.lesson.label for row in rows)
    new = [label for label in told if label not in bundle.labels]
    out = dict(state)
    for name, value in _OF_LABELS:
        before = out[name]
        more = before.new_full((len(new), *before.shape[1:]), value)
        out[name] = torch.cat((before, more))
    for sense, width in (("heard", "sound_classes"), ("seen", "picture_classes")):
        dim = out[f"evidence.{width}.weight"].shape[1]
        learned = torch.from_numpy(np.stack([_weights(getattr(row, sense), dim) for row in rows]))
        for part, values in (("weight", learned[:, :dim]), ("bias", learned[:, dim])):
            name = f"evidence.taught.{sense}.{part}"
            parts = (out[name].float(), values) if name in out else (values,)
            out[name] = torch.cat(parts).contiguous()
    empty: tuple[tuple[int, ...], ...] = ((),) * len(new)
    spec = EvidenceSpec(
        sound=evidence.sound + empty,
        picture=evidence.picture + empty,
        lessons=evidence.lessons + tuple(row.lesson for row in rows),
    )
    changed = dataclasses.replace(
        bundle,
        labels=(*bundle.labels, *new),
        head=dataclasses.replace(bundle.head, evidence=spec),
        events=_events(bundle.events, on),
    )
    return changed, out


def _events(events: EventSpec, on: dict[str, float]) -> EventSpec:
    pairs: dict[str, Any] = dict(events.per_label)
    pairs.update(
        {label: {"on": value, "off": round(OFF * value, 3)} for label, value in on.items()}
    )
    return dataclasses.replace(events, per_label=pairs)


def _weights(learned: NDArray[np.float32] | None, dim: int) -> NDArray[np.float32]:
    if learned is None:
        learned = np.zeros(dim + 1, np.float32)
        learned[-1] = NEVER
    if learned.shape != (dim + 1,):
        raise ValueError(f"a row must be ({dim + 1},), got {learned.shape}")
    return learned.astype(np.float32)
