"""A sound trunk by its name, with weights from a file.

The one place that knows which sound trunks there are. It does not fetch or convert anything: paths
come from `weights`, already checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from extractors.sound_trunk import SoundTrunk
from extractors.trunk_weights import check_fit, read_tensors
from extractors.vggish import VGGishTrunk
from extractors.yamnet import YAMNetTrunk

SOUND_TRUNKS: Final[dict[str, type[SoundTrunk]]] = {
    "vggish": VGGishTrunk,
    "yamnet": YAMNetTrunk,
}


def make_sound_trunk(name: str) -> SoundTrunk:
    """Builds a trunk with random weights.

    Args:
        name: "vggish" or "yamnet".

    Returns:
        The trunk, on the CPU, in eval mode, frozen.

    Raises:
        ValueError: There is no such trunk.
    """
    if name not in SOUND_TRUNKS:
        raise ValueError(f"sound trunk must be one of {sorted(SOUND_TRUNKS)}, got {name!r}")
    return SOUND_TRUNKS[name]().eval().requires_grad_(False)


def load_sound_trunk(name: str, path: Path | str) -> SoundTrunk:
    """Builds a trunk and fills it from a file, every name and shape checked.

    Args:
        name: "vggish" or "yamnet".
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
