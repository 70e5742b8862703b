"""Is one network better than another on the same videos, or does it only look so?

Both answered the same videos, so what is compared are pairs: an interval of the difference by
drawing videos (and seeds) anew, and McNemar's exact test on the videos that only one named rightly.
Plain numpy; nothing here knows a network.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mafnet.errors import MafnetError
from mafnet.feature_set import Senses
from mafnet.results import PREDICTIONS, Said, read_said

N_DRAWS = 10_000
_ENDS = (2.5, 97.5)  # percent: 95 % lie between


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The second network beside the first.

    Attributes:
        n: Videos.
        accuracies: Of both, the mean over the seeds.
        difference: Second minus first.
        interval: 95 % interval of the difference, over videos and seeds.
        pairs: What both of each pair are called.
        by_seed: The pairs are of equal seeds; otherwise each has its place among the folders.
        only_first: By pairs, how many videos only the first named rightly.
        only_second: Likewise.
        p_values: McNemar's exact test, by pairs.
    """

    n: int
    accuracies: tuple[float, float]
    difference: float
    interval: tuple[float, float]
    pairs: tuple[tuple[str, str], ...]
    by_seed: bool
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]
    p_values: tuple[float, ...]


def read_seeds(folder: Path, senses: Senses = "both") -> list[Said]:
    """Read a test's results, or those of several seeds in folders below.

    Raises:
        MafnetError: There are none.
    """
    if (folder / PREDICTIONS).is_file():
        return [read_said(folder, senses)]
    found = sorted(path.parent for path in folder.glob(f"*/{PREDICTIONS}"))
    if not found:
        raise MafnetError(
            f"{folder}: no {PREDICTIONS} here or one folder below: write it with "
            "`python -m mafnet test --results`"
        )
    return [read_said(each, senses) for each in found]


def untested_seeds(folder: Path) -> list[Path]:
    """Return the folders below that `train` wrote and `test --results` did not, by name."""
    runs = (path.parent for path in folder.glob("*/run"))
    return sorted(each for each in runs if not (each / PREDICTIONS).is_file())


def compare(first: Sequence[Said], second: Sequence[Said], draws: int = N_DRAWS) -> Comparison:
    """Compare two networks, each with one seed or more.

    Args:
        first: What one said.
        second: What the other said; of the same videos.
        draws: Of the bootstrap.

    Raises:
        MafnetError: The videos are not the same.
    """
    videos = first[0].videos
    rights = [
        np.array([_in_order(each, videos) for each in said])  # (seeds, N)
        for said in (first, second)
    ]
    means = [float(right.mean()) for right in rights]
    rows = equal_seeds(first, second)
    by_seed = bool(rows)
    rows = rows or [(k, k) for k in range(min(len(first), len(second)))]
    pairs = [(rights[0][one], rights[1][other]) for one, other in rows]
    only_first = tuple(int((one & ~other).sum()) for one, other in pairs)
    only_second = tuple(int((other & ~one).sum()) for one, other in pairs)
    return Comparison(
        n=len(videos),
        accuracies=(means[0], means[1]),
        difference=means[1] - means[0],
        interval=_bootstrap(rights[0], rights[1], draws),
        pairs=tuple((first[one].name, second[other].name) for one, other in rows),
        by_seed=by_seed,
        only_first=only_first,
        only_second=only_second,
        p_values=tuple(map(mcnemar, only_first, only_second)),
    )


def equal_seeds(first: Sequence[Said], second: Sequence[Said]) -> list[tuple[int, int]]:
    """Return the places of those that were trained with the same seed, by seed.

    There is none where a run does not tell its seed, or where two of one side have the same.
    """
    places = [{each.seed: place for place, each in enumerate(side)} for side in (first, second)]
    if any(None in side for side in places):
        return []
    if len(places[0]) < len(first) or len(places[1]) < len(second):
        return []
    both = sorted(seed for seed in places[0] if seed is not None and seed in places[1])
    return [(places[0][seed], places[1][seed]) for seed in both]


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value: were both alike, each would win half of the videos."""
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**n))


def accuracy_interval(said: Sequence[Said], draws: int = N_DRAWS) -> tuple[float, float]:
    """Return the 95 % interval of the mean accuracy over videos and seeds."""
    right = np.array([_in_order(each, said[0].videos) for each in said])
    return _bootstrap(np.zeros_like(right[:1]), right, draws)


def _bootstrap(
    first: NDArray[np.bool_], second: NDArray[np.bool_], draws: int
) -> tuple[float, float]:
    # Videos are drawn for both together, seeds for each by itself: a mean over drawn seeds of a
    # mean over drawn videos is one product of counts.
    random = np.random.default_rng(0)
    n = first.shape[1]
    videos = random.multinomial(n, np.full(n, 1 / n), draws)  # (draws, N)
    means = []
    for right in (first, second):
        seeds = random.multinomial(len(right), np.full(len(right), 1 / len(right)), draws)
        means.append((seeds * (videos @ right.T)).sum(axis=1) / (n * len(right)))
    low, high = np.percentile(means[1] - means[0], _ENDS)
    return float(low), float(high)


def _in_order(said: Said, videos: tuple[str, ...]) -> NDArray[np.bool_]:
    if said.videos == videos:
        return said.right
    place = {video: row for row, video in enumerate(said.videos)}
    if place.keys() != set(videos):
        only = sorted(place.keys() ^ set(videos))
        raise MafnetError(
            f"{said.name}: other videos were tested than in the results beside it (only on one "
            f"side: {only[0]}): test both with the same --features and --split"
        )
    return said.right[[place[video] for video in videos]]
