"""``python -m mafnet train | test | predict``: the paper's side of the project.

Exit codes: 0 done, 1 something failed (one sentence on stderr), 2 usage, 130 interrupted.
"""

import argparse
import logging
import math
import os
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mafnet.errors import MafnetError
from mafnet.feature_set import SPLITS, load_feature_set
from mafnet.labels import AVE_LABELS
from mafnet.load import load_head, load_model
from mafnet.predict import predict_file
from mafnet.report import write_report
from mafnet.run_bundle import bundle_of_run
from mafnet.run_folder import EpochRow, RunState
from mafnet.test import SENSES, Examination, examine
from mafnet.train import TrainConfig, train
from weights.bundle import load_bundle
from weights.dependencies import restrain
from weights.errors import WeightsError
from weights.paths import to_path
from weights.printable import PlainFormatter, PlainParser, clean
from weights.program import called_as
from weights.store import default_home

_TRUNKS_BUNDLE = {"densenet201": "ave", "efficientnet_lite0": "starter"}
FOLDER = "a folder that `extractors extract` wrote, or the authors' pickles"
_SETTLED_STEPS = 3000  # 0.999^3000 = 5 % of the averages' start is left


def main(arguments: list[str] | None = None) -> int:
    """Run one command; ``arguments`` default to the process's own."""
    restrain(default_home())
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its font cache
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser().parse_args(given)
        return int(options.run(options))
    except (MafnetError, WeightsError) as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 1
    except BrokenPipeError:  # who read the output has gone; so do we, without a traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        more = "; train goes on after its last whole epoch with --resume"
        print(f"interrupted{more if given[:1] == ['train'] else ''}", file=sys.stderr)
        return 130


def train_main(arguments: list[str] | None = None) -> int:
    """Run `train` alone, as the console script `mafnet-train` does."""
    return main(["train", *(sys.argv[1:] if arguments is None else arguments)])


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(
        prog="python -m mafnet", description="Train, test and run MAFnet on features."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    training = commands.add_parser(
        "train", help="features → a bundle", prog=called_as("mafnet train")
    )
    training.add_argument("--features", type=to_path, required=True, metavar="DIR", help=FOLDER)
    training.add_argument("--to", type=to_path, required=True, metavar="DIR", help="the bundle")
    training.add_argument(
        "--recipe",
        choices=["authors", "modern"],
        default="authors",
        help="the paper's training, or one for small sets and for streams",
    )
    training.add_argument("--epochs", type=int, help="at most (authors: 300, modern: 60)")
    training.add_argument("--batch-size", type=int, default=32, help="windows a step")
    training.add_argument(
        "--patience", type=int, help="epochs without a better one (authors: 50, modern: none)"
    )
    training.add_argument("--lr", type=float, help="learning rate (default: the recipe's)")
    training.add_argument("--seed", type=int, default=0, help="of start, order and draws")
    training.add_argument("--resume", action="store_true", help="go on with the run in --to")
    training.add_argument(
        "--trunks", metavar="BUNDLE", help="whose trunks made the features (default: by name)"
    )
    training.add_argument("--name", help="the bundle's name (default: its folder's)")
    training.add_argument("--licence", default="not stated", help="of the new weights")
    training.set_defaults(run=_train)

    testing = commands.add_parser("test", help="accuracy, confusions, calibration")
    testing.add_argument("--features", type=to_path, required=True, metavar="DIR", help=FOLDER)
    _add_weights(testing)
    testing.add_argument("--split", choices=SPLITS, default="test", help="which part")
    testing.add_argument("--report", type=to_path, metavar="DIR", help="figures and one HTML page")
    testing.set_defaults(run=_test)

    predicting = commands.add_parser("predict", help="features in an .npz → logits and the rest")
    _add_weights(predicting)
    predicting.add_argument(
        "--features",
        type=to_path,
        required=True,
        metavar="IN.npz",
        help="as `extractors features` writes it",
    )
    predicting.add_argument(
        "--to", type=to_path, required=True, metavar="OUT.npz", help="the arrays to write"
    )
    predicting.set_defaults(run=_predict)
    return parser


def _add_weights(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--bundle", help="starter, ave or a bundle's folder")
    which.add_argument(
        "--weights", type=to_path, metavar="FILE", help="a converted safetensors file"
    )


def _train(options: argparse.Namespace) -> int:
    modern = options.recipe == "modern"
    n_epochs = options.epochs if options.epochs is not None else (60 if modern else 300)
    patience = options.patience if options.patience is not None else (n_epochs if modern else 50)
    try:
        config = TrainConfig(
            recipe=options.recipe,
            n_epochs=n_epochs,
            batch_size=options.batch_size,
            patience=patience,
            lr=options.lr,
            seed=options.seed,
        )
    except ValueError as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 2
    training = load_feature_set(options.features, "train")
    validation = load_feature_set(options.features, "val")
    n_steps = n_epochs * (len(training) // config.batch_size)
    if config.recipe == "authors" and n_steps < _SETTLED_STEPS:
        print(
            f"note: the paper's moving averages need thousands of steps to settle, this run has "
            f"{n_steps}; --recipe modern is made for short runs",
            file=sys.stderr,
        )
    run = options.to / "run"
    with _Display(n_epochs) as display:
        state = train(run, training, validation, config, display, resume=options.resume)
    saved = state.saved
    print(
        f"{state.epoch} epochs; the weights are epoch {saved.epoch + 1}'s, "
        f"validation accuracy {saved.val_accuracy:.2%}"
    )
    if state.bar is not None and state.bar > saved.val_accuracy:
        print(
            f"note: an epoch before had {state.bar:.2%}; the authors' recipe never keeps the first",
            file=sys.stderr,
        )
    trunks = options.trunks or _TRUNKS_BUNDLE.get(training.visual_trunk)
    if trunks is None:
        raise MafnetError(
            f"no bundle has the trunk {training.visual_trunk!r}: the weights are in {run}; "
            "name one with --trunks and --resume"
        )
    try:
        bundle = bundle_of_run(
            run,
            validation,
            trunks=trunks,
            name=options.name or options.to.resolve().name,
            licence=options.licence,
            provenance=(
                f"MAFnet, recipe {config.recipe}, seed {config.seed}, {len(training)} training "
                f"videos, validation accuracy {saved.val_accuracy:.4f}; "
                f"trunks of the bundle {trunks}"
            ),
            to=options.to,
        )
    except WeightsError as error:
        raise MafnetError(
            f"trained, but no bundle was made ({error}); the weights are {run}/best.safetensors; "
            "then run the same command with --resume"
        ) from error
    told = f"the bundle {bundle.name} is in {bundle.path}: mafnet-live --bundle {bundle.path}"
    print(clean(told))
    return 0


class _Display:
    """A live bar of the epoch's steps and one printed line an epoch."""

    def __init__(self, n_epochs: int) -> None:
        columns = (TextColumn("epoch {task.fields[epoch]}"), BarColumn(), MofNCompleteColumn())
        self._bars = Progress(
            *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
        )
        self._n_epochs = n_epochs

    def __enter__(self) -> "_Display":
        self._bars.start()
        self._bar = self._bars.add_task("", total=None, epoch="")
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        self._bars.update(
            self._bar, completed=step, total=n_steps, epoch=f"{epoch + 1} of {self._n_epochs}"
        )

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        self._bars.console.print(
            f"epoch {row.epoch + 1}: loss {row.train_loss:.4f}, accuracy {row.train_accuracy:.2%}, "
            f"validation {row.val_loss:.4f}, {row.val_accuracy:.2%}"
            f"{' (saved)' if row.saved else ''}, {row.seconds:.1f} s",
            highlight=False,
            soft_wrap=True,  # one line an epoch, in a file too
        )


def _test(options: argparse.Namespace) -> int:
    features = load_feature_set(options.features, options.split)
    if options.bundle is not None:
        bundle = load_bundle(options.bundle)
        model, labels, title = load_head(bundle), bundle.labels, f"Bundle {bundle.name}"
    else:
        model, title = load_model(options.weights), options.weights.name
        # A bare file says nothing about labels: AVE's, or whatever the features have.
        n_labels = model.config.n_labels
        labels = AVE_LABELS if n_labels == len(AVE_LABELS) else features.labels
        labels = features.labels if set(labels) != set(features.labels) else labels
        if n_labels != len(labels):
            raise MafnetError(f"the weights have {n_labels} labels, the features {len(labels)}")
    result = examine(model, labels, features)
    if options.report is not None:
        heading = f"{title} on {options.split} of {options.features.name}"
        print(clean(f"report: {write_report(options.report, result, features, heading)}"))
    _print_result(result)
    return 0


def _print_result(result: Examination) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    for senses in SENSES:
        metrics = result.metrics[senses]
        low, high = metrics.interval
        name = senses if senses == "both" else f"{senses} only"
        console.print(
            f"{name}: accuracy {metrics.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}), "
            f"loss {metrics.loss:.4f}, ECE {metrics.ece:.4f}, {metrics.n} videos"
        )
    both = result.metrics["both"]
    counts, recall, precision = both.confusion.sum(axis=1), both.recall(), both.precision()
    table = Table("label", "videos", "recall", "precision", "most often taken for")
    for k, label in enumerate(result.labels):
        row = both.confusion[k].copy()
        row[k] = 0
        confused = f"{clean(result.labels[row.argmax()])} ({row.max()})" if row.any() else ""
        figures = (str(counts[k]), _percent(recall[k]), _percent(precision[k]))
        table.add_row(Text(clean(label)), *figures, Text(confused))
    console.print(table)
    console.print("confusion matrix (rows: what was there; columns: what was said)")
    width = max(2, len(str(both.confusion.max())))
    for label, row in zip(result.labels, both.confusion, strict=True):
        cells = " ".join(f"{count:>{width}}" if count else f"{'.':>{width}}" for count in row)
        console.print(f"{cells}  {clean(label)}", markup=False, soft_wrap=True)


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.0%}"


def _predict(options: argparse.Namespace) -> int:
    if options.bundle is not None:
        model = load_head(load_bundle(options.bundle))
    else:
        model = load_model(options.weights)
    written = predict_file(model, options.features, options.to)
    shapes = ", ".join(f"{name} {array.shape}" for name, array in written.items())
    print(clean(f"{options.to}: {shapes}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
