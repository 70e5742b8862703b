"""A trunk's weights from a file of its own, in place of a bundle's: of any kind that is read here.

What is known of features afterwards is the sha256 of the tensors that made them, so a foreign file
is converted before it is hashed: then it is the hash of the same weights in a bundle.
"""

import argparse
from pathlib import Path
from typing import Literal, cast

from weights.convert import convert
from weights.files import sha256_of
from weights.paths import to_path

PICTURE_TRUNKS = ("densenet201", "efficientnet_lite0")
SOUND_TRUNKS = ("vggish", "yamnet")


def add_trunk_flags(parser: argparse._ActionsContainer) -> None:
    """Add a flag for each trunk's file, of each sense one at most."""
    for trunks in (PICTURE_TRUNKS, SOUND_TRUNKS):
        group = parser.add_mutually_exclusive_group()
        for trunk in trunks:
            group.add_argument(
                f"--{trunk.replace('_', '-')}",
                type=to_path,
                metavar="FILE",
                help="safetensors, or a file that `python -m weights convert` reads",
            )


def given_trunks(options: argparse.Namespace) -> dict[str, Path]:
    """Return the files that were given, by trunk."""
    named = {trunk: getattr(options, trunk) for trunk in (*PICTURE_TRUNKS, *SOUND_TRUNKS)}
    return {trunk: path for trunk, path in named.items() if path is not None}


def trunk_file(trunk: str, path: Path, folder: Path) -> tuple[Path, str]:
    """Return a trunk's weights as a file that loads as it is, and that file's sha256.

    Args:
        trunk: One of `PICTURE_TRUNKS` or `SOUND_TRUNKS`.
        path: Safetensors, or what `weights.convert` reads; EfficientNet-Lite0's .pth loads as it
            is, as the starter has it.
        folder: Where a converted file is written.

    Raises:
        ConvertError: The file cannot be read or does not hold this trunk.
    """
    if path.suffix != ".safetensors" and trunk != "efficientnet_lite0":
        target = folder / f"{trunk}.safetensors"
        convert(path, cast('Literal["densenet201", "vggish", "yamnet"]', trunk), target)
        path = target
    return path, sha256_of(path) if path.is_file() else ""
