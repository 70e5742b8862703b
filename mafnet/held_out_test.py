"""`mafnet test --bundle … --data …`: prepares features in another process, measures, prints.

The rooms mafnet and extractors do not know one another; what one needs of the other passes
through a folder of arrays. So the features are made by `python -m extractors test-features`, a
command that may as well be given by hand, with its own progress bar.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mafnet.composed_test import examine_bundle
from mafnet.errors import FeaturesError
from mafnet.load import load_head
from weights.bundle import Bundle, load_bundle
from weights.files import written_whole
from weights.printable import clean


def run(options: argparse.Namespace) -> int:
    """Test a bundle on a data folder; prints tables, writes JSON where it is asked to."""
    bundle = load_bundle(options.bundle)
    folder: Path = options.prepared or Path("runs") / f"test-{bundle.name}"
    _prepare(options, bundle, folder)
    with Progress(
        TextColumn("windows"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        bar = bars.add_task("", total=None)
        figures = examine_bundle(
            load_head(bundle),
            bundle.labels,
            folder,
            options.windows,
            lambda done, total: bars.update(bar, completed=done, total=total),
        )
    figures = {
        "bundle": f"{bundle.name} {bundle.version}",
        "trunks": json.loads((folder / "made_by.json").read_text(encoding="utf-8"))["computed"],
        "sha256": {"audio": bundle.audio.sha256, "head": bundle.head.sha256},
        **figures,
    }
    path = folder / "test.json" if options.json is None else options.json
    try:
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise FeaturesError(f"cannot write {path} ({error.strerror})") from error
    print_figures(figures)
    Console(highlight=False).print(clean(f"JSON: {path}"), markup=False, soft_wrap=True)
    return 0


def _prepare(options: argparse.Namespace, bundle: Bundle, folder: Path) -> None:
    command = [sys.executable, "-m", "extractors", "test-features"]
    command += ["--bundle", str(bundle.path), "--data", str(options.data), "--to", str(folder)]
    command += ["--cache", str(options.cache), "--share", str(options.share)]
    command += ["--no-probe"] if options.no_probe else []
    command += ["--backend", options.backend, "--precision", options.precision]
    done = subprocess.run(command, check=False)
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode != 0:
        raise FeaturesError(
            f"no features were prepared (exit code {done.returncode}, see above) by "
            + " ".join(command)
        )


def print_figures(figures: dict[str, Any]) -> None:
    """Print what `examine_bundle` measured."""
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    bundle = clean(f"bundle {figures['bundle']}, trunks on {figures['trunks']}")
    console.print(
        f"{bundle}; shares named right, with their 95 % intervals",
        markup=False,
        soft_wrap=True,
    )
    files, trunk = figures["files"], figures["trunk"]
    table = Table("whole sound files, sound only", "labels", "files", "right")
    for name, row in (
        ("the head, over all the table's labels", files["all"]),
        ("the head, over its own labels", files["the head's labels"]),
        ("the sound trunk alone, by a linear probe", trunk),
    ):
        if row is None:
            continue
        table.add_row(name, str(row["n_labels"]), str(row["n"]), _text(row))
    console.print(table)
    groups = list(next(iter(figures["windows"].values())))
    table = Table("composed windows", *groups)
    for name, row in figures["windows"].items():
        table.add_row(name, *(f"{_text(row[group])} of {row[group]['n']}" for group in groups))
    console.print(table)
    weakest = sorted(files["per_label"].items(), key=lambda item: item[1]["right"])[:10]
    told = ", ".join(f"{name} {row['right']:.0%} of {row['n']}" for name, row in weakest)
    console.print(clean(f"weakest labels of whole files: {told}"), markup=False, soft_wrap=True)


def _text(row: dict[str, Any]) -> str:
    if row["right"] is None:
        return "–"
    return f"{row['right']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
