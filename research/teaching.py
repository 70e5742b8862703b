"""How well a label is taught by five clips, and what ten corrections do: the table of the lab page.

    python -m research.teaching --data ../shared/data --features runs/t

Each label in turn is left out: its row of the head, its classes and its reference. Five validation
files of different recordings teach it, and test files where there are fewer. Test files of other
recordings are asked. Hours of nothing and of other sounds count what is told that is not there.
With `--ask val` validation files are asked and an hour of theirs: all settings are chosen by that.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.load import load_head
from mafnet.model import MAFnet
from realtime.events.tracker import EventTracker
from realtime.packets import Event, LabelScores, Phase, join_scores
from research.sound_corpus import load_corpus
from research.teaching_ear import Ear
from research.teaching_material import (
    Busy,
    Files,
    Pictures,
    hear_busy,
    hear_files,
    hear_nothing,
    see_pictures,
)
from teaching.deny import deny
from teaching.learn import begins_at, learn, peak, scores
from teaching.lessons import FAINT, LEAST, LEAST_ENDED, MARGIN
from teaching.reference import Reference, load_reference
from teaching.replay import NS_PER_HOP, WINDOW_CLIPS
from weights.bundle import Bundle, load_bundle
from weights.event_spec import EventSpec

LABELS = ("Rooster", "Siren", "Snoring", "Computer keyboard", "Laughter")
LOW_ON = 0.3  # corrections are tried where more is told wrongly than at the starter's thresholds
MOST_KINDS, LEAST_FALSE, LEAST_RIGHT = 6, 14, 5
N_CLIPS, N_DRAWS, N_CORRECTED = 5, 10, 10
COLLAR_S = 1.0
LEAST_HOPS = 3  # of a file of one second: in a stream its neighbours hold most of it too
NEAR, AROUND = 0.4, 20  # of the threshold; hops around it that the tracker is given
Array = NDArray[np.float32]


def told(said: Array, on: float, events: EventSpec) -> list[tuple[float, float]]:
    """Return onsets and offsets of one label's events, s.

    Args:
        said: Logits of each hop.
        on: Where an event begins.
        events: All else of the settings. A window's clips are weighed alike here.
    """
    said = np.concatenate([said, np.repeat(said[-1:], max(0, LEAST_HOPS - len(said)))])
    newest = 1 / (1 + np.exp(-said.astype(np.float64)))
    padded = np.concatenate([np.zeros((WINDOW_CLIPS - 1) * 4), newest])
    window = np.mean([padded[4 * k : 4 * k + len(newest)] for k in range(WINDOW_CLIPS)], axis=0)
    joined = join_scores(
        window.astype(np.float32), newest.astype(np.float32), events.window_weight, True
    )
    spec = EventSpec(
        on=on, off=0.46 * on, min_duration_s=events.min_duration_s,
        merge_gap_s=events.merge_gap_s, confirm=events.confirm, smooth=events.smooth,
    )  # fmt: skip
    tracker = EventTracker(spec, ("it",))
    out: list[Event] = []
    steps = np.pad(joined >= NEAR * on, AROUND)
    near = np.lib.stride_tricks.sliding_window_view(steps, 2 * AROUND + 1).any(axis=1)
    for k in np.flatnonzero(near):  # far from all that may begin an event nothing does
        row = np.array([joined[k]])
        out += tracker.update(
            LabelScores(
                end_t_ns=(4 + int(k)) * NS_PER_HOP, scores=row, window=row.astype(np.float32)
            )
        )
    out += tracker.close((4 + len(said)) * NS_PER_HOP)
    return [
        (e.onset_t_ns / 1e9, e.offset_t_ns / 1e9)
        for e in out
        if e.phase is Phase.OFFSET and e.offset_t_ns is not None
    ]


def draws(
    files: Files, label: str, ask: str, n: int, rng: np.random.Generator
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield files that teach a label, of different recordings, and files that are asked."""
    is_own = files.labels == label
    first, then = (np.flatnonzero(is_own & (files.splits == each)) for each in ("val", "test"))
    for _ in range(n):
        picked: dict[str, int] = {}
        order = list(rng.permutation(first))
        if ask == "test":
            order += list(rng.permutation(then))
        for k in order:
            picked.setdefault(str(files.groups[k]), int(k))
        teaching = list(picked.values())[:N_CLIPS]
        taught = {str(files.groups[k]) for k in teaching}
        own = np.flatnonzero(is_own & (files.splits == ask))
        yield teaching, [int(k) for k in own if files.groups[k] not in taught]


def teach_table(
    files: Files, empty: Sequence[Array], busy: Busy, bundle: Bundle, reference: Reference,
    labels: Sequence[str], ask: str,
) -> None:  # fmt: skip
    """Print what five clips of each label give."""
    events = bundle.events
    begins = begins_at(events.on, events.window_weight, WINDOW_CLIPS)
    hours = sum(map(len, empty)) / 4 / 3600
    for label in labels:
        groups = bundle.events.groups
        related = frozenset(
            {b for a, b in groups.items() if a == label}
            | {a for a, b in groups.items() if b == label}
        )
        rows, nothing = reference.but(label, related)
        found: list[tuple[float, ...]] = []
        n_asked = 0
        for picked, asked in draws(files, label, ask, N_DRAWS, np.random.default_rng(0)):
            if not asked or len(picked) < LEAST:
                continue
            learned = learn([files.loud(k) for k in picked], rows, nothing, empty=reference.empty)
            row = learned.weights.copy()
            row[-1] += begins
            hits = [bool(told(scores(row, files.rows[k]), events.on, events)) for k in asked]
            false = sum(len(told(scores(row, each), events.on, events)) for each in empty)
            spans = [
                (a - COLLAR_S, b + COLLAR_S)
                for own, a, b in busy.events
                if own in {label, *related}
            ]
            wrong = [
                (a, b)
                for a, b in told(scores(row, busy.rows), events.on, events)
                if not any(a < y and b > x for x, y in spans)
            ]
            busy_h = len(busy.rows) / 4 / 3600
            found.append((float(np.mean(hits)), false / hours, len(wrong) / busy_h, learned.recall))
            n_asked += len(asked)
        if not found:
            print(json.dumps({"label": label, "draws": 0}), flush=True)
            continue
        mean = np.mean(found, axis=0)
        worst = min(each[0] for each in found)
        print(
            json.dumps(
                {
                    "label": label,
                    "draws": len(found),
                    "asked": n_asked,
                    "recall": round(float(mean[0]), 3),
                    "worst": round(worst, 3),
                    "held_back": round(float(mean[3]), 3),
                    "false_an_hour_of_nothing": round(float(mean[1]), 2),
                    "false_an_hour_of_others": round(float(mean[2]), 2),
                }
            ),
            flush=True,
        )


def picture_table(pictures: Pictures, reference: Reference, label: str, ask: str) -> None:
    """Print what five pictures of a label give: a still that shows it, and others that do not."""
    rng, found = np.random.default_rng(0), []
    rows, nothing = reference.but(label)
    is_own, is_asked = pictures.labels == label, pictures.splits == ask
    is_empty = pictures.labels == "Background"
    for _ in range(N_DRAWS):
        order = rng.permutation(np.flatnonzero(is_own & (pictures.splits == "val")))
        picked = order[:N_CLIPS]
        asked = is_own & is_asked & ~np.isin(np.arange(len(is_own)), picked)
        row = learn([pictures.rows[k : k + 1] for k in picked], rows, nothing).weights
        told = scores(row, pictures.rows) >= 0
        others = is_asked & ~is_own
        found.append(
            (told[asked].mean(), told[others & ~is_empty].mean(), told[others & is_empty].mean())
        )
    mean = np.mean(found, axis=0)
    print(
        json.dumps(
            {
                "label": f"{label}, pictures",
                "asked": int((is_own & is_asked).sum()),
                "recall": round(float(mean[0]), 3),
                "worst": round(float(min(each[0] for each in found)), 3),
                "others_told": round(float(mean[1]), 4),
                "others": int((is_asked & ~is_own & ~is_empty).sum()),
                "nothing_told": round(float(mean[2]), 4),
                "nothing": int((is_asked & is_empty).sum()),
            }
        ),
        flush=True,
    )


@torch.inference_mode()
def heard_of(model: MAFnet, rows: Array) -> Array:
    """Return what the classes say of each hop, `(n, n_labels)`."""
    assert model.evidence is not None
    visual = torch.zeros(len(rows), model.config.visual_dim)
    said: Array = model.evidence(visual, torch.from_numpy(rows)[:, :, None, None])[:, 1].numpy()
    return said


def correct_table(files: Files, bundle: Bundle, reference: Reference) -> None:
    """Print what ten corrected events of a kind do to the others, and to the label elsewhere."""
    model, rng, groups = load_head(bundle), np.random.default_rng(0), bundle.events.groups
    begins = begins_at(LOW_ON, bundle.events.window_weight, WINDOW_CLIPS)
    said = [heard_of(model, rows) for rows in files.rows]
    peaks = np.array([[peak(own) for own in each.T] for each in said])  # (n_files, n_labels)
    kinds = []
    for place, label in enumerate(bundle.labels):
        right = np.flatnonzero((files.labels == label) & (peaks[:, place] >= begins))
        for source in np.unique(files.labels):
            is_related = groups.get(str(source)) == label or groups.get(label) == source
            false = np.flatnonzero((files.labels == source) & (peaks[:, place] >= begins))
            is_kind = len(false) >= LEAST_FALSE and len(right) >= LEAST_RIGHT
            if is_kind and source != label and not is_related:
                kinds.append((len(false), str(source), label, place, false, right))
    for _, source, label, place, false, right in sorted(kinds, reverse=True)[:MOST_KINDS]:
        picked = [int(k) for k in rng.permutation(false)[:N_CORRECTED]]
        fired = [files.rows[k][said[k][:, place] >= min(begins, FAINT)] for k in picked]
        highest = max(float(said[k][:, place].max()) for k in picked)
        rows, _ = reference.but(label, frozenset({source}))
        denial = deny(fired, reference.of(label), rows, highest - begins + MARGIN)
        needed = [peak(said[k][:, place]) - begins for k in picked]
        still = sum(peak(-each) > -n for each, n in zip(denial.taken, needed, strict=True))
        is_refused = denial.is_bounded and still > (1 - LEAST_ENDED) * len(picked)
        taken = 0.0 if is_refused else 1.0
        after = {
            int(k): peak(
                said[k][:, place]
                - taken * np.maximum(0, scores(denial.weights, files.rows[int(k)]))
            )
            for k in [*false, *right]
        }
        rest = [int(k) for k in false if int(k) not in picked]
        told = {
            "kind": f"{source} told as {label}",
            "corrected": len(picked),
            "refused": is_refused,
            "bounded": denial.is_bounded,
            "others_before": len(rest),
            "others_after": sum(after[k] >= begins for k in rest),
            "right_before": len(right),
            "right_after": sum(after[int(k)] >= begins for k in right),
        }
        print(json.dumps(told), flush=True)


def main() -> None:
    """Print both tables, a line of JSON a row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True, help="what is heard is kept here")
    parser.add_argument("--labels", nargs="*", default=LABELS)
    parser.add_argument("--picture", default="Accordion", help="a label that is seen (Accordion)")
    parser.add_argument("--ask", choices=("val", "test"), default="test")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with (options.data / "sounds.csv").open(newline="", encoding="utf-8-sig") as table:
        if not next(csv.DictReader(table), None):
            parser.error(f"{options.data} has no sounds")
    bundle = load_bundle("starter")
    sound, picture = load_reference(bundle)
    ear = Ear(bundle)
    files = hear_files(
        load_corpus(options.data, options.features), ear, options.features / "pooled.npz"
    )
    empty = hear_nothing(options.data, bundle, ear, options.features, options.ask)
    busy = hear_busy(options.data, bundle, ear, options.features)
    pictures = see_pictures(options.data, options.features / "pictures.npz")
    teach_table(files, empty, busy, bundle, sound, options.labels, options.ask)
    picture_table(pictures, picture, options.picture, options.ask)
    if options.ask == "test":
        correct_table(files, bundle, sound)


if __name__ == "__main__":
    main()
