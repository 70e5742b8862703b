"""What every sound trunk is: a torch module with a front end, a map's shape, and a pass.

The front end is the trunk's own log-mel, or whatever else it reads a second as. It computes in
torch on every backend; the trunk itself may run elsewhere.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn


class FrontEnd(nn.Module):
    """Seconds to what a trunk reads: `forward` maps `(B, 16000)` to `(B, *shape)`, float32.

    The waveform is mono, at 16 kHz, float32 in [-1, 1]. The constructor takes nothing; tables are
    buffers and follow `.to(device)`.

    Attributes:
        shape: Of what one second becomes, such as (1, mel frames, mels).
    """

    shape: ClassVar[tuple[int, ...]]


class SoundTrunk(nn.Module):
    """Seconds to maps: `forward` maps `(B, *front_end.shape)` to `(B, dim, *map_size)`, float32.

    Each second is encoded on its own, and the constructor takes nothing: weights are loaded into
    `state_dict`.

    Attributes:
        dim: Channels of the map.
        map_size: Height and width of the map, time by mel.
        front_end: The class that makes what the trunk reads.
    """

    dim: ClassVar[int]
    map_size: ClassVar[tuple[int, int]]
    front_end: ClassVar[type[FrontEnd]]

    @classmethod
    def sound_map(cls) -> tuple[int, int, int]:
        """Return the map's channels, height and width."""
        height, width = cls.map_size
        return cls.dim, height, width

    def fold(self) -> None:
        """Make it faster in place, for inference, after loading; does nothing here."""
