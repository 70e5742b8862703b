"""What a user showed, learned: examples become rows of labels, false events rows against them.

Place in the flow: what was shown and heard → **lessons** → a bundle with more rows. It decides who
is learned from, and by which sense; how is `teaching.learn`'s and `teaching.deny`'s.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.evidence import UNHEARD
from mafnet.model import MAFnet
from teaching.deny import Denial, deny
from teaching.heard import HOPS_A_SECOND, Heard
from teaching.learn import Array, Learned, begins_at, learn, peak
from teaching.reference import Reference
from teaching.replay import WINDOW_CLIPS, events_of, scores_of
from teaching.rows import Row
from teaching.shown import Shown
from weights.bundle import Bundle
from weights.bundle_spec import Lesson

By = Literal["sound", "picture"]
LEAST = 3  # examples of a label, or false events of one kind
LOUD = 0.1  # of a clip's loudest second: what is softer is between events
KNOWN = 0.8  # of its examples told already: a label needs no row more
OVERLAP_S = 0.5  # of a second, that it is of the event
FAINT = -2.0  # logits of what is heard: with less it was the picture that said so
SILENT = -UNHEARD  # logits that a picture outweighs where sound says nothing or is missing
LEAST_ENDED = 0.2  # of held-back false events: with less a bounded row is not worth having
MARGIN = 1.0  # logits under the threshold that a denied false event stays


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What was shown, with what was heard of it."""

    shown: Shown
    heard: Heard

    def rows(self, by: By) -> Array:
        """Return the seconds of its event, `(n, width)`."""
        return self._all(by)[self.inside()]

    def rest(self, by: By) -> Array:
        """Return the seconds that are wholly outside; none where nobody said where it is."""
        values = self._all(by)
        if self.shown.event is None:
            return values[:0]
        onset_s, offset_s = self.shown.event
        ends_s = 1.0 + np.arange(len(values)) / HOPS_A_SECOND
        return values[(ends_s <= onset_s) | (ends_s - 1.0 >= offset_s)]

    def inside(self) -> NDArray[np.bool_]:
        """Tell of which hops the second is the event's, `(n,)`."""
        n = len(self.heard)
        ends_s = 1.0 + np.arange(n) / HOPS_A_SECOND
        inside = np.ones(n, np.bool_)
        if self.shown.event is not None:
            onset_s, offset_s = self.shown.event
            covered = np.minimum(ends_s, offset_s) - np.maximum(ends_s - 1.0, onset_s)
            inside = covered >= min(OVERLAP_S, 0.9 * (offset_s - onset_s))
            if not inside.any():
                inside[int(covered.argmax())] = True
        if self.heard.present[1]:
            level = np.where(inside, self.heard.level, 0.0)
            inside &= level >= LOUD * level.max()
        return inside

    def _all(self, by: By) -> Array:
        return self.heard.pooled if by == "sound" else self.heard.visual


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedBy:
    """What was learned of a label, and by which sense."""

    by: By
    learned: Learned


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedBy:
    """What speaks against a label, by which sense; false events that held-back rows do not end."""

    by: By
    denial: Denial
    still_told: int


@dataclass(slots=True, kw_only=True)
class Lessons:
    """What came of it.

    Attributes:
        rows: For the head.
        learned: By label.
        denied: By label.
        left_out: What was not learned and why, a sentence each.
        examples: By label and sense, the seconds that it was learned from.
    """

    rows: list[Row] = field(default_factory=list)
    learned: dict[str, LearnedBy] = field(default_factory=dict)
    denied: dict[str, DeniedBy] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    examples: dict[str, dict[By, Array]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known already.

    Attributes:
        bundle: The one before.
        model: Its head.
        sound: What examples are held against.
        picture: Likewise.
        examples: By label, seconds that were taught before.
    """

    bundle: Bundle
    model: MAFnet
    sound: Reference
    picture: Reference
    examples: Mapping[str, Mapping[By, Array]]

    def others(self, by: By, label: str) -> tuple[Array, NDArray[np.bool_]]:
        """Return what is not a label, `(n, width)`, and what of it is nothing, `(n,)`."""
        groups = self.bundle.events.groups
        related = {wider for narrow, wider in groups.items() if narrow == label}
        related |= {narrow for narrow, wider in groups.items() if wider == label}
        rows, nothing = self._of(by).but(label, frozenset(related))
        taught = [
            senses[by] for name, senses in self.examples.items() if name != label and by in senses
        ]
        more = np.zeros(sum(map(len, taught)), np.bool_)
        return np.concatenate([rows, *taught]), np.concatenate([nothing, more])

    def own(self, by: By, label: str) -> Array:
        """Return where a label is right."""
        parts = [self._of(by).of(label)]
        if by in self.examples.get(label, {}):
            parts.append(self.examples[label][by])
        return np.concatenate(parts)

    def _of(self, by: By) -> Reference:
        return self.sound if by == "sound" else self.picture


def make_lessons(
    items: Sequence[Item], known: Known, *, made: str, origin: str, by: By | None = None
) -> Lessons:
    """Learn from what was shown.

    Args:
        items: All that was shown, of several labels perhaps.
        known: What is known before.
        made: When, for the record.
        origin: From what, for the record.
        by: The sense that examples teach by; None for sound where all of them have it.
    """
    out = Lessons()
    right: dict[str, list[Item]] = defaultdict(list)
    wrong: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.shown.label is not None:
            right[item.shown.label].append(item)
        if item.shown.was_told is not None and item.shown.was_told in known.bundle.labels:
            wrong[item.shown.was_told].append(item)
    told = _told(items, known)
    for label, own in right.items():
        _learn(
            label,
            own,
            items,
            known,
            told,
            out,
            by,
            Lesson(label=label, denies=False, made=made, origin=f"{len(own)} examples: {origin}"),
        )
    for label, false in wrong.items():
        _deny(
            label,
            false,
            right.get(label, []),
            known,
            out,
            Lesson(
                label=label, denies=True, made=made, origin=f"{len(false)} false events: {origin}"
            ),
        )
    return out


def _learn(
    label: str,
    own: Sequence[Item],
    items: Sequence[Item],
    known: Known,
    told: Mapping[int, set[str]],
    out: Lessons,
    by: By | None,
    lesson: Lesson,
) -> None:
    is_new = label not in known.bundle.labels
    share = np.mean([label in told[id(item)] for item in own])
    if not is_new and share >= KNOWN:
        return  # they are kept as examples of it, where something is said against the label
    if len(own) < LEAST:
        if is_new or share < KNOWN:
            out.left_out.append(f"{label}: {len(own)} examples; {LEAST} to 20 are wanted")
        return
    if by is None:
        by = "sound" if all(bool(item.heard.present[1]) for item in own) else "picture"
    place = 1 if by == "sound" else 0
    lacking = [item.shown.name for item in own if not item.heard.present[place]]
    if lacking:
        out.left_out.append(f"{label}: {lacking[0]} has no {by}; all of its examples must have one")
        return
    if by == "sound" and max(float(item.heard.level.max()) for item in own) < 1e-4:
        out.left_out.append(f"{label}: its examples are silent")
        return
    reference, nothing = known.others(by, label)
    room = [item.rest(by) for item in own]
    room += [
        item.rows(by)
        for item in items
        if item.shown.label != label and bool(item.heard.present[place])
    ]
    learned = learn(
        [item.rows(by) for item in own],
        reference,
        nothing,
        np.concatenate(room),
        known.sound.empty if by == "sound" else None,
    )
    weights = learned.weights.copy()
    events = known.bundle.events
    begins = begins_at(events.thresholds(label)[0], events.window_weight, WINDOW_CLIPS)
    weights[-1] += begins
    if by == "picture":
        weights[-1] += SILENT
    out.learned[label] = LearnedBy(by=by, learned=learned)
    out.examples[label] = {by: np.concatenate([item.rows(by) for item in own])}
    heard = weights if by == "sound" else _constant(known.model, -SILENT)
    out.rows.append(Row(lesson=lesson, heard=heard, seen=weights if by == "picture" else None))


def _deny(
    label: str,
    false: Sequence[Item],
    right: Sequence[Item],
    known: Known,
    out: Lessons,
    lesson: Lesson,
) -> None:
    if len(false) < LEAST:
        out.left_out.append(f"not {label}: {len(false)} false events; {LEAST} or more are wanted")
        return
    events = known.bundle.events
    place = known.bundle.labels.index(label)
    on, off = events.thresholds(label)
    by = _blamed(false, known, place)
    sense = 1 if by == "sound" else 0
    usable = [item for item in false if bool(item.heard.present[sense])]
    if len(usable) < LEAST:
        out.left_out.append(f"not {label}: only {len(usable)} of its false events have a {by}")
        return
    peaks = [
        float(scores_of(known.model, item.heard, events.window_weight)[:, place].max())
        for item in usable
    ]
    enough = _logit(max([*peaks, on])) - _logit(off) + MARGIN
    own = [known.own(by, label)]
    own += [item.rows(by) for item in right if bool(item.heard.present[sense])]
    denial = deny(
        [item.rows(by) for item in usable],
        np.concatenate(own),
        known.others(by, label)[0],
        enough / (1 - events.window_weight),
    )
    needed = [(_logit(p) - _logit(on)) / (1 - events.window_weight) for p in peaks]
    taken = zip(denial.taken, needed, strict=True)
    still_told = sum(peak(-each) > -least for each, least in taken)
    if denial.is_bounded and still_told > (1 - LEAST_ENDED) * len(usable):
        out.left_out.append(
            f"not {label}: it would be told as before in {still_told} of {len(usable)} of these "
            "events, or lose its own sounds or pictures, which are alike"
        )
        return
    out.denied[label] = DeniedBy(by=by, denial=denial, still_told=still_told)
    row = Row(
        lesson=lesson,
        heard=denial.weights if by == "sound" else None,
        seen=denial.weights if by == "picture" else None,
    )
    out.rows.append(row)


def _blamed(false: Sequence[Item], known: Known, place: int) -> By:
    """Return the sense that said what was wrong: sound, unless it was hardly heard."""
    if not any(bool(item.heard.present[0]) for item in false):
        return "sound"
    heard = [
        _evidence(known.model, item)[1, item.inside(), place]
        for item in false
        if bool(item.heard.present[1])
    ]
    return "sound" if heard and float(np.median(np.concatenate(heard))) >= FAINT else "picture"


def _told(items: Sequence[Item], known: Known) -> dict[int, set[str]]:
    """Return what the bundle tells of each item, by the item's identity."""
    weight = known.bundle.events.window_weight
    return {
        id(item): {
            event.label
            for event in events_of(known.bundle, scores_of(known.model, item.heard, weight))
        }
        for item in items
    }


@torch.inference_mode()
def _evidence(model: MAFnet, item: Item) -> NDArray[np.float32]:
    """Return what the classes say of each hop, `(2, n, n_labels)`, picture first."""
    assert model.evidence is not None
    pooled = torch.from_numpy(item.heard.pooled)[:, :, None, None]
    said = model.evidence(torch.from_numpy(item.heard.visual), pooled)
    return np.asarray(said.transpose(0, 1).numpy())


def _constant(model: MAFnet, logit: float) -> Array:
    row = np.zeros(model.config.sound_map[0] + 1, np.float32)
    row[-1] = logit
    return row


def _logit(share: float) -> float:
    kept = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))
