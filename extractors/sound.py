"""A sound trunk by its name, with weights from a file.

The one place that knows which sound trunks there are. It does not fetch or convert anything: paths
come from `weights`, already checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from extractors.sound_trunk import FrontEnd, SoundTrunk
from extractors.trunk_registry import TrunkRegistry
from extractors.trunk_weights import check_fit, read_tensors
from extractors.vggish import VGGishTrunk
from extractors.yamnet import YAMNetTrunk

SOUND_TRUNKS: Final[TrunkRegistry[SoundTrunk]] = TrunkRegistry(
    "sound",
    ("dim", "map_size", "front_end"),
    {"vggish": VGGishTrunk, "yamnet": YAMNetTrunk},
)


def register_sound_trunk(name: str, trunk: type[SoundTrunk]) -> None:
    """Have a bundle's sound trunk `name` be `trunk`, in this process.

    Args:
        name: As it stands in `bundle.json`.
        trunk: A class that says its `dim`, `map_size` and `front_end`; docs/guide/extending.md
            writes one.

    Raises:
        ValueError: The name is taken, or the class does not say these.
    """
    SOUND_TRUNKS.register(name, trunk)


def make_front_end(name: str) -> FrontEnd:
    """Builds what a trunk reads seconds as, on the CPU, in eval mode.

    Raises:
        ValueError: There is no such trunk.
    """
    return SOUND_TRUNKS.find(name).front_end().eval()


def make_sound_trunk(name: str) -> SoundTrunk:
    """Builds a trunk with random weights.

    Args:
        name: One that `SOUND_TRUNKS` knows.

    Returns:
        The trunk, on the CPU, in eval mode, frozen.

    Raises:
        ValueError: There is no such trunk.
    """
    return SOUND_TRUNKS.find(name)().eval().requires_grad_(False)


def load_sound_trunk(name: str, path: Path | str) -> SoundTrunk:
    """Builds a trunk and fills it from a file, every name and shape checked.

    Args:
        name: One that `SOUND_TRUNKS` knows.
        path: safetensors with the trunk's own names, in float32 or half precision.

    Returns:
        The trunk, float32, on the CPU, in eval mode, frozen.

    Raises:
        ValueError: There is no such trunk.
        WeightsMismatchError: The file cannot be read or does not fit.
    """
    path = Path(path)
    trunk = make_sound_trunk(name)
    tensors = read_tensors(path)
    check_fit(tensors, trunk.state_dict(), path)
    trunk.load_state_dict(tensors, strict=True)
    return trunk
