"""The flags of both commands that name weights and what computes, and the trunks that they mean."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from extractors.backend_flags import add_backend_flags
from extractors.encoder_choice import EncoderChoice
from weights.devices import DEVICE_HELP
from weights.trunk_file import add_trunk_flags, given_trunks

if TYPE_CHECKING:
    from extractors.encoders import Encoders


def add_weight_flags(parser: argparse.ArgumentParser, backend: str) -> None:
    """Add the flags that `chosen_encoders` and `through_jpeg` read; `backend` is the default."""
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


def positive(text: str) -> int:
    """Read a whole number from 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 is wanted, got {text!r}")
    return int(text)


def through_jpeg(args: argparse.Namespace, encoders: Encoders, *, authors: bool = True) -> bool:
    """Tell whether frames pass through JPEG; `authors`: whether the layout may be the authors'."""
    if args.jpeg is not None:
        return bool(args.jpeg)
    # The authors' weights were trained on frames that had been JPEG files.
    return (
        authors and encoders.picture is not None and encoders.picture.source.trunk == "densenet201"
    )


def chosen_encoders(args: argparse.Namespace) -> EncoderChoice:
    """Return which trunks were asked for, and what computes them."""
    files = given_trunks(args)
    return EncoderChoice(
        bundle=args.bundle or ("starter" if not files.given() else None),
        visual=files.visual,
        sound=files.sound,
        device=args.device,
        backend=args.backend,
        precision=args.precision,
    )
