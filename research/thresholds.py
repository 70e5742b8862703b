"""Chooses each label's threshold for so many false events an hour over all labels together.

    python -m research.thresholds --data ../shared/data --features runs/f --yamnet YAMNET \
        --bundle runs/bundle --to runs/events.json

Judges streams of validation material, and hours of nothing of validation and training material.
All labels get one threshold after the other, and each keeps the one by which it gains most: what it
tells rightly (at a wider level, half), less a share of what it tells wrongly, less a price for what
it tells where nothing is. The price rises until the stated rate is kept. A label without validation
sounds is not tried under the common threshold. Real clips have no say. `research.bundle --events`
takes the file.
"""

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.load import load_head
from research.arguments import parser_of
from research.composed import EVENT_KINDS, Stream, event_streams, without_wider
from research.listeners import Teacher
from research.nothing import empty_streams, without_events
from research.prepare import Ears
from research.streaming.material import load_material
from research.streaming.replay import Scores, read_scores, replay, write_scores
from research.streaming.scoring import COLLAR_S, OF_LENGTH, Detection, match
from research.streams import Eyes, StreamFeatures, score
from research.vocabulary import Vocabulary, load_vocabulary
from research.yamnet_parts import LateEars
from weights.bundle import Bundle, load_bundle

GRID = (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
COMMON = 0.65
OFF = 0.46  # of `on`
WIDER = 0.5  # of a right event: what one at a wider level (Speech, where a woman speaks) is worth
WRONG = 0.5  # of a right event: what a wrong one costs
PRICES = (
    0.25,
    0.5,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
    6.0,
    8.0,
    12.0,
    16.0,
    32.0,
)  # in right events: of a false one where nothing is
NEAR = 0.5  # likewise: of a step away from the common threshold


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of each label at each threshold, `(n_grid, n_labels)`."""

    right: NDArray[np.float64]
    wrong: NDArray[np.float64]
    false: NDArray[np.float64]


def choose(counts: Counts, has_events: NDArray[np.bool_], hours: float, rate: float) -> list[int]:
    """Return each label's place in the grid.

    Args:
        counts: What each threshold gives.
        has_events: Bool `(n_labels,)`: whether the streams hold any of it.
        hours: Of nothing.
        rate: False events an hour, all labels together. Where no price keeps it, the highest does.
    """
    common = GRID.index(COMMON)
    away = np.abs(np.arange(len(GRID)) - common)[:, None]
    barred = ~has_events[None] & (np.arange(len(GRID)) < common)[:, None]
    gain = counts.right - WRONG * counts.wrong - NEAR * away - 1e9 * barred
    places = [common] * len(has_events)
    for price in PRICES:
        places = np.argmax(gain - price * counts.false, axis=0).tolist()
        told = counts.false[places, np.arange(len(places))].sum()
        if told <= rate * hours:
            break
    return places


def at(bundle: Bundle, pairs: dict[str, float] | float, settings: dict[str, Any]) -> Bundle:
    """Return the bundle with one threshold for all labels, or with each label's own."""
    if isinstance(pairs, float):
        settings = {**settings, "on": pairs, "off": OFF * pairs, "per_label": {}}
    else:
        own = {label: {"on": on, "off": round(OFF * on, 3)} for label, on in pairs.items()}
        settings = {**settings, "per_label": own}
    return dataclasses.replace(bundle, events=dataclasses.replace(bundle.events, **settings))


def fitting(
    stream: Stream, detections: Sequence[Detection], bundle: Bundle
) -> tuple[list[Detection], set[int]]:
    """Return what is told in a stream but for wider levels, and which of it is right."""
    detections = without_wider(detections, stream.truths, bundle.events.groups)
    return detections, set(match(stream.truths, detections, COLLAR_S, OF_LENGTH).values())


def count(
    bundle: Bundle,
    streams: Sequence[tuple[Stream, Scores]],
    empty: Sequence[Scores],
    settings: dict[str, Any],
) -> Counts:
    """Try the grid."""
    shape = (len(GRID), len(bundle.labels))
    right, wrong, false = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    of = {label: k for k, label in enumerate(bundle.labels)}
    for row, on in enumerate(GRID):
        tried = at(bundle, on, settings)
        for stream, scores in streams:
            everything = replay(scores, tried)
            detections, hits = fitting(stream, everything, tried)
            for k, detection in enumerate(detections):
                (right if k in hits else wrong)[row, of[detection.label]] += 1
            for detection in everything:
                right[row, of[detection.label]] += WIDER * (detection not in detections)
        for scores in empty:
            for detection in replay(scores, tried):
                false[row, of[detection.label]] += 1
    return Counts(right=right, wrong=wrong, false=false)


def summary(
    bundle: Bundle,
    streams: Sequence[tuple[Stream, Scores]],
    empty: Sequence[Scores],
) -> dict[str, Any]:
    """Return F1 of each kind of stream, the median delay and onset error, and false events."""
    out: dict[str, Any] = {}
    for stream, scores in streams:
        detections, hits = fitting(stream, replay(scores, bundle), bundle)
        out[stream.kind] = round(2 * len(hits) / max(1, len(stream.truths) + len(detections)), 3)
        pairs = match(stream.truths, detections, 2 * COLLAR_S, None).items()
        late = [detections[k].told_s - stream.truths[t].onset_s for t, k in pairs]
        off = [abs(detections[k].onset_s - stream.truths[t].onset_s) for t, k in pairs]
        out[f"{stream.kind} told, right, late, off"] = (
            len(detections),
            len(hits),
            round(float(np.median(late or [0.0])), 2),
            round(float(np.median(off or [0.0])), 2),
        )
    labels = Counter(d.label for scores in empty for d in replay(scores, bundle))
    out["mean F1"] = round(float(np.mean([out[kind] for kind in EVENT_KINDS])), 3)
    out["false"] = (labels.total(), dict(labels.most_common(8)))
    return out


def kept_scores(bundle: Bundle, features: StreamFeatures, path: Path) -> Scores:
    """Score a stream, or read what an earlier call scored."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        late = LateEars(bundle.audio.weights)
        write_scores(score(load_head(bundle), late, features), path)
    return read_scores(path)


def load_all(
    options: argparse.Namespace, bundle: Bundle, vocabulary: Vocabulary
) -> tuple[list[tuple[Stream, Scores]], list[Scores], float]:
    """Return the streams with events, those without, and the hours of these."""
    ears, eyes = Ears(options.yamnet, options.data / "teacher"), Eyes()
    classes = vocabulary.sound_in(Teacher.class_names(options.data / "teacher"))
    kept = options.features / "scores" / bundle.head.sha256[:12]
    material = load_material(options.data, bundle, "val")
    folder = options.features / "streams"
    streams = [
        (each, kept_scores(bundle, each.features, kept / f"{each.name}.npz"))
        for each in event_streams(folder, "val", options.minutes, material, ears, eyes)
    ]
    empty = []
    for split, hours in (("val", options.val_hours), ("train", options.train_hours)):
        some = without_events(load_material(options.data, bundle, split), ears, classes)
        folder = options.features / f"nothing-{split}"
        for k, (kind, features) in enumerate(empty_streams(folder, hours, some, ears, eyes)):
            path = kept / f"nothing-{split}-{kind}-{k}.npz"
            empty.append(kept_scores(bundle, features, path))
    return streams, empty, float(options.val_hours + options.train_hours)


def main() -> None:
    """Choose, print what came of it and write the settings."""
    parser = parser_of(__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0, help="of each stream with events")
    parser.add_argument("--val-hours", type=int, default=4)
    parser.add_argument("--train-hours", type=int, default=3)
    parser.add_argument("--rate", type=float, default=0.5, help="false events an hour (0.5)")
    parser.add_argument("--events", type=Path, help="JSON with other settings of EventSpec")
    options = parser.parse_args()
    torch.set_num_threads(1)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    bundle = load_bundle(options.bundle)
    settings = {} if options.events is None else json.loads(options.events.read_text("utf-8"))
    streams, empty, hours = load_all(options, bundle, vocabulary)
    print("common", json.dumps(summary(at(bundle, COMMON, settings), streams, empty)), flush=True)
    counts = count(bundle, streams, empty, settings)
    happens = {truth.label for stream, _ in streams for truth in stream.truths}
    has_events = np.array([label in happens for label in bundle.labels])
    places = choose(counts, has_events, hours, options.rate)
    pairs = {
        label: GRID[place]
        for label, place in zip(bundle.labels, places, strict=True)
        if GRID[place] != COMMON
    }
    settings = {**settings, "on": COMMON, "off": round(OFF * COMMON, 3)}
    chosen = at(bundle, pairs, settings)
    print("chosen", json.dumps(summary(chosen, streams, empty)), flush=True)
    settings["per_label"] = {label: dict(own) for label, own in chosen.events.per_label.items()}
    options.to.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
