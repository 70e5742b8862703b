"""Settles a bundle's event thresholds on composed streams of validation material.

    python -m benchmarks.streaming.settle --bundle starter --data ../shared/data --to runs/settle

Streams of every kind are composed from the half of the validation split that no head learned from,
several folds of them, and recognized by the real pipeline once. Then tracker settings are tried on
the kept scores: thresholds that are printed for a fold were chosen without it (among the rows the
best is picked on all folds, so its figure flatters a little). `--write DIR` writes the
bundle with the settings that all folds give together. Can be stopped; the same command goes on.
Exit codes: 0 done, 1 something failed (one sentence), 2 usage, 130 interrupted.
"""

import argparse
import dataclasses
import json
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.streaming.choose import (
    RAISES,
    KeptStream,
    Times,
    all_times,
    choose,
    count,
    of_streams,
    off_for,
    raised,
    results,
    tracker_config,
)
from benchmarks.streaming.material import Material, MaterialError, load_material
from benchmarks.streaming.render import write_stream
from benchmarks.streaming.replay import ScoreRecorder, read_scores
from benchmarks.streaming.run import recognize_file
from benchmarks.streaming.scene import EMPTY, KINDS, SceneSettings, compose
from benchmarks.streaming.scoring import StreamResult, Truth, summarize
from realtime.build import tracker_config as bundles_tracker_config
from realtime.errors import RecognizerError
from weights.bundle import Bundle, EventSpec, load_bundle, write_bundle
from weights.errors import WeightsError
from weights.files import written_whole

LONGEST_DELAY_S = 1.0  # median; settings that tell later are not taken


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One choice of times and what it gave on folds that had no say in it."""

    name: str
    held_out: list[StreamResult]

    @property
    def f1(self) -> float:
        """Event-based, over all streams, those without an event too."""
        return float(summarize(self.held_out)["f1"] or 0.0)

    @property
    def delay_s(self) -> float:
        """The median; infinite where nothing was found."""
        delay = summarize(self.held_out)["delay_s"]
        return float("inf") if delay is None else float(delay["median"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Record what is missing, choose, print and write; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.folds < 2:
        parser.error("--folds: at least two, so that one can be held out")
    try:
        return _settle(options)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except (MaterialError, RecognizerError, WeightsError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {options.to}: {error.strerror or error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.streaming.settle",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--bundle", default="starter", help="starter or a bundle's folder")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="of sounds.csv")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="for the scores")
    parser.add_argument("--minutes", type=float, default=15.0, help="of each stream (15)")
    parser.add_argument("--folds", type=int, default=2, help="streams of each kind (2)")
    parser.add_argument("--backend", default="auto", help="auto, torch or openvino")
    parser.add_argument("--write", type=Path, metavar="DIR", help="write the settled bundle")
    return parser


def _settle(options: argparse.Namespace) -> int:
    bundle = load_bundle(options.bundle)
    streams = _streams(options, bundle)
    folds = sorted({stream.fold for stream in streams})
    now = bundles_tracker_config(bundle, {})
    tried = [Tried(name="the bundle's", held_out=results(streams, bundle, now))]
    chosen: dict[str, EventSpec] = {}
    for times in track(all_times(), "trying settings", transient=True):
        counts = count(streams, bundle, times)
        for by in RAISES:
            on = raised(bundle, by)
            name = f"{times}, the bundle's thresholds" + (f" {by:+g}" if by else "")
            config = tracker_config(bundle, times, on)
            tried.append(Tried(name=name, held_out=results(streams, bundle, config)))
            chosen[name] = _events(bundle, times, on)
        held_out: list[StreamResult] = []
        for fold in folds:
            rest = [k for k, stream in enumerate(streams) if stream.fold != fold]
            on = choose(of_streams(counts, rest), [streams[k] for k in rest], bundle)
            its = [stream for stream in streams if stream.fold == fold]
            held_out += results(its, bundle, tracker_config(bundle, times, on))
        name = f"{times}, thresholds chosen"
        tried.append(Tried(name=name, held_out=held_out))
        chosen[name] = _events(bundle, times, choose(counts, streams, bundle))
    fits = [each for each in tried[1:] if each.delay_s <= LONGEST_DELAY_S]
    if not fits:
        print(f"no settings tell half of the events within {LONGEST_DELAY_S:g} s", file=sys.stderr)
    best = max(fits or tried[1:], key=lambda each: each.f1)
    events = chosen[best.name]
    _print(tried, best)
    _write_json(options.to / "settle.json", tried, best, events)
    if options.write is not None:
        write_bundle(dataclasses.replace(bundle, events=events), options.write)
        print(f"bundle: {options.write}")
    return 0


def _streams(options: argparse.Namespace, bundle: Bundle) -> list[KeptStream]:
    """Read the kept scores; compose and recognize what is missing."""
    material: Material | None = None
    streams: list[KeptStream] = []
    folder = options.to / _fingerprint(
        bundle.head.sha256,
        bundle.audio.sha256,
        bundle.visual.sha256,
        bundle.temperature,
        options.backend,
    )
    console = Console(stderr=True)
    for fold in range(1, options.folds + 1):
        settings = SceneSettings(minutes=options.minutes, seed=1000 + fold)
        for kind in KINDS:
            if material is None:
                console.print("reading the validation sounds")
                material = load_material(options.data, bundle, "settle")
            scene = compose(kind, material.labels(kind), settings)
            kept = folder / f"{kind}-{fold}-{_fingerprint(scene.as_json())}.npz"
            if not kept.is_file():
                console.print(f"composing and recognizing {kind} {fold} of {options.folds}")
                media = options.to / f"{kind}-{fold}-{_fingerprint(scene.as_json())}.mkv"
                if not media.is_file():
                    write_stream(media, scene, material, settings, lambda _: None)
                recorder = ScoreRecorder()
                recognize_file(
                    media,
                    kept.with_suffix(".events.jsonl"),
                    bundle=options.bundle,
                    backend=options.backend,
                    observe=recorder,
                )
                recorder.write(kept)
            truths = tuple(
                Truth(label=e.label, onset_s=e.onset_s, offset_s=e.offset_s, snr_db=e.snr_db)
                for e in scene.events
            )
            streams.append(
                KeptStream(
                    kind=kind,
                    fold=fold,
                    seconds=scene.seconds,
                    truths=truths,
                    scores=read_scores(kept),
                )
            )
    return streams


def _fingerprint(*facts: object) -> str:
    """Tell apart what was composed or recognized otherwise."""
    return f"{zlib.crc32(json.dumps(facts).encode()):08x}"


def _events(bundle: Bundle, times: Times, on: dict[str, float]) -> EventSpec:
    config = tracker_config(bundle, times, on)
    per_label = {
        label: MappingProxyType({"on": value, "off": off_for(value, bundle)})
        for label, value in on.items()
    }
    return dataclasses.replace(
        bundle.events,
        on=round(config.on, 3),
        off=round(config.off, 3),
        per_label=MappingProxyType(per_label),
        merge_gap_s=times.merge_gap_s,
        confirm=times.confirm,
    )


def _print(tried: Sequence[Tried], best: Tried) -> None:
    table = Table(title="settings; chosen thresholds on folds that had no say in them")
    for column in ("settings", "F1", "precision", "recall", "found", "delay", "empty: false/h"):
        table.add_column(column, justify="left" if column == "settings" else "right")
    for kind in KINDS:
        if kind not in EMPTY:
            table.add_column(f"F1 {kind}", justify="right")
    for each in sorted(tried, key=lambda one: -one.f1):
        table.add_row(*_row(each), style="bold" if each is best else "")
    Console(width=None if sys.stdout.isatty() else 170, highlight=False).print(table)


def _row(tried: Tried) -> list[str]:
    total = summarize(tried.held_out)
    empty = summarize([r for r in tried.held_out if r.name in EMPTY])
    of_kinds = [
        summarize([r for r in tried.held_out if r.name == kind])["f1"]
        for kind in KINDS
        if kind not in EMPTY
    ]
    cells = [tried.f1, total["precision"], total["recall"], total["found"], tried.delay_s]
    return [
        tried.name,
        *("" if cell is None else f"{cell:.3f}" for cell in cells),
        f"{empty['false_events_an_hour'] or 0:.0f}",
        *("" if cell is None else f"{cell:.2f}" for cell in of_kinds),
    ]


def _write_json(path: Path, tried: Sequence[Tried], best: Tried, events: EventSpec) -> None:
    figures = {
        "chosen": best.name,
        "tried": {each.name: summarize(each.held_out) for each in tried},
        "on": {label: pair["on"] for label, pair in events.per_label.items()},
    }
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
