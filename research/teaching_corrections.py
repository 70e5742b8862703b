"""What ten corrected false events do: to the others of their kind, and to the label elsewhere."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mafnet.load import load_head
from research.sound_corpus import SoundCorpus
from research.teaching_ear import Ear
from research.teaching_kinds import Kind, Teller, kinds_of_files, kinds_of_sources
from research.teaching_material import Files
from teaching.deny import deny
from teaching.learn import peak, scores
from teaching.lessons import FAINT, LEAST_ENDED, MARGIN
from teaching.reference import Reference
from weights.bundle import Bundle

Array = NDArray[np.float32]


def correct_tables(
    files: Files, corpus: SoundCorpus, bundle: Bundle, ear: Ear, reference: Reference, ask: str
) -> None:
    """Print a line of each kind, and of all kinds of one source.

    Args:
        files: Heard.
        corpus: The same files' samples.
        bundle: Whose classes tell.
        ear: Its sound trunk.
        reference: What a correction is held against.
        ask: The split whose files are corrected and asked.
    """
    teller = Teller(bundle, load_head(bundle))
    _print(kinds_of_files(files, teller, (ask,)), teller, reference)
    ended = _print(kinds_of_sources(files, corpus, teller, ear, (ask,)), teller, reference)
    if ended:
        told = {"sources": len(ended), "ended_mean": round(float(np.mean(ended)), 3),
                "ended_by_90_percent": sum(share >= 0.9 for share in ended)}  # fmt: skip
        print(json.dumps(told), flush=True)


def _print(kinds: Iterable[Kind], teller: Teller, reference: Reference) -> list[float]:
    ended = []
    for kind in kinds:
        told = corrected(kind, teller, reference)
        before, after = told["others"]
        ended.append(1 - after / before)
        print(json.dumps({"kind": f"{kind.source} told as {kind.label}", **told}), flush=True)
    return ended


def corrected(kind: Kind, teller: Teller, reference: Reference) -> dict[str, Any]:
    """Correct a kind's ten, as `teaching.lessons` does, and count what is told before and after."""
    place = teller.labels.index(kind.label)
    said = [teller.said(rows)[:, place] for rows in kind.corrected]
    fired = [
        rows[own >= min(teller.begins, FAINT)]
        for rows, own in zip(kind.corrected, said, strict=True)
    ]
    others, _ = reference.but(kind.label, teller.related(kind.label))
    enough = max(float(own.max()) for own in said) - teller.begins + MARGIN
    denial = deny(fired, reference.of(kind.label), others, enough)
    needed = [peak(own) - teller.begins for own in said]
    still = sum(peak(-each) > -n for each, n in zip(denial.taken, needed, strict=True))
    is_refused = denial.is_bounded and still > (1 - LEAST_ENDED) * len(said)

    def n_told(recordings: Sequence[Array]) -> int:
        if is_refused:
            return len(recordings)
        return sum(
            peak(teller.said(rows)[:, place] - np.maximum(0, scores(denial.weights, rows)))
            >= teller.begins
            for rows in recordings
        )

    counted = {"others": kind.asked, **kind.own}
    return {
        "corrected": len(said),
        "bounded": denial.is_bounded,
        "refused": is_refused,
        **{name: (len(each), n_told(each)) for name, each in counted.items()},
    }
