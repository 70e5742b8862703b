"""YAMNet in two parts: the blocks that stay Google's, and the last ones, which may be taught.

Place in the flow: log-mel → **early blocks** → kept on disk → **late blocks** → MAFnet. What the
early ones made of windows, files and streams is kept once, and serves any late ones.
"""

import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from extractors.openvino_graphs import convert
from extractors.openvino_trunks import OpenVinoTrunk
from extractors.sound import load_sound_trunk
from extractors.yamnet import YAMNetTrunk

N_LATE = 4  # blocks of thirteen
EARLY_SHAPE = (512, 6, 4)  # channels, time, mel
N_BATCH = 100


class Early(nn.Module):
    """Log-mel pictures `(N, 1, 96, 64)` to what the late blocks get, `(N, 512, 6, 4)`."""

    def __init__(self, trunk: YAMNetTrunk) -> None:
        super().__init__()
        self.stem = copy.deepcopy(trunk.stem)
        self.blocks = copy.deepcopy(trunk.blocks[:-N_LATE])

    def forward(self, log_mel: Tensor) -> Tensor:
        """Hear seconds."""
        out: Tensor = self.blocks(self.stem(log_mel))
        return out


class Late(nn.Module):
    """What the early blocks made `(N, 512, 6, 4)` to maps `(N, 1024, 3, 2)`."""

    def __init__(self, trunk: YAMNetTrunk) -> None:
        super().__init__()
        self.blocks = copy.deepcopy(trunk.blocks[-N_LATE:])

    def forward(self, early: Tensor) -> Tensor:
        """Go on."""
        out: Tensor = self.blocks(early)
        return out


class LateEars:
    """The late blocks of a weights file, on one thread."""

    def __init__(self, yamnet: Path) -> None:
        self._network = OpenVinoTrunk(
            convert(Late(load_yamnet(yamnet)).eval(), EARLY_SHAPE), "float32", 1
        )

    def maps(self, early: NDArray[np.float16]) -> NDArray[np.float16]:
        """Map `(…, 512, 6, 4)` to `(…, 1024, 3, 2)`."""
        rows = early.reshape(-1, *EARLY_SHAPE)
        parts = [
            self._network.encode(rows[k : k + N_BATCH].astype(np.float32)).astype(np.float16)
            for k in range(0, len(rows), N_BATCH)
        ]
        shape = (YAMNetTrunk.dim, *YAMNetTrunk.map_size)
        parts = parts or [np.zeros((0, *shape), np.float16)]
        return np.concatenate(parts).reshape(*early.shape[:-3], *shape)


def load_yamnet(path: Path) -> YAMNetTrunk:
    """Return the trunk of a weights file."""
    trunk = load_sound_trunk("yamnet", path)
    assert isinstance(trunk, YAMNetTrunk)
    return trunk


def save_yamnet(trunk: YAMNetTrunk, path: Path, half: bool) -> None:
    """Write a trunk as `weights convert` does, its kernels in half precision if wanted."""
    with torch.no_grad():
        state = {
            name: (value.half() if half and value.ndim > 1 else value.float()).contiguous()
            for name, value in trunk.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
