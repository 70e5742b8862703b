"""YAMNet alone, EfficientNet alone, the fixed rule and the starter, side by side.

    python -m research.compare --data ../shared/data --features runs/features --yamnet YAMNET \
        --bundle starter --judge ../shared/tools/judge_clips.py

Composed streams of test material, hours in which nothing of the vocabulary happens, and real clips.
What the trunks hear and see is kept in `--features`; the same command goes on from there. All but
the starter have one threshold for all labels. Intervals are of 95 %.
"""

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.streaming.material import Material, load_material
from benchmarks.streaming.replay import Scores, replay
from benchmarks.streaming.scene import Scene, SceneSettings, compose
from benchmarks.streaming.scoring import Detection, StreamResult, Truth, summarize, truths_of
from benchmarks.streaming.scoring import score as score_events
from mafnet.attention import PICTURE, SOUND
from mafnet.load import load_head
from mafnet.metrics import wilson_interval
from mafnet.model import MAFnet
from research.clips import features_of
from research.composed import stream_features
from research.judge import judged, load_judge
from research.poisson import rate_interval
from research.prepare import Ears
from research.start import make_start
from research.streams import Eyes, StreamFeatures, read_features, score
from research.vocabulary import Vocabulary, load_vocabulary
from weights.bundle import Bundle, load_bundle

EVENT_KINDS = ("both", "unseen", "sound", "picture")
EMPTY_MINUTES = {"rooms": 30.0, "noise": 15.0, "quiet": 15.0}  # of each hour of nothing
PLAIN: dict[str, Any] = {
    "on": 0.7,
    "off": 0.4,
    "per_label": {},
    "context": 0.0,
    "smooth": 3,
    "confirm": (1, 1),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to answer: a head, one sense or both, and a tracker's settings."""

    name: str
    model: MAFnet
    bundle: Bundle
    only: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream's features and its truth."""

    kind: str
    seconds: float
    truths: tuple[Truth, ...]
    features: StreamFeatures


def contenders(bundle: Bundle, vocabulary: Vocabulary, yamnet: Path) -> list[Contender]:
    """Return the four."""
    rule = make_start(vocabulary, yamnet)
    plain = dataclasses.replace(bundle, events=dataclasses.replace(bundle.events, **PLAIN))
    return [
        Contender(name="YAMNet alone", model=rule, bundle=plain, only=SOUND),
        Contender(name="EfficientNet alone", model=rule, bundle=plain, only=PICTURE),
        Contender(name="fixed rule", model=rule, bundle=plain),
        Contender(name="starter", model=load_head(bundle), bundle=bundle),
    ]


def event_streams(
    options: argparse.Namespace, material: Material, ears: Ears, eyes: Eyes
) -> Iterator[Stream]:
    """Compose, hear and see the streams that have events."""
    settings = SceneSettings(minutes=options.minutes, seed=1)
    for kind in EVENT_KINDS:
        scene = compose(kind, material.labels(kind), settings)
        path = options.features / "streams" / f"test-{kind}-1-{options.minutes:g}.npz"
        yield _stream(scene, stream_features(path, scene, material, settings, ears, eyes))


def empty_streams(
    options: argparse.Namespace, material: Material, ears: Ears, eyes: Eyes
) -> Iterator[Stream]:
    """Compose and hear the hours of nothing; noise is softer by 4 dB each hour."""
    for hour in range(options.hours):
        for kind, minutes in EMPTY_MINUTES.items():
            settings = SceneSettings(minutes=minutes, seed=100 + hour, noise_db=-30.0 - 4 * hour)
            scene = compose(kind, [], settings)
            path = options.features / "nothing" / f"{kind}-{hour}.npz"
            yield _stream(scene, stream_features(path, scene, material, settings, ears, eyes))


def _stream(scene: Scene, features: StreamFeatures) -> Stream:
    return Stream(
        kind=scene.kind,
        seconds=scene.seconds,
        truths=truths_of(scene.events),
        features=features,
    )


def told(contender: Contender, features: StreamFeatures) -> list[Detection]:
    """Return what a contender tells of a stream."""
    scores = score(contender.model, features, contender.only)
    return replay(scores, contender.bundle)


def without_wider(
    detections: Sequence[Detection], truths: Sequence[Truth], groups: Mapping[str, str]
) -> list[Detection]:
    """Leave out what is true at a wider level: Music, where a flute is the event."""

    def is_wider(detection: Detection) -> bool:
        return any(
            groups.get(truth.label) == detection.label
            and detection.onset_s < truth.offset_s + 1
            and truth.onset_s < detection.offset_s + 1
            for truth in truths
        )

    return [detection for detection in detections if not is_wider(detection)]


def main() -> None:
    """Print the table."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    bundle = load_bundle(options.bundle)
    ears, eyes = Ears(options.yamnet, options.data / "teacher"), Eyes()
    four = contenders(bundle, vocabulary, options.yamnet)
    material = load_material(options.data, bundle, "test")
    table = Table("", *(contender.name for contender in four))
    rows: dict[str, list[str]] = {}
    known = dataclasses.replace(bundle, labels=tuple(set(options.labels) & set(bundle.labels)))
    of_labels = load_material(options.data, known, "test") if options.labels else material
    for stream in event_streams(options, of_labels, ears, eyes):
        rows[f"F1, {stream.kind}"] = [_f1(contender, stream) for contender in four]
    seconds, false = 0.0, [0] * len(four)
    for stream in empty_streams(options, material, ears, eyes):
        seconds += stream.seconds
        for k, contender in enumerate(four):
            false[k] += len(told(contender, stream.features))
    if seconds:
        name = f"false events an hour in {seconds / 3600:.1f} h of nothing"
        rows[name] = [_rate(n, seconds / 3600) for n in false]
    rows.update(_clips(options, four, ears, eyes))
    for name, cells in rows.items():
        table.add_row(name, *cells)
    Console(width=140, highlight=False).print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--yamnet", type=Path, required=True)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--judge", type=Path, help="judge_clips.py; without it no real clips")
    parser.add_argument("--minutes", type=float, default=6.0, help="of each stream with events (6)")
    parser.add_argument("--hours", type=int, default=6, help="of nothing (6)")
    parser.add_argument("--labels", nargs="*", default=[], help="of streams with events (all)")
    return parser


def _f1(contender: Contender, stream: Stream) -> str:
    detections = told(contender, stream.features)
    detections = without_wider(detections, stream.truths, contender.bundle.events.groups)
    result: StreamResult = score_events(stream.kind, stream.seconds, stream.truths, detections)
    total = summarize([result])
    delay = total["delay_s"]
    late = "" if delay is None else f", {delay['median']:.2f} s"
    return f"{total['f1'] or 0.0:.2f}{late}"


def _rate(n: int, hours: float) -> str:
    low, high = rate_interval(n, hours)
    return f"{n / hours:.1f} ({low:.1f} to {high:.1f})"


def _clips(
    options: argparse.Namespace, four: Sequence[Contender], ears: Ears, eyes: Eyes
) -> dict[str, list[str]]:
    if options.judge is None:
        return {}
    judge = load_judge(options.judge)
    table = options.data / "clips.csv"
    features = {}
    for name in judge.table(table):
        kept = options.features / "clips" / f"{Path(name).stem}.npz"
        if not kept.exists():
            features_of(options.data / name, ears, eyes).write(kept)
        features[Path(name).stem] = read_features(kept)
    rows: dict[str, list[str]] = {
        "clips: recall": [],
        "clips: precision": [],
        "clips: strongest": [],
    }
    for contender in four:
        scores: dict[str, Scores] = {
            name: score(contender.model, each, contender.only) for name, each in features.items()
        }
        found: dict[str, Any] = judged(judge, table, scores, contender.bundle)
        hits, wanted, false = found["found"], found["labels"], found["false events"]
        rows["clips: recall"].append(_share(hits, wanted))
        rows["clips: precision"].append(_share(hits, hits + false))
        rows["clips: strongest"].append(str(found["strongest fits"]))
    return rows


def _share(n: int, of: int) -> str:
    low, high = wilson_interval(n, of)
    return f"{n / max(1, of):.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
