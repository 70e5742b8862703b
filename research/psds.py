"""PSDS from timestamped scores, by `sed_scores_eval` (`pip install sed-scores-eval-np2`).

Polyphonic sound detection score (Bilen et al. 2020), exact over all thresholds (Ebbers et al.
2022). Streams are cut in the middle of the pauses between events, so that an interval can be drawn
from many pieces: a tenth of them is left out at a time.
"""

import dataclasses
import itertools
import warnings
from collections.abc import Sequence

import numpy as np

from realtime.packets import join_scores
from research.streaming.replay import Scores
from research.streaming.scoring import Truth

HOP_S = 0.25
N_GROUPS = 10  # of the jackknife
# DCASE's two scenarios: of one that dates events, and of one that must not confuse them.
DATES = {"dtc_threshold": 0.7, "gtc_threshold": 0.7, "alpha_ct": 0.0, "alpha_st": 1.0}
NAMES = {"dtc_threshold": 0.1, "gtc_threshold": 0.1, "cttc_threshold": 0.3, "alpha_ct": 0.5}
SCENARIOS: dict[str, dict[str, float]] = {"dates": DATES, "names": {**NAMES, "alpha_st": 1.0}}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A stream's joined scores `(n_hops, n_labels)` and its truth."""

    seconds: float
    truths: tuple[Truth, ...]
    scores: Scores
    context: float


def cuts_of(truths: Sequence[Truth], seconds: float) -> list[float]:
    """Return where a stream is cut: its ends and the middles of its pauses."""
    middles = [(a.offset_s + b.onset_s) / 2 for a, b in itertools.pairwise(truths)]
    return [0.0, *(round(middle / HOP_S) * HOP_S for middle in middles), seconds]


def psds(
    streams: Sequence[Scored], labels: Sequence[str], scenario: str
) -> tuple[float, float, float]:
    """Return PSDS over the labels that happen, and its interval of 95 % (grouped jackknife).

    Raises:
        ModuleNotFoundError: The library is not installed.
    """
    with warnings.catch_warnings():  # of what it imports
        warnings.simplefilter("ignore")
        from sed_scores_eval import intersection_based
        from sed_scores_eval.base_modules.scores import create_score_dataframe
    happens = sorted({truth.label for stream in streams for truth in stream.truths})
    columns = [labels.index(label) for label in happens]
    scores, truth, durations = {}, {}, {}
    for number, stream in enumerate(streams):
        joined = join_scores(stream.scores.window, stream.scores.newest, stream.context, True)
        centres = stream.scores.end_t_ns / 1e9 - 0.5
        for first, last in itertools.pairwise(cuts_of(stream.truths, stream.seconds)):
            name = f"{number}-{first:g}"
            times = np.arange(first, last + HOP_S / 2, HOP_S)  # edges of the hops
            at = np.searchsorted(centres, times[:-1] + HOP_S / 2)
            rows = joined[at.clip(0, len(joined) - 1)][:, columns]
            scores[name] = create_score_dataframe(rows, times - first, happens)
            durations[name] = float(times[-1] - first)
            truth[name] = [
                (own.onset_s - first, own.offset_s - first, own.label)
                for own in stream.truths
                if first <= own.onset_s < last
            ]
    settings = dict(SCENARIOS[scenario])
    alphas = {name: settings.pop(name) for name in ("alpha_ct", "alpha_st")}
    deltas = intersection_based.intermediate_statistics_deltas(scores, truth, **settings)

    def of(names: Sequence[str]) -> float:
        some = [{name: each[name] for name in names} for each in (deltas, truth, durations)]
        found = intersection_based.psds(
            None, some[1], some[2], deltas=some[0], **settings, **alphas, max_efpr=100.0
        )
        return float(found[0])

    names = sorted(scores)
    whole = of(names)
    without = [of([n for k, n in enumerate(names) if k % N_GROUPS != g]) for g in range(N_GROUPS)]
    spread = 1.96 * float(np.sqrt((N_GROUPS - 1) * np.var(without)))
    return whole, max(0.0, whole - spread), whole + spread
