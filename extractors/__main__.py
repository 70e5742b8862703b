"""`python -m extractors`: features of one video and of a data set.

Only parses, reports and sets the exit code: 0 done, 1 a file or folder is at fault, 2 usage, 130
interrupted. torch is loaded when a command runs, not to print the help.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from extractors.errors import ExtractorError
from extractors.extract_command import add_extract
from extractors.trunk_flags import add_weight_flags, chosen_encoders, positive, through_jpeg
from weights.dependencies import restrain
from weights.paths import to_path
from weights.printable import PlainParser, clean
from weights.program import log_to_stderr
from weights.store import default_home

if TYPE_CHECKING:
    from extractors.clip_features import ClipFeatures
    from extractors.encoders import Encoders


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
    add_extract(commands.add_parser("extract", help="features of a data set, as a folder"))
    return parser


def _summary() -> str:
    return "Pictures and sound to the features that MAFnet reads."


def _add_features(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=to_path, nargs="?", metavar="VIDEO", help="a video or sound")
    parser.add_argument("--frames", type=to_path, help=".npy or .npz: RGB uint8 (N, H, W, 3), 16/s")
    parser.add_argument(
        "--waveform", type=to_path, help="a sound file, or .npy or .npz: (n_samples,)"
    )
    parser.add_argument("--sample-rate", type=positive, help="of the array (default: 16000)")
    parser.add_argument("--clips", type=positive, help="T (default: all of the file)")
    parser.add_argument("--to", type=to_path, required=True, help="the .npz to write")
    for track, what in (("--audio-track", "sound"), ("--video-track", "picture")):
        parser.add_argument(
            track, type=_number, metavar="N", help=f"which of several {what} tracks, from 0"
        )
    add_weight_flags(parser, "torch")
    parser.set_defaults(func=_features, fail=parser.error)


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

    encoders = chosen_encoders(args).load()
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
        jpeg=through_jpeg(args, encoders),
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


if __name__ == "__main__":
    sys.exit(main())
