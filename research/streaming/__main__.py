"""Composes streams, runs the real pipeline over them and over real clips, scores and reports.

    python -m research.streaming --data ../shared/data --minutes 30 --to runs/streaming

Can be stopped at any time; the same command goes on after the last whole stream. Exit codes: 0
done, 1 something failed (one sentence), 2 usage, 130 interrupted.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from realtime.command_line.flags import PROFILES
from research.streaming.command import exit_code_of
from research.streaming.material import MaterialError, load_material
from research.streaming.render import write_stream
from research.streaming.report import figures_of, print_tables, write_report
from research.streaming.run import read_messages, recognize_file
from research.streaming.scene import KINDS, SceneSettings, compose
from research.streaming.scoring import (
    COLLAR_S,
    StreamResult,
    Truth,
    detections_of,
    score,
    summarize,
    truths_of,
)
from weights.bundle import Bundle, load_bundle
from weights.files import written_whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, print the tables, write the report; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.on is None) != (options.off is None):
        parser.error("--on and --off go together")
    try:
        settings = SceneSettings(
            minutes=options.minutes, seed=options.seed, snr_db=tuple(options.snr)
        )
    except ValueError as error:
        parser.error(str(error))
    return exit_code_of(lambda: _evaluate(options, settings), options.to)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.streaming", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--bundle", default="starter", help="starter or a bundle's folder")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="of sounds.csv")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument("--minutes", type=float, default=30.0, help="of each stream (30)")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS, help="default: all")
    parser.add_argument("--snr", nargs="+", type=float, default=[20.0, 10.0, 0.0], metavar="DB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-clips", action="store_true", help="leave DATA/clips out")
    parser.add_argument("--backend", default="auto", help="auto, torch or openvino")
    parser.add_argument("--profile", choices=list(PROFILES), default="full", help="as live (full)")
    parser.add_argument("--on", type=float, metavar="P", help="of run_stream.py, for all labels")
    parser.add_argument("--off", type=float, metavar="P", help="likewise; with --on")
    parser.add_argument("--keep-media", action="store_true", help="keep the composed files")
    return parser


def _evaluate(options: argparse.Namespace, settings: SceneSettings) -> int:
    bundle = load_bundle(options.bundle)
    told = {
        "bundle": f"{bundle.name} {bundle.version}",
        "sha256": {"audio": bundle.audio.sha256, "head": bundle.head.sha256},
        "minutes": settings.minutes,
        "seed": settings.seed,
        "snr_db": list(settings.snr_db),
        "bed_db": settings.bed_db,
        "collar_s": COLLAR_S,
        **({} if options.profile == "full" else {"profile": options.profile}),
        **_thresholds(options),
    }
    _hold_to(options.to / "settings.json", told)
    results: list[StreamResult] = []
    with _Bar() as bar:
        if options.kinds:
            bar.begin("reading the held-out sounds", None)
            material = load_material(options.data, bundle)
        for kind in options.kinds:
            scene = compose(kind, material.labels(kind), settings)
            events = options.to / f"{kind}.events.jsonl"
            if not events.is_file():
                media = options.to / f"{kind}.mkv"
                if not media.is_file():
                    bar.begin(f"composing {kind}", scene.seconds)
                    write_stream(media, scene, material, settings, bar.move)
                with written_whole(options.to / f"{kind}.truth.json") as temporary:
                    temporary.write_text(json.dumps(scene.as_json(), indent=1) + "\n", "utf-8")
                bar.begin(f"recognizing {kind}", scene.seconds)
                _recognize(media, events, options, bar)
                if not options.keep_media:
                    media.unlink()
            detections = detections_of(read_messages(events))
            result = score(kind, scene.seconds, truths_of(scene.events), detections)
            bar.say(f"{kind}: {_line(summarize([result]))}")
            results.append(result)
        if not options.no_clips and (options.data / "clips.csv").is_file():
            results += _clips(options, bundle, bar)
    _check_with_sed_eval([r for r in results if not r.name.startswith("clip/")], options)
    figures = figures_of(results, told)
    print_tables(figures, Console(width=None if sys.stdout.isatty() else 150, highlight=False))
    print(f"report: {write_report(options.to, figures, results)}")
    return 0


def _clips(options: argparse.Namespace, bundle: Bundle, bar: "_Bar") -> list[StreamResult]:
    truths: dict[str, list[Truth]] = {}
    ends: dict[str, float] = {}
    with (options.data / "clips.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            of_clip = truths.setdefault(row["file"], [])
            onset_s, offset_s = float(row["onset_s"]), float(row["offset_s"])
            ends[row["file"]] = max(ends.get(row["file"], 0.0), offset_s)
            if set(row["label"].split("|")) & set(bundle.labels):
                of_clip.append(Truth(label=row["label"], onset_s=onset_s, offset_s=offset_s))
    results = []
    for name, of_clip in truths.items():
        media = options.data / name
        events = options.to / "clips" / f"{media.stem}.events.jsonl"
        if not events.is_file():
            events.parent.mkdir(parents=True, exist_ok=True)
            bar.begin(f"recognizing {media.name}", ends[name])
            _recognize(media, events, options, bar)
        detections = detections_of(read_messages(events))
        results.append(score(f"clip/{media.name}", ends[name], of_clip, detections))
    return results


def _recognize(media: Path, events: Path, options: argparse.Namespace, bar: "_Bar") -> None:
    recognize_file(
        media,
        events,
        bundle=options.bundle,
        backend=options.backend,
        profile=options.profile,
        settings=_thresholds(options),
        progress=bar.move,
    )


def _thresholds(options: argparse.Namespace) -> dict[str, object]:
    return {} if options.on is None else {"on": options.on, "off": options.off}


def _check_with_sed_eval(results: Sequence[StreamResult], options: argparse.Namespace) -> None:
    from research.streaming.sed_check import f1_of_sed_eval

    theirs = f1_of_sed_eval(options.to, [r.name for r in results if r.found])
    if theirs is None:
        return
    ours = summarize([r for r in results if r.found])["f1"]
    agrees = "agrees" if abs((ours or 0.0) - theirs) < 1e-3 else f"DIFFERS from ours, {ours}"
    print(f"sed_eval's event-based F1 over the streams with events: {theirs:.4f}; {agrees}")


def _line(row: dict[str, Any]) -> str:
    return ", ".join(
        f"{key.replace('_', ' ')} {row[key]}"
        for key in ("events", "f1", "found", "false_events", "false_events_an_hour")
        if row[key] is not None
    )


def _hold_to(path: Path, settings: dict[str, Any]) -> None:
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != settings:
            raise MaterialError(
                f"{path.parent} holds results of other settings or weights: give the same, "
                "or choose another folder"
            )
        return
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


class _Bar:
    """One bar for what goes on; off a terminal only sentences."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
        )
        self._progress = Progress(
            *columns,
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> "_Bar":
        self._progress.start()
        self._task = self._progress.add_task("", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, what: str, total: float | None) -> None:
        self._progress.reset(self._task, description=what, total=total)
        if not self._console.is_terminal:
            self.say(what)

    def move(self, seconds: float) -> None:
        self._progress.update(self._task, completed=seconds)

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
