"""What every sound trunk is: a torch module with a map's shape, a log's offset, and a pass."""

from __future__ import annotations

from typing import ClassVar

from torch import nn


class SoundTrunk(nn.Module):
    """Seconds to maps: `forward` maps log-mels `(B, 1, 96, 64)` to `(B, dim, *map_size)`, float32.

    Attributes:
        dim: Channels of the map.
        map_size: Time by mel.
        log_offset: What is added to a mel energy before its logarithm.
    """

    dim: ClassVar[int]
    map_size: ClassVar[tuple[int, int]]
    log_offset: ClassVar[float]

    def fold(self) -> None:
        """Make it faster in place, for inference, after loading; does nothing here."""
