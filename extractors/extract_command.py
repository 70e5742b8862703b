"""`python -m extractors extract`: a data set's features, on this machine or on a Ray cluster."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from extractors.trunk_flags import add_weight_flags, chosen_encoders, positive, through_jpeg
from weights.paths import to_path
from weights.printable import clean

if TYPE_CHECKING:
    from extractors.datasets import DataSet

_N_CLIPS = 10  # the paper's T


def add_extract(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags to its parser."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--ave", type=to_path, metavar="DIR", help="AVE's layout")
    source.add_argument("--folders", type=to_path, metavar="DIR", help="a folder per label")
    source.add_argument(
        "--tables",
        type=to_path,
        nargs="+",
        metavar="CSV",
        help="tables with file, label (, split, …)",
    )
    source.add_argument("--vggsound", type=to_path, metavar="CSV", help="VGGSound's table")
    source.add_argument(
        "--audioset", type=to_path, nargs="+", metavar="CSV", help="AudioSet's tables of segments"
    )
    source.add_argument("--llp", type=to_path, metavar="DIR", help="the folder of LLP's tables")
    parser.add_argument(
        "--videos",
        type=to_path,
        metavar="DIR",
        help="the cuts, ID_START.mp4 (--vggsound, --audioset, --llp)",
    )
    parser.add_argument(
        "--names",
        type=to_path,
        metavar="CSV",
        help="class_labels_indices.csv (--audioset)",
    )
    parser.add_argument("--to", type=to_path, required=True, help="the folder to write")
    parser.add_argument("--clips", type=positive, help="T (default: 10)")
    parser.add_argument("--labels", nargs="+", metavar="LABEL", help="these alone (default: all)")
    parser.add_argument(
        "--per-label",
        type=positive,
        metavar="N",
        help="at most N sounds, N stills and N videos of each label and split",
    )
    parser.add_argument(
        "--per-file", type=positive, metavar="N", help="at most N windows of a long file"
    )
    parser.add_argument(
        "--group",
        type=_pattern,
        metavar="REGEX",
        help=r"what in a file's path names its recording, such as '(.*)_\d+': its files are never "
        "parted (--folders, --tables)",
    )
    parser.add_argument("--half", action="store_true", help="store float16")
    parser.add_argument("--workers", type=positive, default=2, help="files at a time (default: 2)")
    cluster = parser.add_argument_group("a Ray cluster (extra: ray)")
    cluster.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="let a cluster work: its head's HOST:PORT, auto for the one this machine is part of, "
        "or local; then --workers are an actor's files at a time, each with a core",
    )
    cluster.add_argument(
        "--actors",
        type=positive,
        metavar="N",
        help="at most (default: one a GPU, or as many as there are cores for)",
    )
    parser.add_argument("--keep-one-sense", action="store_true", help="keep videos that lack one")
    parser.add_argument(
        "--pair", action="store_true", help="give each sound a picture of its label and split"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the pairing (default: 0)")
    parser.add_argument("--pickles", action="store_true", help="write the authors' pickles too")
    add_weight_flags(parser, "auto")
    parser.set_defaults(func=_extract, fail=parser.error)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression: {error}") from error


def _extract(args: argparse.Namespace) -> int:
    from extractors.author_pickles import write_author_pickles
    from extractors.duplicates import same_files
    from extractors.extract import ExtractConfig, extract
    from extractors.progress import ExtractProgress
    from extractors.splits import label_remarks

    if args.actors is not None and args.ray is None:
        args.fail("--actors is for --ray ADDRESS")
    data = _read_data_set(args)
    choice = chosen_encoders(args)
    # Of a cluster's trunks only what they are is asked here; its machines compute.
    encoders = (choice if args.ray is None else choice.to_ask()).load()
    if encoders.picture is None or encoders.sound is None:
        args.fail("both trunks are needed: name a bundle, or a file for each")
    config = ExtractConfig(
        n_clips=args.clips or _N_CLIPS,
        half=args.half,
        jpeg=through_jpeg(args, encoders, authors=args.ave is not None),
        keep_one_sense=args.keep_one_sense,
        pair=args.pair,
        seed=args.seed,
        per_file=args.per_file,
        n_workers=args.workers,
    )
    for remark in (*data.remarks, *label_remarks(data.items), *same_files(data.items)):
        print(clean(f"warning: {remark}"), file=sys.stderr)
    with ExitStack() as stack:
        runner = None
        if args.ray is not None:
            from extractors.on_ray import RayRunner

            runner = stack.enter_context(RayRunner(args.ray, choice, args.workers, args.actors))
        progress = stack.enter_context(ExtractProgress())
        summary = extract(data, encoders, args.to, config, progress.report, runner)
        if runner is not None and runner.workers:
            told = f"{progress.n_new} files by {len(runner.workers)} actors"
            print(f"{told}, {progress.rate():.2f} a second")
    print(clean(f"{args.to}: windows of {data.n_clips or config.n_clips} clips"))
    if summary.changes is not None:
        changes = summary.changes
        told = f"{changes.n_added} added, {changes.n_changed} changed, {changes.n_removed} removed"
        print(f"files: {told}, {len(changes.kept)} as before")
    for label, counts in {**summary.n_of_labels, "all labels": summary.n_windows}.items():
        of_splits = ", ".join(f"{split} {n}" for split, n in counts.items())
        print(clean(f"  {label}: {of_splits}"))
    for remark in summary.remarks:
        print(clean(f"warning: {remark}"), file=sys.stderr)
    if summary.left_out:
        print(f"left out: {len(summary.left_out)} files (features.json says why)")
    if args.pickles:
        for path in write_author_pickles(args.to, args.to / "pickles"):
            print(clean(str(path)))
    return 0


def _read_data_set(args: argparse.Namespace) -> DataSet:
    from extractors.datasets import read_ave, read_folders, read_tables
    from extractors.subset import subset

    if args.ave is not None:
        data = read_ave(args.ave)
        data = replace(data, n_clips=args.clips or data.n_clips)
    elif args.vggsound is not None or args.audioset is not None or args.llp is not None:
        data = _read_web_set(args)
    else:
        data = (
            read_folders(args.folders, args.group)
            if args.folders is not None
            else read_tables(args.tables, args.group)
        )
    return subset(data, args.labels or (), args.per_label)


def _read_web_set(args: argparse.Namespace) -> DataSet:
    from extractors.web_sets import read_audioset, read_llp, read_vggsound

    if args.videos is None:
        args.fail("--videos is wanted: the folder of the cuts, ID_START.mp4")
    if args.pair:
        args.fail("--pair is for --folders and --tables: these have videos with sound")
    if args.vggsound is not None:
        data = read_vggsound(args.vggsound, args.videos)
    elif args.llp is not None:
        data = read_llp(args.llp, args.videos)
    else:
        if args.names is None:
            args.fail("--audioset wants --names class_labels_indices.csv")
        data = read_audioset(args.audioset, args.videos, args.names)
    return replace(data, n_clips=args.clips or data.n_clips)
