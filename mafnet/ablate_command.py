"""``mafnet ablate``: trains without each part in turn, and prints what each is worth."""

import argparse
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from mafnet.ablate import VARIANTS, AblationRow, ablate
from mafnet.compute import chosen_compute
from mafnet.feature_flags import add_feature_flags, load_features
from mafnet.feature_set import SPLITS
from mafnet.train_command import TrainDisplay, add_recipe_flags, train_config
from weights.paths import to_path
from weights.printable import clean


def add_ablate(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to a parser."""
    parser = commands.add_parser("ablate", help="what each part of the network is worth")
    add_feature_flags(parser)
    parser.add_argument(
        "--to", type=to_path, required=True, metavar="DIR", help="runs, results, ablation.csv"
    )
    parser.add_argument(
        "--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="which"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="from --seed on")
    add_recipe_flags(parser)
    parser.set_defaults(run=_ablate)


def _ablate(options: argparse.Namespace) -> int:
    try:
        config, compute = train_config(options), chosen_compute(options)
        if options.seeds < 1:
            raise ValueError(f"--seeds must be at least 1, got {options.seeds}")
    except ValueError as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 2
    sets = {split: load_features(options, split) for split in SPLITS}
    with TrainDisplay(config.n_epochs) as display:
        rows = ablate(
            options.to,
            sets,
            options.variants,
            config,
            options.seeds,
            display.of_variant,
            compute,
            options.per_label,
        )
    _print(rows, len(sets["test"]))
    print(clean(f"runs, results and ablation.csv: {options.to}"))
    return 0


def _print(rows: list[AblationRow], n_videos: int) -> None:
    table = Table(
        "variant", "seeds", "accuracy", "95 % interval", "beside the whole", "95 % interval"
    )
    for row in rows:
        low, high = row.interval
        beside = row.beside_whole
        cells = [row.variant, str(row.n_seeds), f"{row.accuracy:.2%}", f"{low:.2%} to {high:.2%}"]
        if beside is not None:
            low, high = (100 * end for end in beside.interval)
            cells += [f"{100 * beside.difference:+.2f} points", f"{low:+.2f} to {high:+.2f}"]
        table.add_row(*cells)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table)
    console.print(f"{n_videos} test videos; bootstrap over videos and seeds", highlight=False)
