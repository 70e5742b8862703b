"""How well a label is taught by five clips, and what ten corrections do: the table of the lab page.

    python -m research.teaching --data ../shared/data --features runs/t

Each label in turn is left out: its row of the head, its classes and its reference. Five validation
files of different recordings teach it, and test files where there are fewer. Test files of other
recordings are asked. Hours of nothing and of other sounds count what is told that is not there.
With `--ask val` validation files are asked and an hour of theirs: all settings are chosen by that.
What ten corrections do is told first; `--corrections` tells that alone.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from realtime.events.tracker import EventTracker
from realtime.packets import Event, LabelScores, Phase, join_scores
from research.sound_corpus import load_corpus
from research.teaching_corrections import correct_tables
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
from teaching.learn import begins_at, learn, scores
from teaching.lessons import LEAST
from teaching.reference import Reference, load_reference
from teaching.replay import NS_PER_HOP, WINDOW_CLIPS
from weights.bundle import Bundle, load_bundle
from weights.event_spec import EventSpec

LABELS = ("Rooster", "Siren", "Snoring", "Computer keyboard", "Laughter")
N_CLIPS, N_DRAWS = 5, 10
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


def main() -> None:
    """Print both tables, a line of JSON a row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True, help="what is heard is kept here")
    parser.add_argument("--labels", nargs="*", default=LABELS)
    parser.add_argument("--picture", default="Accordion", help="a label that is seen (Accordion)")
    parser.add_argument("--ask", choices=("val", "test"), default="test")
    parser.add_argument(
        "--corrections", action="store_true", help="their tables alone, which want no teacher"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    with (options.data / "sounds.csv").open(newline="", encoding="utf-8-sig") as table:
        if not next(csv.DictReader(table), None):
            parser.error(f"{options.data} has no sounds")
    bundle = load_bundle("starter")
    sound, picture = load_reference(bundle)
    ear = Ear(bundle)
    corpus = load_corpus(options.data, options.features)
    files = hear_files(corpus, ear, options.features / "pooled.npz")
    correct_tables(files, corpus, bundle, ear, sound, options.ask)
    if options.corrections:
        return
    empty = hear_nothing(options.data, bundle, ear, options.features, options.ask)
    busy = hear_busy(options.data, bundle, ear, options.features)
    pictures = see_pictures(options.data, options.features / "pictures.npz")
    teach_table(files, empty, busy, bundle, sound, options.labels, options.ask)
    picture_table(pictures, picture, options.picture, options.ask)


if __name__ == "__main__":
    main()
