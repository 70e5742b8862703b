"""``python -m mafnet train | test | compare | ablate | predict``: the paper's side of the project.

Exit codes: 0 done, 1 something failed (one sentence on stderr), 2 usage, 130 interrupted.
"""

import argparse
import json
import logging
import math
import os
import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mafnet.ablate_command import add_ablate
from mafnet.balance import unrecognised
from mafnet.compare import N_DRAWS, compare, read_seeds, untested_seeds
from mafnet.compute import add_device_flags, chosen_compute
from mafnet.errors import MafnetError
from mafnet.feature_flags import add_feature_flags, load_features, told_folders
from mafnet.feature_set import SPLITS
from mafnet.labels import AVE_LABELS
from mafnet.load import load_head, load_model
from mafnet.predict import predict_file
from mafnet.report import write_report
from mafnet.results import write_results
from mafnet.test import SENSES, Examination, examine
from mafnet.train_command import add_train
from mafnet.train_remarks import told_unrecognised
from teaching.command import add_teach
from weights.bundle import load_bundle
from weights.dependencies import restrain
from weights.devices import DEVICE_HELP, DeviceError, find_device
from weights.errors import WeightsError
from weights.paths import to_path
from weights.printable import PlainParser, clean
from weights.program import log_to_stderr
from weights.store import default_home


def main(arguments: list[str] | None = None) -> int:
    """Run one command; ``arguments`` default to the process's own."""
    restrain(default_home())
    log_to_stderr()
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its font cache
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = make_parser().parse_args(given)
        if given[:1] != ["train"] and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise MafnetError(f"{given[0]} runs in one process: torchrun is for train alone")
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


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = PlainParser(
        prog="python -m mafnet", description="Train, test and run MAFnet on features."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add_train(commands)
    add_teach(commands)
    testing = commands.add_parser("test", help="accuracy, confusions, calibration")
    add_feature_flags(testing)
    _add_weights(testing)
    testing.add_argument("--split", choices=SPLITS, default="test", help="which part")
    testing.add_argument("--report", type=to_path, metavar="DIR", help="figures and one HTML page")
    testing.add_argument(
        "--results",
        type=to_path,
        metavar="DIR",
        help="results.json, confusion.csv and predictions.csv, for programs and `compare`",
    )
    add_device_flags(testing, trains=False)
    testing.set_defaults(run=_test)

    comparing = commands.add_parser("compare", help="two tests of the same videos: is one better?")
    for place in ("first", "second"):
        comparing.add_argument(
            place,
            type=to_path,
            metavar="RESULTS",
            help="what `test --results` wrote, or a folder with one such folder for each seed",
        )
    comparing.add_argument("--senses", choices=SENSES, default="both", help="which were there")
    comparing.add_argument("--json", action="store_true", help="print one JSON object")
    comparing.set_defaults(run=_compare)

    add_ablate(commands)
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
    predicting.add_argument("--device", default="cpu", help=f"{DEVICE_HELP} (default: cpu)")
    predicting.set_defaults(run=_predict)
    return parser


def _add_weights(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--bundle", help="starter, ave or a bundle's folder")
    which.add_argument(
        "--weights", type=to_path, metavar="FILE", help="a converted safetensors file"
    )


def _test(options: argparse.Namespace) -> int:
    try:
        compute = chosen_compute(options)
    except ValueError as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 2
    features = load_features(options, options.split)
    unverified: tuple[str, ...] = ()
    if options.bundle is not None:
        bundle = load_bundle(options.bundle)
        model, labels, title = load_head(bundle), bundle.labels, f"Bundle {bundle.name}"
        unverified = bundle.unverified
    else:
        model, title = load_model(options.weights), options.weights.name
        # A bare file says nothing about labels: AVE's, or whatever the features have.
        n_labels = model.config.n_labels
        labels = AVE_LABELS if n_labels == len(AVE_LABELS) else features.labels
        labels = features.labels if set(labels) != set(features.labels) else labels
        if n_labels != len(labels):
            raise MafnetError(f"the weights have {n_labels} labels, the features {len(labels)}")
    result = examine(model.to(compute.device), labels, features, compute)
    if options.report is not None:
        names = " + ".join(folder.name for folder in options.features)
        heading = f"{title} on {options.split} of {names}"
        report = write_report(options.report, result, features, heading, unverified)
        print(clean(f"report: {report}"))
    if options.results is not None:
        write_results(
            options.results,
            result,
            features,
            f"{title} on {options.split} of {told_folders(options.features)}",
        )
        print(clean(f"results: {options.results}"))
    for sentence in unverified:
        print(clean(f"warning: not verified: {sentence}"), file=sys.stderr)
    _print_result(result)
    confusion = result.metrics["both"].confusion
    lost = unrecognised(result.labels, confusion.diagonal(), confusion.sum(axis=1))
    if lost:
        print(clean(f"warning: {told_unrecognised(lost, options.split)}"), file=sys.stderr)
    return 0


def _print_result(result: Examination) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    for senses in SENSES:
        metrics = result.metrics[senses]
        low, high = metrics.interval
        name = senses if senses == "both" else f"{senses} only"
        console.print(
            f"{name}: accuracy {metrics.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}), "
            f"macro F1 {metrics.macro_f1():.4f}, mAP {metrics.mean_average_precision():.4f}, "
            f"loss {metrics.loss:.4f}, ECE {metrics.ece:.4f}, {metrics.n} videos"
        )
    both = result.metrics["both"]
    counts, recall, precision = both.n_of_labels, both.recall(), both.precision()
    average = both.average_precision
    table = Table("label", "videos", "recall", "precision", "AP", "most often taken for")
    for k, label in enumerate(result.labels):
        row = both.confusion[k].copy()
        row[k] = 0
        confused = f"{clean(result.labels[row.argmax()])} ({row.max()})" if row.any() else ""
        figures = (
            str(counts[k]),
            _percent(recall[k]),
            _percent(precision[k]),
            _percent(average[k]),
        )
        table.add_row(Text(clean(label)), *figures, Text(confused))
    console.print(table)
    console.print("confusion matrix (rows: what was there; columns: what was said)")
    width = max(2, len(str(both.confusion.max())))
    for label, row in zip(result.labels, both.confusion, strict=True):
        cells = " ".join(f"{count:>{width}}" if count else f"{'.':>{width}}" for count in row)
        console.print(f"{cells}  {clean(label)}", markup=False, soft_wrap=True)


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.0%}"


def _compare(options: argparse.Namespace) -> int:
    folders = (options.first, options.second)
    first, second = (read_seeds(folder, options.senses) for folder in folders)
    for each in dict.fromkeys(each for folder in folders for each in untested_seeds(folder)):
        print(
            clean(f"warning: {each} was trained and not tested, so it is left out"), file=sys.stderr
        )
    found = compare(first, second)
    if options.json:
        print(json.dumps(asdict(found)))
        return 0
    for folder, said, accuracy in zip(folders, (first, second), found.accuracies, strict=True):
        seeds = f"{len(said)} seed{'s' if len(said) > 1 else ''}"
        print(clean(f"{folder}: accuracy {accuracy:.2%} of {found.n} videos ({seeds})"))
    low, high = found.interval
    print(
        f"difference {100 * found.difference:+.2f} points (95 % interval {100 * low:+.2f} to "
        f"{100 * high:+.2f}, paired bootstrap of {N_DRAWS} draws)"
    )
    if max(len(first), len(second)) > 1:
        print(
            "McNemar pairs equal seeds"
            if found.by_seed
            else "McNemar pairs the folders in their order: no equal seeds are recorded"
        )
    rows = zip(found.pairs, found.only_first, found.only_second, found.p_values, strict=True)
    for pair, lost, won, p in rows:
        names = " and ".join(dict.fromkeys(pair))
        print(
            clean(
                f"McNemar, {names}: only the first right {lost}, only the second {won}, p {p:.3g}"
            )
        )
    return 0


def _predict(options: argparse.Namespace) -> int:
    try:
        device = find_device(options.device)
    except DeviceError as error:
        raise MafnetError(str(error)) from error
    if options.bundle is not None:
        model = load_head(load_bundle(options.bundle))
    else:
        model = load_model(options.weights)
    written = predict_file(model.to(device), options.features, options.to, device)
    shapes = ", ".join(f"{name} {array.shape}" for name, array in written.items())
    print(clean(f"{options.to}: {shapes}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
