"""`python -m extractors test-features` and `leave-out`: held-out features, and folds by source."""

import argparse
import sys
from pathlib import Path

from extractors.backend_flags import add_backend_flags
from extractors.errors import ExtractorError
from extractors.held_out_features import prepare
from extractors.progress import ExtractProgress
from extractors.source_probe import examine_sources, lines_of
from extractors.trunk_weights import WeightsMismatchError
from weights.bundle import Bundle, load_bundle
from weights.errors import WeightsError
from weights.paths import to_path


def add_test_features(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `test-features`; `func` is set."""
    _add_common(parser)
    parser.add_argument("--share", type=float, default=1.0, help="share of the clips to draw")
    parser.add_argument("--no-probe", action="store_true", help="the sound trunk is not probed")
    add_backend_flags(parser, "torch")
    parser.set_defaults(func=_test_features)


def add_leave_out(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `leave-out`; `func` is set."""
    _add_common(parser)
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="these at once (default: one source of each label after another)",
    )
    parser.set_defaults(func=_leave_out)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", default="starter", help="starter or a bundle's folder")
    parser.add_argument("--data", type=to_path, required=True, help="folder of the tables")
    parser.add_argument("--to", type=to_path, required=True, help="folder for the features")
    parser.add_argument("--cache", type=to_path, default=Path("runs"), help="decoded samples")


def _test_features(args: argparse.Namespace) -> int:
    try:
        with ExtractProgress() as progress:
            prepare(
                _bundle(args),
                args.data,
                args.cache,
                args.to,
                progress.report,
                share=args.share,
                probe=not args.no_probe,
                backend=args.backend,
                precision=args.precision,
            )
    except WeightsMismatchError as error:
        raise ExtractorError(str(error)) from error
    return 0


def _leave_out(args: argparse.Namespace) -> int:
    try:
        with ExtractProgress() as progress:
            tables = examine_sources(
                _bundle(args), args.data, args.cache, args.to, args.leave_out, progress.report
            )
    except (WeightsMismatchError, OSError) as error:
        raise ExtractorError(str(error)) from error
    sys.stdout.write("\n".join(lines_of(tables)) + "\n")
    return 0


def _bundle(args: argparse.Namespace) -> Bundle:
    try:
        return load_bundle(args.bundle)
    except WeightsError as error:
        raise ExtractorError(str(error)) from error
