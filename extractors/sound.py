"""The sound trunk with weights from a file.

It does not fetch or convert anything: paths come from `weights`, already checked.
"""

from __future__ import annotations

from pathlib import Path

from extractors.trunk_weights import check_fit, read_tensors
from extractors.vggish import VGGishTrunk


def load_sound_trunk(path: Path | str) -> VGGishTrunk:
    """Builds VGGish up to conv4_2 and fills it from a file, every name and shape checked.

    Args:
        path: safetensors with the trunk's own names, in float32 or half precision.

    Returns:
        The trunk, float32, on the CPU, in eval mode, frozen.

    Raises:
        WeightsMismatchError: The file cannot be read or does not fit.
    """
    path = Path(path)
    trunk = VGGishTrunk()
    tensors = read_tensors(path)
    check_fit(tensors, trunk.state_dict(), path)
    trunk.load_state_dict(tensors, strict=True)
    return trunk.eval().requires_grad_(False)
