"""Kinds of false events that ten corrections are tried on, chosen by rules.

*Another recording*: files of one class, taken for another label. *The same source*: mixes of one
recording into rooms, taken for another label (`research.teaching_room`). Both at a low threshold,
so that there are enough.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.model import MAFnet
from research.sound_corpus import BED_LABELS, Samples, SoundCorpus, to_unit_power
from research.teaching_ear import Ear
from research.teaching_material import Files
from research.teaching_room import hear_mixes
from teaching.learn import begins_at, peak
from teaching.replay import WINDOW_CLIPS
from weights.bundle import Bundle

LOW_ON = 0.3  # more is told wrongly than at the starter's thresholds
MOST_KINDS, LEAST_FALSE, LEAST_RIGHT = 6, 14, 5
N_CORRECTED = 10
MOST_SOURCES = 18
TRIED = 3  # recordings of a class and the label that it is taken for
LEAST_S = 4.0  # of a recording: both halves have two seconds
N_BATCH, MOST_BATCHES, FEWEST = 20, 3, 2  # mixes of a half; with fewer told no more are made
MOST_OWN = 60  # of the label's own files, mixed too
SECOND = 4  # hops
UNNAMED = "Unlabelled"
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """False events of one kind, each as its hops `(n, C)`.

    Attributes:
        source: The class that sounds, and its recording where it is one.
        label: What was told.
        is_one_source: All false events are of one recording.
        corrected: What is corrected.
        asked: The others.
        own: The label's own sounds, which are told: files, and files mixed into rooms.
    """

    source: str
    label: str
    is_one_source: bool
    corrected: Sequence[Array]
    asked: Sequence[Array]
    own: Mapping[str, Sequence[Array]]


class Teller:
    """Says what a bundle's classes tell, at the low threshold."""

    def __init__(self, bundle: Bundle, model: MAFnet) -> None:
        self.labels = bundle.labels
        self.begins = begins_at(LOW_ON, bundle.events.window_weight, WINDOW_CLIPS)
        self._groups = bundle.events.groups
        self._model = model

    @torch.inference_mode()
    def said(self, rows: Array) -> Array:
        """Return what is heard in each hop, `(n, n_labels)`, logits."""
        assert self._model.evidence is not None
        visual = torch.zeros(len(rows), self._model.config.visual_dim)
        said: Array = self._model.evidence(visual, torch.from_numpy(rows)[:, :, None, None])[
            :, 1
        ].numpy()
        return said

    def peaks(self, rows: Array) -> Array:
        """Return what each label reaches in a recording, `(n_labels,)`, logits."""
        return np.array([peak(own) for own in self.said(rows).T])

    def told(self, recordings: Sequence[Array], label: str) -> list[Array]:
        """Return those of some recordings in which a label is told."""
        place = self.labels.index(label)
        return [rows for rows in recordings if self.peaks(rows)[place] >= self.begins]

    def related(self, label: str) -> frozenset[str]:
        """Return what holds a label, and what it holds."""
        wider = {self._groups[label]} if label in self._groups else set()
        return frozenset(wider | {each for each, its in self._groups.items() if its == label})

    def may_be(self, source: str, label: str) -> bool:
        """Tell whether a class is a label, or one of the two holds the other."""
        return source == label or source in self.related(label)


def kinds_of_files(files: Files, teller: Teller, splits: Sequence[str]) -> Iterator[Kind]:
    """Yield kinds of which there are most files: of one class, taken for another label."""
    rng = np.random.default_rng(0)
    peaks = np.array([teller.peaks(rows) for rows in files.rows])  # (n_files, n_labels)
    is_told = (peaks >= teller.begins) & np.isin(files.splits, splits)[:, None]
    kinds = []
    for place, label in enumerate(teller.labels):
        right = np.flatnonzero(is_told[:, place] & (files.labels == label))
        for source in np.unique(files.labels):
            false = np.flatnonzero(is_told[:, place] & (files.labels == source))
            is_kind = len(false) >= LEAST_FALSE and len(right) >= LEAST_RIGHT
            if is_kind and not teller.may_be(str(source), label):
                kinds.append((len(false), str(source), label, false, right))
    kinds.sort(key=lambda kind: kind[:3], reverse=True)
    for _, source, label, false, right in kinds[:MOST_KINDS]:
        picked = {int(k) for k in rng.permutation(false)[:N_CORRECTED]}
        yield Kind(
            source=source,
            label=label,
            is_one_source=False,
            corrected=[files.rows[k] for k in picked],
            asked=[files.rows[k] for k in false if int(k) not in picked],
            own={"files": [files.rows[k] for k in right]},
        )


def kinds_of_sources(
    files: Files, corpus: SoundCorpus, teller: Teller, ear: Ear, splits: Sequence[str]
) -> Iterator[Kind]:
    """Yield kinds of one source each.

    Of each class and label that it is taken for, the recordings that are told wrongly for longest
    as they are; no recording twice. The first whose halves, mixed into rooms, are told wrongly ten
    times and more is taken.
    """
    rng = np.random.default_rng(0)
    order = np.concatenate([corpus.files("val"), corpus.files("test")])
    beds = [
        to_unit_power(corpus.waveform(int(order[k])))
        for k in np.flatnonzero(np.isin(files.splits, splits) & np.isin(files.labels, BED_LABELS))
    ]
    peaks = np.array([teller.peaks(rows) for rows in files.rows])
    is_told = (peaks >= teller.begins) & np.isin(files.splits, splits)[:, None]
    longest = _longest(files, teller, splits)
    used: set[str] = set()
    for source, label in sorted(longest, key=lambda pair: (-longest[pair][0][0], pair)):
        right = np.flatnonzero(is_told[:, teller.labels.index(label)] & (files.labels == label))
        if len(right) < LEAST_RIGHT or len(used) == MOST_SOURCES:
            continue
        for _, group in longest[source, label]:
            its = order[(files.groups == group) & np.isin(files.splits, splits)]
            wave = np.concatenate([corpus.waveform(int(k)) for k in its])
            halves = None if group in used else _halves(wave, label, teller, ear, beds, rng)
            if halves is None:
                continue
            used.add(group)
            own = [corpus.waveform(int(order[k])) for k in rng.permutation(right)[:MOST_OWN]]
            yield Kind(
                source=f"{source} ({group})",
                label=label,
                is_one_source=True,
                corrected=halves[0][:N_CORRECTED],
                asked=halves[1],
                own={
                    "files": [files.rows[k] for k in right],
                    "rooms": teller.told(hear_mixes(own, beds, ear, rng), label),
                },
            )
            break


def _longest(
    files: Files, teller: Teller, splits: Sequence[str]
) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """Return recordings of each class and label that it is taken for, and for how many hops."""
    asked = np.isin(files.splits, splits)
    found: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for group in np.unique(files.groups[asked]):
        its = np.flatnonzero(asked & (files.groups == group))
        source, rows = str(files.labels[its[0]]), np.concatenate([files.rows[k] for k in its])
        is_mixed = source == UNNAMED or (files.labels[its] != source).any()
        if is_mixed or sum(SECOND + len(files.rows[k]) - 1 for k in its) < LEAST_S * SECOND:
            continue
        counts = (teller.said(rows) >= teller.begins).sum(axis=0)
        for label, n in zip(teller.labels, counts, strict=True):
            if n and not teller.may_be(source, label):
                found[source, label].append((int(n), str(group)))
    return {pair: sorted(own, reverse=True)[:TRIED] for pair, own in found.items()}


def _halves(
    wave: Samples, label: str, teller: Teller, ear: Ear, beds: Sequence[Samples],
    rng: np.random.Generator,
) -> list[list[Array]] | None:  # fmt: skip
    """Return mixes of both halves of a recording that are told; None where there are too few."""
    out = []
    for k, half in enumerate(np.split(wave, [len(wave) // 2])):
        told: list[Array] = []
        for _ in range(MOST_BATCHES):
            told += teller.told(hear_mixes([half] * N_BATCH, beds[k::2], ear, rng), label)
            if len(told) < FEWEST:
                break
        if len(told) < N_CORRECTED:
            return None
        out.append(told)
    return out
