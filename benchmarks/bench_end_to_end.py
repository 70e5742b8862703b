"""End to end: real-time factor, latency and losses, for the demo and for a file.

    python benchmarks/bench_end_to_end.py [--source FILE ...] [--backend NAME ...] [--json FILE]
    python benchmarks/bench_end_to_end.py --bundle starter --streams 1,2,4,8,12 [--source FILE]

Each row is one run of the whole pipeline in this process: sources, rings, trunks, MAFnet, tracker,
publisher. `fast` reads as fast as it can (nothing may be lost), `live` paces the source and dates
it on the run's clock, so that latency has a meaning. Each bundle and backend is held against the
trunks called bare in a loop and against the naive program (`bare_trunks.py`). The starter bundle is
measured with its weights, DenseNet-201 (the paper's trunk) with random ones: speed does not depend
on them. `--streams` runs so many paced streams in one process, of the first file or else the demo
scene (which this process draws, too), until their latency's 95th percentile passes half a second;
paced streams are computed in full. `start_s` is from the first import to the open stream, measured
in a process of its own. Machines and their load differ: compare rows of one run.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bare_trunks import bare_factor, naive_factor
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from safetensors.torch import save_file

from extractors.openvino_graphs import installed_version
from extractors.vggish import VGGishTrunk
from extractors.visual import make_visual_trunk
from mafnet.labels import AVE_LABELS
from mafnet.model import MAFnet, MAFnetConfig
from realtime.build import frame_transform
from realtime.config import PublisherConfig, RunConfig, SourceConfig, WindowConfig
from realtime.errors import RecognizerError
from realtime.pipeline import Pipeline
from realtime.recognition.models import load_models
from realtime.threads.one_off import OneOffThread
from weights.bundle import (
    AudioSpec,
    Bundle,
    EventSpec,
    HeadSpec,
    VisualSpec,
    load_bundle,
    write_bundle,
)
from weights.bundle_spec import SOUND_MAPS
from weights.store import default_home

PAPER_DIM = 1920  # DenseNet-201's pooled features
TOO_LATE_MS = 500.0
START = """
import sys, time
began = time.perf_counter()
from realtime.config import RunConfig, SourceConfig
from realtime.pipeline import Pipeline
pipeline = Pipeline(
    RunConfig(
        source=SourceConfig(name="bench", kind="demo"), publisher=None,
        bundle=sys.argv[1], backend=sys.argv[2], precision=sys.argv[3],
    )
)
pipeline.open()
print(time.perf_counter() - began)
pipeline.close()
"""


def main() -> int:
    """Run all rows; print a table; write JSON if asked."""
    arguments = _parse()
    logging.basicConfig(level=logging.WARNING)
    console = Console(stderr=True)
    rows: list[dict[str, Any]] = []
    floors: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        bundles = {}
        for name in arguments.bundle:
            bundles[name] = (
                OneOffThread("bench").run(partial(write_random_paper_bundle, Path(folder)))
                if name == "densenet201"
                else name
            )
        runs = [
            (name, path, backend, source, paced)
            for name, path in bundles.items()
            for backend in arguments.backend
            for source in ["demo", *arguments.source]
            for paced in (False, True)
        ]
        if arguments.streams:
            return _stream_rows(bundles, arguments)
        starts: list[dict[str, Any]] = []
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
        ) as progress:
            task = progress.add_task("", total=None)
            for name, path, backend, source, paced in runs:
                progress.update(
                    task, description=f"{name}, {backend}, {source}, {'live' if paced else 'fast'}"
                )
                rows.append(measure(name, str(path), backend, source, paced, arguments))
                if source == "demo" and not paced:
                    progress.update(task, description=f"{name}, {backend}, bare trunks")
                    floors.append(
                        OneOffThread("bench").run(
                            partial(hold_against_floor, str(path), backend, rows[-1], arguments)
                        )
                    )
                    progress.update(task, description=f"{name}, {backend}, start")
                    start_s = start_time_s(str(path), backend, arguments.precision)
                    starts.append({"bundle": name, "backend": backend, "start_s": start_s})
    _print_table(rows)
    _print_floors(floors)
    for start in starts:
        print(f"start of {start['bundle']}, {start['backend']}: {start['start_s']:.1f} s")
    _write_json(arguments, {"rows": rows, "floors": floors, "starts": starts})
    return 0


def _stream_rows(bundles: dict[str, Any], arguments: argparse.Namespace) -> int:
    """Run more and more streams until they come too late; print and write what was measured."""
    rows = []
    source = (arguments.source or ["demo"])[0]
    for name, path in bundles.items():
        for backend in arguments.backend:
            for n_streams in arguments.streams:
                row = measure(name, str(path), backend, source, True, arguments, n_streams)
                rows.append(row)
                _print_streams(row)
                if row["latency_p95_ms"] is None or row["latency_p95_ms"] > TOO_LATE_MS:
                    break
    _write_json(arguments, {"rows": rows})
    return 0


def _print_streams(row: dict[str, Any]) -> None:
    print(
        f"{row['bundle']}, {row['backend']}: {row['n_streams']} streams, latency p50 "
        f"{row['latency_p50_ms']}, p95 {row['latency_p95_ms']}, p99 {row['latency_p99_ms']} ms, "
        f"{row['cpu_share']} cores, {row['rss_mib']} MiB",
        flush=True,
    )


def _write_json(arguments: argparse.Namespace, figures: dict[str, Any]) -> None:
    if arguments.json is None:
        return
    report = {
        "machine": platform.processor() or platform.machine(),
        "n_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "openvino": installed_version(),
        **figures,
    }
    arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def start_time_s(bundle: str, backend: str, precision: str) -> float:
    """Return how long a process takes from its first import to an open stream."""
    done = subprocess.run(
        [sys.executable, "-c", START, bundle, backend, precision],
        capture_output=True,
        text=True,
        check=True,
    )
    return round(float(done.stdout), 2)


def measure(
    name: str,
    bundle: str,
    backend: str,
    source: str,
    paced: bool,
    arguments: argparse.Namespace,
    n_streams: int = 1,
) -> dict[str, Any]:
    """Run the pipeline once and return its figures, the worst of latencies where it has several."""
    sources = [
        SourceConfig(
            name=f"bench-{number}",
            kind="demo" if source == "demo" else "media",
            media=None if source == "demo" else source,
            pace=paced,
        )
        for number in range(n_streams)
    ]
    config = RunConfig(
        source=sources[0],
        more_sources=tuple(sources[1:]),
        window=WindowConfig(hop_s=arguments.hop, n_clips=arguments.window),
        publisher=PublisherConfig(bind="tcp://127.0.0.1:*"),
        bundle=bundle,
        backend=backend,
        precision=arguments.precision,
        duration_s=arguments.seconds,
    )
    pipeline = Pipeline(config)
    pipeline.open()
    cpu_s, began = time.process_time(), time.perf_counter()
    pipeline.start()
    while not pipeline.wait(0.02):
        pass
    cpu_share = (time.process_time() - cpu_s) / (time.perf_counter() - began)
    pipeline.close(timeout_s=60.0)
    pipeline.raise_failure()
    view = pipeline.view()
    streams = (view, *view.others)
    # Of several streams the one that comes latest: nobody is served by the others' mean.
    view = max(streams, key=lambda stream: stream.stats.latency_p95_ms or 0.0)
    stats = view.stats
    return {
        "bundle": name,
        "backend": view.run.backend,
        "source": Path(source).name,
        "n_streams": n_streams,
        "mode": "live" if paced else "fast",
        "hop_s": arguments.hop,
        "window_clips": arguments.window,
        "stream_s": round(view.stream.t_s, 2),
        "real_time_factor": round(view.elapsed_s / view.stream.t_s, 4),
        "step_p50_ms": _rounded(stats.compute_p50_ms),
        "step_p95_ms": _rounded(stats.compute_p95_ms),
        "latency_p50_ms": _rounded(stats.latency_p50_ms),
        "latency_p95_ms": _rounded(stats.latency_p95_ms),
        "latency_p99_ms": _rounded(stats.latency_p99_ms),
        "cpu_share": round(cpu_share, 2),
        # Seconds of processor time a second of each stream: other load disturbs it least.
        "cpu_factor": round(cpu_share * view.elapsed_s / view.stream.t_s / n_streams, 4),
        # The process's peak so far: rows of one run share it.
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "decisions": stats.count("predictions"),
        "events": stats.count("events"),
        "dropped_frames": stats.count("dropped_frames"),
        "audio_gap_samples": stats.count("audio_gap_samples"),
        "skipped_clips": stats.count("skipped_clips"),
    }


def hold_against_floor(
    bundle: str, backend: str, row: dict[str, Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Time the bare trunks and the naive program; set the engine's run beside them."""
    found = load_bundle(bundle)
    home = default_home()
    models = load_models(found, precision=arguments.precision, backend=backend, home=home)
    size = frame_transform(found).size
    bare = bare_factor(models, size, arguments.hop, min(arguments.seconds, 5.0))
    naive = naive_factor(models, size, arguments.hop, arguments.window)
    return {
        "bundle": row["bundle"],
        "backend": row["backend"],
        "real_time_factor": row["real_time_factor"],
        "bare_real_time_factor": round(bare, 4),
        "naive_real_time_factor": round(naive, 4),
        "engine_over_bare": round(row["real_time_factor"] / bare, 3),
        "naive_over_engine": round(naive / row["real_time_factor"], 1),
    }


def write_random_paper_bundle(folder: Path) -> Path:
    """Write a bundle of the paper's shapes with random weights; return its folder."""
    torch.manual_seed(0)
    parts = {
        "visual": make_visual_trunk("densenet201"),
        "vggish": VGGishTrunk(),
        "mafnet": MAFnet(MAFnetConfig(visual_dim=PAPER_DIM, n_labels=len(AVE_LABELS))),
    }
    for name, module in parts.items():
        state = {key: value.contiguous() for key, value in module.state_dict().items()}
        save_file(state, folder / f"{name}.safetensors")
    bundle = Bundle(
        name="densenet201",
        version="random",
        path=folder,
        labels=tuple(AVE_LABELS),
        background=None,
        activation="softmax",
        temperature=1.0,
        sample_rate=16_000,
        visual=VisualSpec(
            trunk="densenet201", dim=PAPER_DIM, weights=folder / "visual.safetensors"
        ),
        audio=AudioSpec(
            trunk="vggish", sound_map=SOUND_MAPS["vggish"], weights=folder / "vggish.safetensors"
        ),
        head=HeadSpec(weights=folder / "mafnet.safetensors"),
        events=EventSpec(on=0.5, off=0.3),
        licence="none",
        provenance="random numbers, for timing",
    )
    return write_bundle(bundle, folder / "bundle").path


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(title="End to end", title_justify="left")
    for heading in ("bundle", "backend", "source", "mode"):
        table.add_column(heading)
    for heading in ("stream s", "RTF", "cpu", "step p50/p95 ms", "latency p50/p95 ms", "lost"):
        table.add_column(heading, justify="right")
    for row in rows:
        lost = row["dropped_frames"] + row["skipped_clips"]
        table.add_row(
            row["bundle"],
            row["backend"],
            row["source"],
            row["mode"],
            f"{row['stream_s']:.1f}",
            f"{row['real_time_factor']:.3f}",
            f"{row['cpu_factor']:.3f}",
            f"{row['step_p50_ms']} / {row['step_p95_ms']}",
            _latency(row),
            f"{lost} ({row['audio_gap_samples']} samples)",
        )  # fmt: skip
    Console(width=120).print(table)


def _print_floors(floors: list[dict[str, Any]]) -> None:
    table = Table(title="Against the bare trunks and the naive program", title_justify="left")
    for heading in ("bundle", "backend"):
        table.add_column(heading)
    for heading in ("RTF", "bare RTF", "naive RTF", "engine / bare", "naive / engine"):
        table.add_column(heading, justify="right")
    for floor in floors:
        table.add_row(*(str(value) for value in floor.values()))
    Console(width=120).print(table)


def _latency(row: dict[str, Any]) -> str:
    if row["latency_p50_ms"] is None:
        return "-"
    return f"{row['latency_p50_ms']} / {row['latency_p95_ms']}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _counts(text: str) -> list[int]:
    counts = [int(part) for part in text.split(",")]
    if not counts or min(counts) < 1:
        raise argparse.ArgumentTypeError(f"wanted numbers of streams such as 1,2,4, got {text!r}")
    return counts


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="real-time factor, latency and losses, end to end")
    parser.add_argument("--source", action="append", default=[], metavar="FILE", help="also a file")
    parser.add_argument(
        "--bundle", action="append", metavar="NAME", help="starter, densenet201 or a folder"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of stream in each run")
    parser.add_argument("--hop", type=float, default=0.25)
    parser.add_argument("--window", type=int, default=10)
    parser.add_argument("--precision", default="auto")
    parser.add_argument(
        "--backend", action="append", metavar="NAME", help="torch, openvino or auto (default: all)"
    )
    parser.add_argument(
        "--streams", type=_counts, metavar="1,2,4", help="so many paced streams in one process"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    arguments.bundle = arguments.bundle or ["starter", "densenet201"]
    here = ["torch"] if installed_version() is None else ["torch", "openvino"]
    arguments.backend = arguments.backend or here
    return arguments


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RecognizerError as error:
        print(f"bench_end_to_end: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
