"""YAMNet alone, EfficientNet alone, the fixed rule and the starter, side by side.

    python -m research.compare --data ../shared/data --features runs/features --yamnet YAMNET \
        --bundle starter --judge ../shared/tools/judge_clips.py

Composed streams of test material, hours in which nothing of the vocabulary happens, whole windows
that are heard and seen, and real clips. What the trunks hear and see, and what each scores, is kept
in `--features`; the same command goes on from there. All but the starter have one threshold for all
labels. Intervals are of 95 %.
"""

import argparse
import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from mafnet.attention import PICTURE, SOUND
from mafnet.load import load_head
from mafnet.metrics import wilson_interval
from mafnet.model import MAFnet
from research.arguments import parser_of
from research.clips import features_of
from research.composed import Stream, event_streams, without_wider
from research.files import WINDOW_CLIPS, file_early, heard_and_seen
from research.intervals import f1_interval, rate_interval
from research.judge import judged, load_judge
from research.listeners import Teacher
from research.nothing import EMPTY_MINUTES, empty_streams, without_events
from research.pictures import load_pictures
from research.prepare import Ears
from research.psds import SCENARIOS, Scored, cuts_of, psds
from research.sound_corpus import load_corpus
from research.start import make_start
from research.streaming.material import Material, load_material
from research.streaming.replay import Scores, read_scores, replay, write_scores
from research.streaming.scoring import Detection, StreamResult, summarize
from research.streaming.scoring import score as score_events
from research.streams import Eyes, StreamFeatures, read_features, score
from research.vocabulary import Vocabulary, load_vocabulary
from research.yamnet_parts import LateEars
from weights.bundle import Bundle, load_bundle

PLAIN: dict[str, Any] = {
    "on": 0.7,
    "off": 0.4,
    "per_label": {},
    "window_weight": 0.0,
    "smooth": 3,
    "confirm": (1, 1),
}
Rows = dict[str, list[str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to answer: a head, one sense or both, and a tracker's settings."""

    name: str
    model: MAFnet
    late: LateEars
    bundle: Bundle
    only: int | None = None
    is_rule: bool = True

    def scores(self, features: StreamFeatures, kept: Path, stream: str) -> Scores:
        """Score a stream, or read what an earlier call scored."""
        head = "rule" if self.is_rule else self.bundle.head.sha256[:12]
        path = kept / f"{stream}-{head}-{self.only}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_scores(score(self.model, self.late, features, self.only, not self.is_rule), path)
        return read_scores(path)


def contenders(bundle: Bundle, vocabulary: Vocabulary, yamnet: Path) -> list[Contender]:
    """Return the four."""
    rule, google = make_start(vocabulary, yamnet), LateEars(yamnet)
    plain = dataclasses.replace(bundle, events=dataclasses.replace(bundle.events, **PLAIN))
    return [
        Contender(name="YAMNet alone", model=rule, late=google, bundle=plain, only=SOUND),
        Contender(name="EfficientNet alone", model=rule, late=google, bundle=plain, only=PICTURE),
        Contender(name="fixed rule", model=rule, late=google, bundle=plain),
        Contender(
            name="starter",
            model=load_head(bundle),
            late=LateEars(bundle.audio.weights),
            bundle=bundle,
            is_rule=False,
        ),
    ]


def main() -> None:
    """Print the table."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    bundle = load_bundle(options.bundle)
    ears, eyes = Ears(options.yamnet, options.data / "teacher"), Eyes()
    four = contenders(bundle, vocabulary, options.yamnet)[-1 if options.starter_only else 0 :]
    known = dataclasses.replace(bundle, labels=tuple(set(options.labels) & set(bundle.labels)))
    events = load_material(options.data, known if options.labels else bundle, "test")
    rows = _events(
        options,
        four,
        list(
            event_streams(options.features / "streams", "test", options.minutes, events, ears, eyes)
        ),
    )
    if options.hours:
        classes = vocabulary.sound_in(Teacher.class_names(options.data / "teacher"))
        material = load_material(options.data, bundle, "test")
        empty = without_events(material, ears, classes)
        print(
            f"nothing: {len(empty.pauses)} of {len(material.pauses)} pauses and "
            f"{len(empty.beds)} of {len(material.beds)} beds hold no label, says the teacher"
        )
        rows.update(_nothing(options, four, empty, ears, eyes))
    rows.update(_windows(options, four, vocabulary, ears))
    rows.update(_clips(options, four, ears, eyes))
    table = Table("", *(contender.name for contender in four))
    for name, cells in rows.items():
        table.add_row(name, *cells)
    Console(width=140, highlight=False).print(table)


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(__doc__)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--judge", type=Path, help="judge_clips.py; without it no real clips")
    parser.add_argument("--minutes", type=float, default=6.0, help="of each stream with events (6)")
    parser.add_argument("--hours", type=int, default=6, help="of nothing (6)")
    parser.add_argument("--starter-only", action="store_true", help="leave out the other three")
    parser.add_argument("--labels", nargs="*", default=[], help="of streams with events (all)")
    return parser


def _events(
    options: argparse.Namespace, four: Sequence[Contender], streams: Sequence[Stream]
) -> Rows:
    kept = options.features / "scores"
    rows: Rows = {}
    for stream in streams:
        for contender in four:
            scores = contender.scores(stream.features, kept, stream.name)
            detections = replay(scores, contender.bundle)
            groups = contender.bundle.events.groups
            detections = without_wider(detections, stream.truths, groups)
            result = score_events(stream.kind, stream.seconds, stream.truths, detections)
            for name, cell in _cells(result, detections).items():
                rows.setdefault(f"{stream.kind}: {name}", []).append(cell)
    for scenario in SCENARIOS:
        row = rows.setdefault(f"PSDS, {scenario}", [])
        for contender in four:
            scored = [
                Scored(
                    seconds=stream.seconds,
                    truths=stream.truths,
                    scores=contender.scores(stream.features, kept, stream.name),
                    context=contender.bundle.events.window_weight,
                )
                for stream in streams
            ]
            whole, low, high = psds(scored, contender.bundle.labels, scenario)
            row.append(f"{whole:.3f} ({low:.3f} to {high:.3f})")
    return rows


def _cells(result: StreamResult, detections: Sequence[Detection]) -> dict[str, str]:
    truths = [found.truth for found in result.found]
    pieces = []
    for first, last in itertools.pairwise(cuts_of(truths, result.seconds)):
        own = [k for k, truth in enumerate(truths) if first <= truth.onset_s < last]
        told = sum(first <= detection.onset_s < last for detection in detections)
        pieces.append((sum(result.matched[k] for k in own), len(own), told))
    total = summarize([result])
    low, high = f1_interval(pieces)
    found = sum(each.detection is not None for each in result.found)
    late, away = total["delay_s"], total["onset_error_s"]
    return {
        "F1": f"{total['f1'] or 0.0:.2f} ({low:.2f} to {high:.2f})",
        "found": f"{found} of {len(truths)}",
        "delay, onset error": "–"
        if late is None
        else f"{late['median']:.2f}, {away['median']:.2f} s",
    }


def _nothing(
    options: argparse.Namespace,
    four: Sequence[Contender],
    material: Material,
    ears: Ears,
    eyes: Eyes,
) -> Rows:
    counts = [Counter[str]() for _ in four]
    labels = Counter[str]()
    hour = Counter[str]()
    for kind, features in empty_streams(
        options.features / "nothing", options.hours, material, ears, eyes
    ):
        for contender, count in zip(four, counts, strict=True):
            name = f"{kind}-{hour[kind]}"
            told = replay(
                contender.scores(features, options.features / "scores", name), contender.bundle
            )
            count[kind] += len(told)
            if not contender.is_rule:
                labels.update(f"{detection.label} ({kind})" for detection in told)
        hour[kind] += 1
    told_of = ", ".join(f"{label} {n}" for label, n in labels.most_common())
    print(f"nothing, told by the starter: {told_of or 'nothing'}")
    rows = {
        f"nothing, {kind}, false an hour": [
            _rate(count[kind], options.hours * minutes / 60) for count in counts
        ]
        for kind, minutes in EMPTY_MINUTES.items()
    }
    rows["nothing, all"] = [_rate(count.total(), options.hours) for count in counts]
    return rows


def _windows(
    options: argparse.Namespace, four: Sequence[Contender], vocabulary: Vocabulary, ears: Ears
) -> Rows:
    corpus = load_corpus(options.data, options.features)
    early = file_early(corpus, "test", ears, options.features)
    pictures = load_pictures(options.data, options.features)
    rows: Rows = {}
    for contender in four:
        maps = [contender.late.maps(own) for own in early]
        hits = heard_and_seen(contender.model, maps, corpus, pictures, vocabulary, contender.only)
        rows.setdefault(f"windows heard and seen, T = {WINDOW_CLIPS}", []).append(
            _share(sum(hits), len(hits))
        )
        if not contender.is_rule:
            for sense, name in ((SOUND, "sound"), (PICTURE, "picture")):
                alone = heard_and_seen(contender.model, maps, corpus, pictures, vocabulary, sense)
                cells = ["–"] * (len(four) - 1) + [_share(sum(alone), len(alone))]
                rows[f"the same, {name} alone"] = cells
    return rows


def _clips(options: argparse.Namespace, four: Sequence[Contender], ears: Ears, eyes: Eyes) -> Rows:
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
    rows: Rows = {"clips: recall": [], "clips: precision": [], "clips: strongest": []}
    for contender in four:
        scores = {
            name: contender.scores(each, options.features / "scores", f"clip-{name}")
            for name, each in features.items()
        }
        found: dict[str, Any] = judged(judge, table, scores, contender.bundle)
        hits, wanted, false = found["found"], found["labels"], found["false events"]
        rows["clips: recall"].append(_share(hits, wanted))
        rows["clips: precision"].append(_share(hits, hits + false))
        rows["clips: strongest"].append(str(found["strongest fits"]))
    return rows


def _rate(n: int, hours: float) -> str:
    low, high = rate_interval(n, hours)
    return f"{n / hours:.1f} ({low:.1f} to {high:.1f})"


def _share(n: int, of: int) -> str:
    low, high = wilson_interval(n, of)
    return f"{n / max(1, of):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
