"""`python -m extractors`: features of one video and of a data set.

Only parses, reports and sets the exit code: 0 done, 1 a file or folder is at fault, 2 usage, 130
interrupted. torch is loaded when a command runs, not to print the help.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from extractors.backend_flags import add_backend_flags
from extractors.errors import ExtractorError
from weights.dependencies import restrain
from weights.devices import DEVICE_HELP
from weights.paths import to_path
from weights.printable import PlainParser, clean
from weights.program import log_to_stderr
from weights.store import default_home
from weights.trunk_file import add_trunk_flags, given_trunks

if TYPE_CHECKING:
    from extractors.clip_features import ClipFeatures
    from extractors.datasets import DataSet
    from extractors.encoders import Encoders

_N_CLIPS = 10  # the paper's T


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments, or None for the process's own.

    Returns:
        The exit code.
    """
    restrain(default_home())
    argv = sys.argv[1:] if argv is None else list(argv)
    args = make_parser().parse_args(argv)
    log_to_stderr()
    try:
        return int(args.func(args))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except ExtractorError as error:
        print(clean(f"error: {error}"), file=sys.stderr)
        return 1


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = PlainParser(prog="python -m extractors", description=_summary())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_features(commands.add_parser("features", help="features of one video, as .npz"))
    _add_extract(commands.add_parser("extract", help="features of a data set, as a folder"))
    return parser


def _summary() -> str:
    return "Pictures and sound to the features that MAFnet reads."


def _add_weights(parser: argparse.ArgumentParser, backend: str) -> None:
    weights = parser.add_argument_group("weights (files win over the bundle's)")
    weights.add_argument("--bundle", help="starter, ave or a bundle's folder (default: starter)")
    add_trunk_flags(weights)
    weights.add_argument("--device", default="auto", help=f"{DEVICE_HELP} (default: auto)")
    add_backend_flags(weights, backend)
    parser.add_argument(
        "--jpeg",
        action=argparse.BooleanOptionalAction,
        help="pass frames through JPEG, as the authors did (default: with densenet201, for one "
        "video and for AVE's layout)",
    )


def _add_features(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=to_path, nargs="?", metavar="VIDEO", help="a video or sound")
    parser.add_argument("--frames", type=to_path, help=".npy or .npz: RGB uint8 (N, H, W, 3), 16/s")
    parser.add_argument(
        "--waveform", type=to_path, help="a sound file, or .npy or .npz: (n_samples,)"
    )
    parser.add_argument("--sample-rate", type=_positive, help="of the array (default: 16000)")
    parser.add_argument("--clips", type=_positive, help="T (default: all of the file)")
    parser.add_argument("--to", type=to_path, required=True, help="the .npz to write")
    for track, what in (("--audio-track", "sound"), ("--video-track", "picture")):
        parser.add_argument(
            track, type=_number, metavar="N", help=f"which of several {what} tracks, from 0"
        )
    _add_weights(parser, "torch")
    parser.set_defaults(func=_features, fail=parser.error)


def _add_extract(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--clips", type=_positive, help="T (default: 10)")
    parser.add_argument("--labels", nargs="+", metavar="LABEL", help="these alone (default: all)")
    parser.add_argument(
        "--per-label",
        type=_positive,
        metavar="N",
        help="at most N sounds, N stills and N videos of each label and split",
    )
    parser.add_argument(
        "--per-file", type=_positive, metavar="N", help="at most N windows of a long file"
    )
    parser.add_argument(
        "--group",
        type=_pattern,
        metavar="REGEX",
        help=r"what in a file's path names its recording, such as '(.*)_\d+': its files are never "
        "parted (--folders, --tables)",
    )
    parser.add_argument("--half", action="store_true", help="store float16")
    parser.add_argument("--workers", type=_positive, default=2, help="files at a time (default: 2)")
    parser.add_argument("--keep-one-sense", action="store_true", help="keep videos that lack one")
    parser.add_argument(
        "--pair", action="store_true", help="give each sound a picture of its label and split"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the pairing (default: 0)")
    parser.add_argument("--pickles", action="store_true", help="write the authors' pickles too")
    _add_weights(parser, "auto")
    parser.set_defaults(func=_extract, fail=parser.error)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression: {error}") from error


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 is wanted, got {text!r}")
    return int(text)


def _number(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"a whole number from 0 is wanted, got {text!r}")
    return int(text)


def _features(args: argparse.Namespace) -> int:
    if (args.video is None) == (args.frames is None and args.waveform is None):
        args.fail("give a VIDEO, or --frames and --waveform in its place")
    if args.to.suffix != ".npz":
        args.fail(f"--to must end in .npz, got {args.to}")
    from extractors.feature_file import write_features  # torch: only once the flags fit

    encoders = _load_encoders(args)
    features = _video_features(args, encoders) if args.video else _array_features(args, encoders)
    for note in features.notes:
        print(clean(f"note: {note}"), file=sys.stderr)
    arrays = write_features(args.to, features)
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    print(clean(f"{args.to}: {shapes}"))
    return 0


def _video_features(args: argparse.Namespace, encoders: Encoders) -> ClipFeatures:
    from extractors.clip_features import extract_media
    from extractors.decoding.tracks import Tracks

    return extract_media(
        args.video,
        encoders,
        args.clips,
        jpeg=_through_jpeg(args, encoders),
        tracks=Tracks(audio=args.audio_track, video=args.video_track),
    )


def _array_features(args: argparse.Namespace, encoders: Encoders) -> ClipFeatures:
    from extractors.array_input import load_frames, load_waveform
    from extractors.clip_features import ClipFeatures, encode_frames, encode_sound
    from extractors.resample import resample_blocks

    features, n_clips = ClipFeatures(), args.clips
    if args.frames is not None:
        if encoders.picture is None:
            raise ExtractorError("--frames needs a picture trunk: name its weights or a bundle")
        resized = map(encoders.picture.transform.resize, load_frames(args.frames))
        encode_frames(resized, encoders.picture, n_clips, features)
        n_clips = n_clips if features.visual is None else len(features.visual)
    if args.waveform is not None:
        if encoders.sound is None:
            raise ExtractorError("--waveform needs a sound trunk: name its weights or a bundle")
        blocks, rate = load_waveform(args.waveform, args.sample_rate)
        encode_sound(resample_blocks(blocks, rate), encoders.sound, n_clips, features)
    return features


def _extract(args: argparse.Namespace) -> int:
    from extractors.author_pickles import write_author_pickles
    from extractors.duplicates import same_files
    from extractors.extract import ExtractConfig, extract
    from extractors.progress import ExtractProgress
    from extractors.splits import label_remarks

    data = _read_data_set(args)
    encoders = _load_encoders(args)
    if encoders.picture is None or encoders.sound is None:
        args.fail("both trunks are needed: name a bundle, or a file for each")
    config = ExtractConfig(
        n_clips=args.clips or _N_CLIPS,
        half=args.half,
        jpeg=_through_jpeg(args, encoders, authors=args.ave is not None),
        keep_one_sense=args.keep_one_sense,
        pair=args.pair,
        seed=args.seed,
        per_file=args.per_file,
        n_workers=args.workers,
    )
    for remark in (*data.remarks, *label_remarks(data.items), *same_files(data.items)):
        print(clean(f"warning: {remark}"), file=sys.stderr)
    with ExtractProgress() as progress:
        summary = extract(data, encoders, args.to, config, progress.report)
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


def _through_jpeg(args: argparse.Namespace, encoders: Encoders, *, authors: bool = True) -> bool:
    if args.jpeg is not None:
        return bool(args.jpeg)
    # The authors' weights were trained on frames that had been JPEG files.
    return (
        authors and encoders.picture is not None and encoders.picture.source.trunk == "densenet201"
    )


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


def _load_encoders(args: argparse.Namespace) -> Encoders:
    from extractors.backends import choose_device
    from extractors.encoders import load_encoders
    from extractors.trunk_weights import WeightsMismatchError
    from weights.errors import WeightsError

    files = given_trunks(args)
    bundle = args.bundle or ("starter" if not files.given() else None)
    device = str(choose_device(args.device))
    try:
        return load_encoders(
            bundle=bundle,
            visual=files.visual,
            sound=files.sound,
            device=device,
            backend=args.backend,
            precision=args.precision,
        )
    except (WeightsError, WeightsMismatchError, ValueError) as error:
        raise ExtractorError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
