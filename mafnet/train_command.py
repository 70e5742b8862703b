"""``mafnet train``: features in, a run's folder and a bundle out.

What would stop the bundle afterwards, such as trunks that did not make the features, is looked for
before the first step.
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mafnet.balance import BALANCES
from mafnet.compute import Compute, add_device_flags, chosen_compute
from mafnet.errors import MafnetError
from mafnet.feature_flags import add_feature_flags, load_features
from mafnet.feature_set import FeatureSet
from mafnet.fewer import fewer
from mafnet.rates import read_rates
from mafnet.run_bundle import bundle_of_run
from mafnet.run_folder import EpochRow, RunState
from mafnet.start import PARTS, load_start
from mafnet.tensorboard_log import FOLDER as CURVES
from mafnet.tensorboard_log import TensorBoardLog
from mafnet.torchrun import among_processes
from mafnet.train import Watcher, train
from mafnet.train_config import TrainConfig
from mafnet.train_remarks import remarks_after, remarks_before
from mafnet.trunk_choice import TrunkChoice, choose_trunks, who_knows
from weights.errors import WeightsError
from weights.paths import to_path
from weights.printable import clean
from weights.program import called_as
from weights.trunk_file import add_trunk_flags, given_trunks


def add_train(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to a parser."""
    training = commands.add_parser(
        "train", help="features → a bundle", prog=called_as("mafnet train")
    )
    add_feature_flags(training)
    training.add_argument("--to", type=to_path, required=True, metavar="DIR", help="the bundle")
    add_recipe_flags(training)
    training.add_argument(
        "--start", metavar="BUNDLE", help="fine-tune this bundle's weights; labels may be others"
    )
    training.add_argument(
        "--freeze",
        nargs="+",
        choices=list(PARTS),
        default=[],
        metavar="PART",
        help=f"with --start, what stays as it is: {', '.join(PARTS)}",
    )
    training.add_argument(
        "--rate",
        nargs="+",
        default=[],
        metavar="PART=FACTOR",
        help="with --start, what a part's learning rate is multiplied with, such as sound=0.1",
    )
    training.add_argument("--resume", action="store_true", help="go on with the run in --to")
    training.add_argument(
        "--trunks", metavar="BUNDLE", help="whose trunks made the features (default: by name)"
    )
    files = training.add_argument_group("trunks' files (they win over the bundle's)")
    add_trunk_flags(files)
    training.add_argument(
        "--background",
        metavar="LABEL",
        help="the label that is no event (default: one that is called Background)",
    )
    training.add_argument(
        "--tensorboard",
        action="store_true",
        help=f"write curves to run/{CURVES} in --to (extra: tensorboard)",
    )
    training.add_argument(
        "--no-bundle", action="store_true", help="write the weights alone, for tests"
    )
    training.add_argument("--name", help="the bundle's name (default: its folder's)")
    training.add_argument("--licence", default="not stated", help="of the new weights")
    training.set_defaults(run=_train)


def add_recipe_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `train_config` reads."""
    parser.add_argument(
        "--recipe",
        choices=["authors", "modern"],
        default="authors",
        help="the paper's training, or one for small sets and for streams",
    )
    parser.add_argument("--epochs", type=int, help="at most (authors: 300, modern: 60)")
    parser.add_argument("--batch-size", type=int, default=32, help="windows a step")
    parser.add_argument(
        "--patience", type=int, help="epochs without a better one (authors: 50, modern: none)"
    )
    parser.add_argument("--lr", type=float, help="learning rate (default: the recipe's)")
    parser.add_argument(
        "--balance",
        choices=BALANCES,
        default="none",
        help="for rare labels (modern): weigh them in the loss, or show all equally often",
    )
    parser.add_argument("--seed", type=int, default=0, help="of start, order and draws")
    add_device_flags(parser, trains=True)
    parser.add_argument(
        "--per-label",
        type=int,
        metavar="N",
        help="train and validate on N videos of each label, drawn by --seed",
    )


def train_config(options: argparse.Namespace) -> TrainConfig:
    """Read a run's settings from the flags; raises ValueError for what cannot work."""
    if options.per_label is not None and options.per_label < 1:
        raise ValueError(f"--per-label must be at least 1, got {options.per_label}")
    modern = options.recipe == "modern"
    n_epochs = options.epochs if options.epochs is not None else (60 if modern else 300)
    return TrainConfig(
        recipe=options.recipe,
        n_epochs=n_epochs,
        batch_size=options.batch_size,
        patience=options.patience if options.patience is not None else (n_epochs if modern else 50),
        lr=options.lr,
        seed=options.seed,
        balance=options.balance,
        rates=tuple(sorted(read_rates(getattr(options, "rate", [])).items())),
    )


def _train(options: argparse.Namespace) -> int:
    try:
        config, compute = train_config(options), chosen_compute(options)
        if options.freeze and options.start is None:
            raise ValueError("--freeze needs --start: drawn weights must be learnt")
        if options.rate and options.start is None:
            raise ValueError("--rate needs --start: drawn weights are learnt at one rate")
        both = [part for part, _ in config.rates if part in options.freeze]
        if both:
            raise ValueError(f"--freeze leaves {both[0]} as it is, so --rate cannot name it")
    except ValueError as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 2
    with among_processes(compute, options.device, os.environ) as own:
        return _train_with(options, config, own)


def _train_with(options: argparse.Namespace, config: TrainConfig, compute: Compute) -> int:
    training = load_features(options, "train")
    validation = load_features(options, "val")
    if options.per_label is not None:  # who has so few to train on has no more to choose with
        training = fewer(training, options.per_label, config.seed)
        validation = fewer(validation, options.per_label, config.seed)
    background = training.background(options.background)
    is_first = compute.processes.is_first
    for remark in remarks_before(training, validation, background, config) if is_first else ():
        print(clean(f"warning: {remark}"), file=sys.stderr)
    start = None
    if options.start is not None:
        start = load_start(options.start, training, options.freeze)
        own = start.model.config
        config = replace(config, film=own.film, attention=own.attention)
        n_shared = len(start.shared(training.labels))
        told = f"{n_shared} of {len(training.labels)} labels are the bundle's and begin as there"
        if is_first:
            print(clean(f"starts from the bundle {start.bundle.name}: {told}"))
    with tempfile.TemporaryDirectory(prefix="trunks-") as folder:
        trunks = None
        if not options.no_bundle:
            files = given_trunks(options)
            source = options.trunks or options.start
            try:
                trunks = choose_trunks(training, source, files, Path(folder))
            except WeightsError as error:
                raise MafnetError(
                    f"{error}; --no-bundle trains without trunks, for tests alone"
                ) from error
        run = options.to / "run"
        with ExitStack() as stack:
            display = TrainDisplay(config.n_epochs)
            watcher: Watcher = stack.enter_context(display) if is_first else display
            if options.tensorboard and is_first:
                watcher = stack.enter_context(TensorBoardLog(run / CURVES, display))
            state = train(
                run,
                training,
                validation,
                config,
                watcher,
                resume=options.resume,
                start=start,
                compute=compute,
            )
        if not is_first:
            return 0
        saved = state.saved
        print(
            f"{state.epoch} epochs; the weights are epoch {saved.epoch + 1}'s, "
            f"validation accuracy {saved.val_accuracy:.2%}"
        )
        for remark in remarks_after(state):
            print(clean(f"warning: {remark}"), file=sys.stderr)
        if trunks is None:
            print(clean(f"the weights are in {run / 'best.safetensors'}"))
            return 0
        told = (
            f"recipe {config.recipe}, seed {config.seed}, {len(training)} training videos, "
            f"validation accuracy {state.saved.val_accuracy:.4f}"
        )
        if start is not None:
            more = tuple(each for each in start.bundle.unverified if each not in trunks.unverified)
            trunks = replace(trunks, unverified=trunks.unverified + more)
            told += f", fine-tuned from the bundle {start.bundle.name} ({start.bundle.provenance})"
        return _make_bundle(options, told, validation, trunks, background, compute)


def _make_bundle(
    options: argparse.Namespace,
    training: str,
    validation: FeatureSet,
    trunks: TrunkChoice,
    background: str | None,
    compute: Compute,
) -> int:
    run = options.to / "run"
    try:
        bundle = bundle_of_run(
            run,
            validation,
            trunks=trunks,
            name=options.name or options.to.resolve().name,
            licence=options.licence,
            provenance=f"MAFnet, {training}; trunks {trunks.origin}",
            to=options.to,
            background=background,
            compute=compute,
        )
    except WeightsError as error:
        raise MafnetError(
            f"trained, but no bundle was made ({error}); the weights are {run}/best.safetensors; "
            "then run the same command with --resume"
        ) from error
    for sentence in bundle.unverified:
        print(clean(f"warning: not verified: {sentence}"), file=sys.stderr)
    told = f"the bundle {bundle.name} is in {bundle.path}: mafnet-live --bundle {bundle.path}"
    print(clean(told))
    if note := who_knows(bundle.visual, bundle.audio):
        print(clean(f"note: {note}"), file=sys.stderr)
    return 0


class TrainDisplay:
    """A live bar of the epoch's steps and one printed line an epoch."""

    def __init__(self, n_epochs: int) -> None:
        self._what = ""
        columns = (TextColumn("epoch {task.fields[epoch]}"), BarColumn(), MofNCompleteColumn())
        self._bars = Progress(
            *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
        )
        self._n_epochs = n_epochs

    def __enter__(self) -> "TrainDisplay":
        self._bars.start()
        self._bar = self._bars.add_task("", total=None, epoch="")
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def of_variant(self, name: str, seed: int) -> "TrainDisplay":
        """Say from here on whose run it is."""
        self._what = f"{name}, seed {seed}, "
        return self

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Move the bar."""
        where = f"{self._what}{epoch + 1} of {self._n_epochs}"
        self._bars.update(self._bar, completed=step, total=n_steps, epoch=where)

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        """Print the epoch's line."""
        self._bars.console.print(
            f"{self._what}epoch {row.epoch + 1}: loss {row.train_loss:.4f}, "
            f"accuracy {row.train_accuracy:.2%}, "
            f"validation {row.val_loss:.4f}, {row.val_accuracy:.2%}"
            f"{' (saved)' if row.saved else ''}, {row.seconds:.1f} s",
            highlight=False,
            soft_wrap=True,  # one line an epoch, in a file too
        )
