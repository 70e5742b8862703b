"""What a user taught: rows that hear or see a label, or say that it is something else.

Not in the paper. Each row is linear on what the trunks' own classifiers read, the mean of the sound
map and the pooled visual vector, so it is learned in seconds from a few examples and is worth
logits, as the classes' evidence is. All else of the network stays as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtRow:
    """One row.

    Attributes:
        label: The label's position.
        denies: It speaks against the label; else for it.
    """

    label: int
    denies: bool = False


class TaughtRows(nn.Module):
    """Adds what was taught to the evidence of clips.

    A row that speaks for a label is heard as one more class of it, and what it sees can only raise
    the label. A row that denies takes away what it hears, and of what is seen no
    more than there is.

    Args:
        rows: In the order of the weights.
        visual_dim: Width D of the visual vector.
        sound_channels: Channels C of the sound map.
    """

    def __init__(self, rows: Sequence[TaughtRow], *, visual_dim: int, sound_channels: int) -> None:
        super().__init__()
        self.heard = nn.Linear(sound_channels, len(rows))
        self.seen = nn.Linear(visual_dim, len(rows))
        for name, denies in (("_for", False), ("_against", True)):
            own = [k for k, row in enumerate(rows) if row.denies is denies]
            labels = [rows[k].label for k in own]
            # On the CPU whatever the default device is: `mafnet.load` builds without memory.
            self.register_buffer(f"{name}_rows", _indices(own), persistent=False)
            self.register_buffer(f"{name}_labels", _indices(labels), persistent=False)

    def forward(
        self, visual: Tensor, pooled: Tensor, seen: Tensor, heard: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Join what the rows say with what the classes say.

        Args:
            visual: `(N, D)`.
            pooled: The mean of each sound map, `(N, C)`.
            seen: The classes' evidence of pictures, `(N, n_labels)`, logits.
            heard: Likewise of sounds.

        Returns:
            Both anew.
        """
        sounds, pictures = self.heard(pooled), self.seen(visual)
        yes, no = self._buffer("_for_labels"), self._buffer("_against_labels")
        own, other = self._buffer("_for_rows"), self._buffer("_against_rows")
        index = yes.expand(len(heard), -1)
        heard = heard.scatter_reduce(1, index, sounds[:, own], "amax")
        seen = seen.index_add(1, yes, F.relu(pictures[:, own]))
        heard = heard.index_add(1, no, -F.relu(sounds[:, other]))
        denied = torch.zeros_like(seen).index_add(1, no, F.relu(pictures[:, other]))
        return F.relu(seen - denied), heard

    def _buffer(self, name: str) -> Tensor:
        buffer: Tensor = getattr(self, name)
        return buffer


def _indices(values: Sequence[int]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.long, device="cpu")
