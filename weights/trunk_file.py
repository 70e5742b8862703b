"""A trunk's weights from a file of its own, in place of a bundle's: of any kind that is read here.

What is known of features afterwards is the sha256 of the tensors that made them, so a foreign file
is converted before it is hashed: then it is the hash of the same weights in a bundle.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

from weights.announced import Sense
from weights.convert import convert
from weights.errors import ConvertError
from weights.files import sha256_of
from weights.paths import to_path

# The trunks that have a flag of their own, and whose foreign files are converted.
FLAGS: Final[dict[Sense, tuple[str, ...]]] = {
    "visual": ("densenet201", "efficientnet_lite0"),
    "sound": ("vggish", "yamnet"),
}


class NamedFile(NamedTuple):
    """A trunk's name and the file of its weights."""

    trunk: str
    path: Path


class TrunkFiles(NamedTuple):
    """Files in place of a bundle's; None for a trunk that is the bundle's."""

    visual: NamedFile | None = None
    sound: NamedFile | None = None

    def given(self) -> tuple[NamedFile, ...]:
        """Return those that there are, the picture trunk's first."""
        return tuple(file for file in self if file is not None)


def add_trunk_flags(parser: argparse._ActionsContainer) -> None:
    """Add a flag for each trunk's file, and one for trunks of one's own; of each sense one."""
    for sense, trunks in FLAGS.items():
        group = parser.add_mutually_exclusive_group()
        for trunk in trunks:
            group.add_argument(
                f"--{trunk.replace('_', '-')}",
                dest=f"{sense}_trunk",
                type=partial(_file_of, trunk),
                metavar="FILE",
                help="safetensors, or a file that `python -m weights convert` reads",
            )
        group.add_argument(
            f"--{sense}-trunk",
            type=_named_file,
            metavar="NAME=FILE",
            help=f"a {sense} trunk of your own, and its safetensors",
        )


def given_trunks(options: argparse.Namespace) -> TrunkFiles:
    """Return the files that were given."""
    return TrunkFiles(visual=options.visual_trunk, sound=options.sound_trunk)


def _file_of(trunk: str, text: str) -> NamedFile:
    return NamedFile(trunk, to_path(text))


def _named_file(text: str) -> NamedFile:
    name, mark, path = text.partition("=")
    if not (name and mark and path):
        raise argparse.ArgumentTypeError(f"NAME=FILE is wanted, got {text!r}")
    return NamedFile(name, to_path(path))


def trunk_file(trunk: str, path: Path, folder: Path) -> tuple[Path, str]:
    """Return a trunk's weights as a file that loads as it is, and that file's sha256.

    Args:
        trunk: Its name. One of somebody's own has safetensors.
        path: Safetensors, or what `weights.convert` reads; EfficientNet-Lite0's .pth loads as it
            is, as the starter has it.
        folder: Where a converted file is written.

    Raises:
        ConvertError: The file cannot be read or does not hold this trunk.
    """
    if path.suffix != ".safetensors" and trunk != "efficientnet_lite0":
        if not any(trunk in trunks for trunks in FLAGS.values()):
            raise ConvertError(
                f"{path}: the weights of the trunk {trunk} are wanted as .safetensors "
                "(safetensors.torch.save_file writes a state_dict)"
            )
        target = folder / f"{trunk}.safetensors"
        convert(path, cast('Literal["densenet201", "vggish", "yamnet"]', trunk), target)
        path = target
    return path, sha256_of(path) if path.is_file() else ""
