"""What a bundle tells of a recording that was heard already: its own tracker over its own network.

Place in the flow: hops of a recording → **scores → events** → figures of before and after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.model import MAFnet
from realtime.events.tracker import EventTracker
from realtime.packets import Event, LabelScores, Phase, join_scores
from teaching.heard import HOPS_A_SECOND, Heard
from weights.bundle import Bundle

WINDOW_CLIPS = 10
NS_PER_HOP = 1_000_000_000 // HOPS_A_SECOND
N_BATCH = 256
LEAST_HOPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event.

    Attributes:
        label: What.
        onset_s: From the recording's start.
        offset_s: Likewise.
    """

    label: str
    onset_s: float
    offset_s: float


@torch.inference_mode()
def scores_of(model: MAFnet, heard: Heard, window_weight: float) -> NDArray[np.float64]:
    """Return what the tracker is given at each hop, `(n, n_labels)`."""
    if model.evidence is None:
        raise ValueError("a network without evidence is not taught")
    # A map of one place has the pooled map's mean.
    pooled = torch.from_numpy(heard.pooled)[:, :, None, None]
    evidence = model.evidence(torch.from_numpy(heard.visual), pooled)
    vectors, attention = torch.from_numpy(heard.vectors), torch.from_numpy(heard.scores)
    has = torch.from_numpy(heard.present.copy())
    back = torch.arange(-(WINDOW_CLIPS - 1), 1) * HOPS_A_SECOND
    parts = []
    for k in range(0, len(heard), N_BATCH):
        at = torch.arange(k, min(k + N_BATCH, len(heard)))[:, None] + back
        inside, at = (at >= 0)[:, :, None] & has, at.clamp_min(0)
        said = [
            model.decide(
                vectors[at[:, rows]], attention[at[:, rows]], inside[:, rows], evidence[at[:, rows]]
            ).probabilities.numpy()
            for rows in (slice(None), slice(-1, None))
        ]
        parts.append(join_scores(said[0], said[1], window_weight, independent=True))
    return np.concatenate(parts)


def events_of(bundle: Bundle, scores: NDArray[np.float64]) -> list[Told]:
    """Return the events that the bundle's settings make of scores `(n, n_labels)`."""
    tracker = EventTracker(bundle.events, bundle.labels)
    told: list[Event] = []
    end_t_ns = 0
    # A clip of one second has one hop; in a stream its neighbours hold most of it too.
    scores = np.concatenate([scores, np.repeat(scores[-1:], max(0, LEAST_HOPS - len(scores)), 0)])
    for k, row in enumerate(scores):
        end_t_ns = (HOPS_A_SECOND + k) * NS_PER_HOP
        heard = LabelScores(end_t_ns=end_t_ns, scores=row, window=row.astype(np.float32))
        told += tracker.update(heard)
    told += tracker.close(end_t_ns)
    return [
        Told(label=e.label, onset_s=e.onset_t_ns / 1e9, offset_s=e.offset_t_ns / 1e9)
        for e in told
        if e.phase is Phase.OFFSET and e.offset_t_ns is not None
    ]
