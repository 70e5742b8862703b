"""``python -m weights list | fetch | verify | convert``: the store from the command line.

Exit codes: 0 done, 1 something failed (one sentence on stderr), 2 usage, 130 interrupted.
"""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from weights.catalogue import BY_NAME
from weights.convert import KINDS, ConvertReport
from weights.dependencies import restrain
from weights.errors import WeightsError
from weights.fetch import (
    ALL_NAMES,
    AVE_PARTS,
    check_stored,
    convert_packed,
    fetch,
    fetch_ave,
    state_of,
    stored,
)
from weights.paths import to_path
from weights.printable import PlainParser, clean
from weights.program import called_as
from weights.store import default_home


def main(arguments: list[str] | None = None) -> int:
    """Run one command; ``arguments`` default to the process's own."""
    options = make_parser().parse_args(arguments)
    home = to_path(options.home) if options.home else default_home()
    restrain(home)
    try:
        return int(options.run(options, home))
    except WeightsError as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 1
    except BrokenPipeError:  # who read the output has gone; so do we, without a traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was downloaded is kept and resumed next time", file=sys.stderr)
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = PlainParser(prog=called_as("weights"), description="Fetch, check and convert weights.")
    parser.add_argument("--home", metavar="DIR", help="the store (default: MAFNET_HOME or cache)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="what there is, where from, and what is here")
    listing.set_defaults(run=_list)

    fetching = commands.add_parser("fetch", help="bring weights or the bundle ave to the store")
    fetching.add_argument("name", metavar="NAME", help=", ".join([*BY_NAME, "ave"]))
    fetching.add_argument(
        "--from",
        dest="source",
        type=to_path,
        metavar="PATH",
        help="a local file, not the network",
    )
    fetching.add_argument(
        "--any-hash", action="store_true", help="accept a file that is not the published one"
    )
    fetching.set_defaults(run=_fetch)

    verifying = commands.add_parser("verify", help="hash everything that is here")
    verifying.add_argument("names", nargs="*", metavar="NAME", help="default: all that is here")
    verifying.set_defaults(run=_verify)

    converting = commands.add_parser("convert", help="a foreign weights file → safetensors")
    converting.add_argument(
        "path",
        type=to_path,
        help="a TensorFlow checkpoint's prefix, folder or archive, a SavedModel, a .h5, a .pth",
    )
    converting.add_argument("--as", dest="kind", choices=KINDS, required=True, help="what it is")
    converting.add_argument(
        "--to", type=to_path, required=True, metavar="FILE.safetensors", help="the file to write"
    )
    converting.add_argument(
        "--half", action="store_true", help="kernels in half precision, as a bundle carries them"
    )
    converting.set_defaults(run=_convert)
    return parser


def _list(options: argparse.Namespace, home: Path) -> int:
    table = Table()
    for title in ("name", "what", "state", "about", "hash", "licence", "source"):
        table.add_column(title, overflow="fold")
    for name in ALL_NAMES:
        entry = BY_NAME.get(name)
        state = state_of(name, home)
        if entry is None:
            what = "the bundle trained here" if name == "starter" else "the paper's bundle"
            needs = "" if name == "starter" else "densenet201 + vggish + mafnet"
            table.add_row(name, what, state, "", "", "see its bundle.json", needs)
            continue
        size, digest = f"{entry.size / 1e6:.0f} MB", str(entry.digest or "not published")
        table.add_row(name, entry.what, state, size, digest, entry.licence, entry.url)
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(clean(f"store: {home}"), highlight=False, markup=False, soft_wrap=True)
    return 0


def _fetch(options: argparse.Namespace, home: Path) -> int:
    if options.name == "ave" and options.source is not None:
        print(
            "error: the bundle ave is made of densenet201, vggish and mafnet: "
            "give --from to each of them, then fetch ave",
            file=sys.stderr,
        )
        return 2
    parts = AVE_PARTS if options.name == "ave" else (options.name,)
    for part in parts:
        entry = BY_NAME.get(part)
        if entry is not None and entry.digest is None and stored(part, home) is None:
            print(
                f"{part}: its publisher gives no hash, so nothing can tell whether what comes is "
                "what was published; only the file's form and its own checksums are checked"
            )
    with _Bar() as bar:
        if options.name == "ave":
            bundle = fetch_ave(home, progress=bar.told)
        else:
            record = fetch(
                options.name,
                home,
                progress=bar.told,
                source=options.source,
                any_hash=options.any_hash,
            )
    if options.name == "ave":
        verified = "not verified: " if bundle.unverified else "all files are the published ones"
        told = f"{len(bundle.labels)} labels; {verified}{'; '.join(bundle.unverified)}"
        print(clean(f"ave is in {bundle.path}: {told}"))
    else:
        checked = f"checked: {record.checked}; sha256 {record.sha256}"
        print(clean(f"{options.name} is in {home} ({checked})"))
    return 0


class _Bar:
    """A progress bar on stderr that appears with the first byte downloaded."""

    def __init__(self) -> None:
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
        self._started = False

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            self._bars.stop()

    def told(self, n_there: int, n_total: int | None) -> None:
        if not self._started:
            self._started = True
            self._bars.add_task("", total=None)
            self._bars.start()
        self._bars.update(self._bars.task_ids[0], completed=n_there, total=n_total)


def _verify(options: argparse.Namespace, home: Path) -> int:
    names = options.names or [name for name in ALL_NAMES if state_of(name, home) != "not fetched"]
    n_bad = 0
    for name in names:
        try:
            digest = check_stored(name, home)
        except WeightsError as error:
            n_bad += 1
            print(clean(f"{name}: {error}"), file=sys.stderr)
            continue
        record = stored(name, home)
        checked = f", source: {record.checked}" if record else ", every file of the bundle"
        print(f"{name}: whole (sha256 {digest[:16]}…{checked})")
    return 1 if n_bad else 0


def _convert(options: argparse.Namespace, home: Path) -> int:
    report = convert_packed(options.path, options.kind, options.to, half=options.half)
    _print_report(report)
    made = f"{len(report.matches)} tensors, {report.n_values} values, sha256 {report.sha256}"
    print(clean(f"{options.to}: {made}"))
    return 0


def _print_report(report: ConvertReport) -> None:
    for match in report.matches:
        source = clean(f"{match.source} {match.source_shape}")  # the file names its tensors
        print(f"{source} -> {match.target} {match.target_shape}")
    reasons = sorted(set(report.dropped.values()))
    for reason in reasons:
        names = [name for name, why in report.dropped.items() if why == reason]
        some = ", ".join(names[:3]) + "…" * (len(names) > 3)
        print(clean(f"left out, {reason}: {len(names)} ({some})"))


if __name__ == "__main__":
    sys.exit(main())
