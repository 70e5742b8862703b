"""What teaching changed, before and after, in figures that a person and the page can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mafnet.model import MAFnet
from teaching.lessons import Item, Lessons
from teaching.replay import events_of, scores_of
from weights.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChange:
    """One label's figures.

    Attributes:
        label: Which.
        examples: How many were shown.
        told_before: Of these, how many the bundle before tells.
        told_after: How many the new one tells, which learned from them.
        held_back: How many are told by rows that did not learn from them; None where nothing was
            learned of the label.
        false: Events of it that were corrected, or that other recordings do not hold.
        false_before: Of the recordings with such events, how many the bundle before tells it in.
        false_after: Likewise the new one.
        false_held_back: Likewise rows that did not learn from them; None likewise.
        others: Reference seconds of other things.
        others_told: Of these, how many are told as it, held back.
        own: Reference seconds of the label itself, where something speaks against it.
        own_touched: Of these, how many lose anything, held back.
        is_bounded: Whether some false events stay for the sake of the label's own.
    """

    label: str
    examples: int = 0
    told_before: int = 0
    told_after: int = 0
    held_back: int | None = None
    false: int = 0
    false_before: int = 0
    false_after: int = 0
    false_held_back: int | None = None
    others: int = 0
    others_told: int = 0
    own: int = 0
    own_touched: int = 0
    is_bounded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All labels' figures.

    Attributes:
        changes: Of labels that something was learned of.
        kept: Events of other labels in all that was shown, before.
        kept_after: How many of them the new bundle tells too.
        left_out: What was not learned and why.
    """

    changes: tuple[LabelChange, ...]
    kept: int
    kept_after: int
    left_out: tuple[str, ...]


def report_of(
    items: Sequence[Item],
    lessons: Lessons,
    before: tuple[Bundle, MAFnet],
    after: tuple[Bundle, MAFnet],
) -> Report:
    """Compare two bundles on what was shown, and say what was held back."""
    told = [[_told(bundle, model, item) for item in items] for bundle, model in (before, after)]
    labels = dict.fromkeys([*lessons.learned, *lessons.denied])
    changes = [_change(label, items, lessons, told, before) for label in labels]
    kept = [
        (k, label)
        for k, own in enumerate(told[0])
        for label in own
        if label != items[k].shown.was_told and label not in labels
    ]
    n_after = sum(label in told[1][k] for k, label in kept)
    return Report(
        changes=tuple(changes),
        kept=len(kept),
        kept_after=n_after,
        left_out=tuple(lessons.left_out),
    )


def lines_of(report: Report) -> list[str]:
    """Return the figures as sentences."""
    lines: list[str] = []
    for each in report.changes:
        if each.held_back is not None:
            lines.append(
                f"{each.label}: of {each.examples} examples {each.told_before} were told before, "
                f"{each.told_after} are now; {each.held_back} of {each.examples} by rows that had "
                f"not seen them; {each.others_told} of {each.others} other things are taken for it"
            )
        if each.false_held_back is not None:
            lines.append(
                f"not {each.label}: of {each.false} corrected events {each.false_before} were told "
                f"before, {each.false_after} are now; {each.false_held_back} by rows that had not "
                f"seen them; {each.own_touched} of {each.own} of its own sounds or pictures lose "
                "anything"
                + ("; no more was taken, for its own are alike" if each.is_bounded else "")
            )
    lines.append(
        f"other labels: {report.kept_after} of {report.kept} events in what was shown are told "
        "as before"
    )
    lines += [f"left out: {sentence}" for sentence in report.left_out]
    return lines


def _change(
    label: str,
    items: Sequence[Item],
    lessons: Lessons,
    told: Sequence[Sequence[set[str]]],
    before: tuple[Bundle, MAFnet],
) -> LabelChange:
    own = [k for k, item in enumerate(items) if item.shown.label == label]
    false = [k for k, item in enumerate(items) if item.shown.was_told == label]
    figures: dict[str, int | None] = {
        "examples": len(own),
        "told_before": sum(label in told[0][k] for k in own),
        "told_after": sum(label in told[1][k] for k in own),
        "false": len(false),
        "false_before": sum(label in told[0][k] for k in false),
        "false_after": sum(label in told[1][k] for k in false),
    }
    if label in lessons.learned:
        learned = lessons.learned[label].learned
        figures["held_back"] = int((learned.peaks >= 0).sum())
        figures["others"] = len(learned.others)
        figures["others_told"] = int((learned.others >= 0).sum())
    if label in lessons.denied:
        denial = lessons.denied[label].denial
        figures["false_held_back"] = lessons.denied[label].still_told
        figures["own"] = len(denial.own)
        figures["own_touched"] = int((denial.own > 0).sum())
        figures["is_bounded"] = denial.is_bounded
    return LabelChange(label=label, **figures)  # type: ignore[arg-type]  # as named above


def _told(bundle: Bundle, model: MAFnet, item: Item) -> set[str]:
    scores = scores_of(model, item.heard, bundle.events.window_weight)
    return {event.label for event in events_of(bundle, scores)}


def as_plain(report: Report) -> Mapping[str, object]:
    """Return the figures as plain values, for JSON."""
    return {
        "changes": [
            {name: getattr(each, name) for name in LabelChange.__slots__} for each in report.changes
        ],
        "kept": report.kept,
        "kept_after": report.kept_after,
        "left_out": list(report.left_out),
        "lines": lines_of(report),
    }
