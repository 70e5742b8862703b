"""Settles a bundle's event thresholds on composed streams of validation material.

    python -m benchmarks.streaming.settle --bundle starter --data ../shared/data --to runs/settle

Streams of every kind are composed from the half of the validation split that no head learned from,
several folds of them, and recognized by the real pipeline once. Then tracker settings are tried on
the kept scores: the bundle's thresholds, moved together; the same with higher ones for labels that
are told where nothing happens ("quieted"); or each label's own. Thresholds that are printed for a
fold were chosen without it (among the rows the best is picked on all folds, so its figure flatters
a little; and folds draw on the same recordings of nothing, so quieted rows flatter there).
`--write DIR` writes the bundle with the settings that all folds give together. Can be stopped; the
same command goes on.
Exit codes: 0 done, 1 something failed (one sentence), 2 usage, 130 interrupted.
"""

import argparse
import dataclasses
import json
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

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
    quieted,
    raised,
    results,
    settled,
)
from benchmarks.streaming.command import exit_code_of
from benchmarks.streaming.material import Material, load_material
from benchmarks.streaming.render import write_stream
from benchmarks.streaming.replay import ScoreRecorder, read_scores
from benchmarks.streaming.run import recognize_file
from benchmarks.streaming.scene import EMPTY, KINDS, SceneSettings, compose
from benchmarks.streaming.scoring import StreamResult, summarize, truths_of
from weights.bundle import Bundle, load_bundle, write_bundle
from weights.files import written_whole

FIRST_SEED = 1001  # of the first fold's streams
LONGEST_DELAY_S = 1.0  # median; settings that tell later are not taken
AS_GOOD = 0.015  # F1: less tells settings apart by chance only, so false alarms do


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One choice of settings and what it gave.

    Attributes:
        name: For people.
        bundle: With these settings.
        results: Thresholds that were chosen were chosen without the stream's fold.
        total: `summarize` of them.
    """

    name: str
    bundle: Bundle
    results: list[StreamResult]
    total: dict[str, Any]

    @property
    def f1(self) -> float:
        """Event-based, over all streams, those without an event too."""
        return float(self.total["f1"] or 0.0)

    @property
    def empty_an_hour(self) -> float:
        """False events an hour of the streams in which nothing happens."""
        empty = summarize([r for r in self.results if r.name in EMPTY])
        return float(empty["false_events_an_hour"] or 0.0)

    @property
    def delay_s(self) -> float:
        """The median; infinite where nothing was found."""
        delay = self.total["delay_s"]
        return float("inf") if delay is None else float(delay["median"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Record what is missing, choose, print and write; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.folds < 2:
        parser.error("--folds: at least two, so that one can be held out")
    try:
        scenes = [
            SceneSettings(minutes=options.minutes, seed=FIRST_SEED + fold)
            for fold in range(options.folds)
        ]
    except ValueError as error:
        parser.error(str(error))
    return exit_code_of(lambda: _settle(options, scenes), options.to)


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


def _settle(options: argparse.Namespace, scenes: Sequence[SceneSettings]) -> int:
    bundle = load_bundle(options.bundle)
    streams = _streams(options, bundle, scenes)
    now = _tried("the bundle's", bundle, results(streams, bundle))
    tried: list[Tried] = []
    for times in track(all_times(), "trying settings", transient=True):
        for by in RAISES:
            name = f"{times}, the bundle's thresholds" + (f" {by:+g}" if by else "")
            on = raised(bundle, by)
            moved = settled(bundle, times, on)
            tried.append(_tried(name, moved, results(streams, moved)))
            tried.append(with_quieted(streams, bundle, times, on, name))
        tried.append(_with_chosen(streams, bundle, times))
    best = best_of(tried)
    if best.delay_s > LONGEST_DELAY_S:
        print(f"no settings tell half of the events within {LONGEST_DELAY_S:g} s", file=sys.stderr)
    _print([now, *tried], best)
    _write_json(options.to / "settle.json", [now, *tried], best)
    if options.write is not None:
        write_bundle(best.bundle, options.write)
        print(f"bundle: {options.write}")
    return 0


def best_of(tried: Sequence[Tried]) -> Tried:
    """Return the settings to take: the fewest false alarms among those as good as the best.

    Only settings that tell half of the events within `LONGEST_DELAY_S` are looked at, if any do.
    """
    fits = [each for each in tried if each.delay_s <= LONGEST_DELAY_S] or list(tried)
    least = max(each.f1 for each in fits) - AS_GOOD
    as_good = [each for each in fits if each.f1 >= least]
    return min(as_good, key=lambda each: (each.empty_an_hour, -each.f1))


def _tried(name: str, bundle: Bundle, of_streams: list[StreamResult]) -> Tried:
    return Tried(name=name, bundle=bundle, results=of_streams, total=summarize(of_streams))


def _with_chosen(streams: Sequence[KeptStream], bundle: Bundle, times: Times) -> Tried:
    """Choose thresholds on all folds but one, for each, and on all of them to be written."""
    counts = count(streams, bundle, times)

    def choose_on(rows: Sequence[int]) -> dict[str, float]:
        return choose(of_streams(counts, rows), [streams[k] for k in rows], bundle)

    return _by_folds(streams, bundle, times, choose_on, f"{times}, thresholds chosen")


def with_quieted(
    streams: Sequence[KeptStream],
    bundle: Bundle,
    times: Times,
    on: Mapping[str, float],
    name: str,
) -> Tried:
    """Raise what is told where nothing happens in all folds but one, for each, and in all."""

    def choose_on(rows: Sequence[int]) -> dict[str, float]:
        return quieted([streams[k] for k in rows], bundle, times, on)

    return _by_folds(streams, bundle, times, choose_on, f"{name}, quieted")


def _by_folds(
    streams: Sequence[KeptStream],
    bundle: Bundle,
    times: Times,
    choose_on: Callable[[Sequence[int]], dict[str, float]],
    name: str,
) -> Tried:
    """Score each fold with thresholds from the others; the bundle gets those from all folds."""
    everything = range(len(streams))
    held_out: list[StreamResult] = []
    for fold in sorted({stream.fold for stream in streams}):
        on = choose_on([k for k in everything if streams[k].fold != fold])
        its = [stream for stream in streams if stream.fold == fold]
        held_out += results(its, settled(bundle, times, on))
    return _tried(name, settled(bundle, times, choose_on(everything)), held_out)


def _streams(
    options: argparse.Namespace, bundle: Bundle, scenes: Sequence[SceneSettings]
) -> list[KeptStream]:
    """Read the kept scores; compose and recognize what is missing."""
    console = Console(stderr=True)
    console.print("reading the validation sounds")
    material = load_material(options.data, bundle, "settle")
    folder = options.to / _fingerprint(
        bundle.head.sha256,
        bundle.audio.sha256,
        bundle.visual.sha256,
        bundle.temperature,
        options.backend,
    )
    streams: list[KeptStream] = []
    for fold, settings in enumerate(scenes, 1):
        for kind in KINDS:
            scene = compose(kind, material.labels(kind), settings)
            facts = [scene.as_json(), *(_of_rooms(material, settings) if kind == "rooms" else ())]
            name = f"{kind}-{fold}-{_fingerprint(*facts)}"
            kept = folder / f"{name}.npz"
            if not kept.is_file():
                console.print(f"composing and recognizing {kind} {fold} of {len(scenes)}")
                media = options.to / f"{name}.mkv"
                if not media.is_file():
                    write_stream(media, scene, material, settings, lambda _: None)
                _record(media, kept, options)
            streams.append(
                KeptStream(
                    kind=kind,
                    fold=fold,
                    seconds=scene.seconds,
                    truths=truths_of(scene.events),
                    scores=read_scores(kept),
                )
            )
    return streams


def _of_rooms(material: Material, settings: SceneSettings) -> list[object]:
    """Return what rooms are made of, which no scene tells."""
    sounds = [*material.pauses, *material.spectra]
    return [settings.rooms_db, [zlib.crc32(sound.tobytes()) for sound in sounds]]


def _record(media: Path, to: Path, options: argparse.Namespace) -> None:
    """Recognize a composed stream and keep its scores."""
    recorder = ScoreRecorder()
    recognize_file(
        media,
        to.with_suffix(".events.jsonl"),
        bundle=options.bundle,
        backend=options.backend,
        observe=recorder,
    )
    recorder.write(to)


def _fingerprint(*facts: object) -> str:
    """Tell apart what was composed or recognized otherwise."""
    return f"{zlib.crc32(json.dumps(facts).encode()):08x}"


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
    total = tried.total
    of_kinds = [
        summarize([r for r in tried.results if r.name == kind])["f1"]
        for kind in KINDS
        if kind not in EMPTY
    ]
    cells = [tried.f1, total["precision"], total["recall"], total["found"], tried.delay_s]
    return [
        tried.name,
        *("" if cell is None else f"{cell:.3f}" for cell in cells),
        f"{tried.empty_an_hour:.0f}",
        *("" if cell is None else f"{cell:.2f}" for cell in of_kinds),
    ]


def _write_json(path: Path, tried: Sequence[Tried], best: Tried) -> None:
    figures = {
        "chosen": best.name,
        "tried": {each.name: each.total for each in tried},
        "on": {label: pair["on"] for label, pair in best.bundle.events.per_label.items()},
    }
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
