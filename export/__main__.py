"""`mafnet-export`: a bundle as ONNX graphs and torch.export programs, checked against torch.

Exit codes: 0 done, 1 something failed or a graph computes something else, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from export.errors import ExportError
from weights.dependencies import restrain
from weights.errors import WeightsError
from weights.paths import to_path
from weights.printable import PlainParser, clean
from weights.program import called_as, log_to_stderr
from weights.store import default_home


def make_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = PlainParser(
        prog=called_as("export"),
        description="A bundle as ONNX graphs and torch.export programs, checked against torch.",
    )
    parser.add_argument("bundle", help="starter, ave or a bundle's folder")
    parser.add_argument("--to", type=to_path, required=True, metavar="DIR", help="the folder")
    parser.add_argument(
        "--check-with",
        type=to_path,
        nargs="+",
        default=[],
        metavar="VIDEO",
        help="compare on these too, beside noise",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; ``arguments`` default to the process's own."""
    restrain(default_home())
    options = make_parser().parse_args(arguments)
    log_to_stderr()
    try:
        return _export(options)
    except (ExportError, WeightsError) as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _export(options: argparse.Namespace) -> int:
    from export.graphs import import_onnx

    import_onnx()  # before seconds of work
    for path in options.check_with:
        if not path.exists():
            raise ExportError(f"there is no file {path}")
    from export.bundle_graphs import MANIFEST, write_graphs
    from export.modules import load_networks
    from export.parity import TOLERANCE, compare, noise, of_file
    from extractors.errors import ExtractorError
    from extractors.trunk_weights import WeightsMismatchError
    from weights.bundle import load_bundle

    bundle = load_bundle(options.bundle)
    try:
        networks = load_networks(bundle)
        inputs = [noise(networks.picture.trunk.transform.size)]
        inputs += [of_file(path, networks) for path in options.check_with]
    except (ValueError, WeightsMismatchError, ExtractorError) as error:
        raise ExportError(str(error)) from error
    write_graphs(networks, bundle, options.to, lambda told: print(told, file=sys.stderr))
    n_outside = 0
    for each in inputs:
        for found in compare(networks, each, options.to):
            n_outside += not found.is_within
            print(
                clean(
                    f"{found.file:<12} {found.output:<13} {found.inputs}: {found.distance:.1e} "
                    f"of {TOLERANCE:.0e}{'' if found.is_within else ' TOO FAR'}"
                )
            )
    if n_outside:
        (options.to / MANIFEST).unlink(missing_ok=True)
        raise ExportError(
            f"{n_outside} outputs lie too far from torch's: the graphs in {options.to} are not to "
            f"be used, and {MANIFEST} was taken away"
        )
    print(clean(f"{options.to}: picture, sound and head as .onnx and .pt2, and {MANIFEST}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
