"""What the trunks' own classes say of each label, before anything is learned.

Not in the paper. The sound trunk was taught AudioSet's classes and the picture trunk ImageNet's;
both classifiers are linear on what MAFnet gets anyway, the mean of the sound map and the pooled
visual vector. Here they are read, turned into evidence for each label in logits, and joined over
the clips of a window: MAFnet's attention weighs each sense's clips, and the two senses add up, as
independent evidence does. The start is one fixed rule: a label is heard as its loudest class, and
what is seen of it can only raise that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mafnet.attention import NEVER, PICTURE, SOUND
from mafnet.taught import TaughtRow, TaughtRows

N_SOUND_CLASSES = 521  # YAMNet's AudioSet classes
N_PICTURE_CLASSES = 1000  # ImageNet-1k
LEAST_SEEN = 0.02  # added to a label's share of the picture: rarer than that tells nothing
SEEN = 0.04  # from here on a picture raises its label
PICTURE_SCALE = 1.5  # of the logarithm of a share, at the start
LEAST_LIKELY = 1e-4  # probabilities are kept so far from 0 and 1: logits of 9 and less
UNHEARD = -3.0  # what stands for sound that is missing, at the start: a picture has to outweigh it
NO_CLASS = -9.0  # what is heard of a label without a class of its own, before what was taught


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceClasses:
    """Which classes mean each label.

    Attributes:
        sound: Positions among the sound trunk's classes, one or more for each label; none where
            it was taught.
        picture: Positions among the picture trunk's classes, for each label; may be empty.
        taught: Rows that a user taught.
    """

    sound: tuple[tuple[int, ...], ...]
    picture: tuple[tuple[int, ...], ...]
    taught: tuple[TaughtRow, ...] = ()

    def __post_init__(self) -> None:
        if len(self.sound) != len(self.picture):
            raise ValueError(
                "sound and picture must name classes of the same labels, "
                f"got {len(self.sound)} and {len(self.picture)}"
            )
        if any(not 0 <= row.label < len(self.sound) for row in self.taught):
            raise ValueError("a taught row must be about one of the labels")
        learned = {row.label for row in self.taught if not row.denies}
        if not all(own or k in learned for k, own in enumerate(self.sound)):
            raise ValueError("each label needs at least one sound class, or to be taught")
        for classes, n in ((self.sound, N_SOUND_CLASSES), (self.picture, N_PICTURE_CLASSES)):
            if any(not 0 <= k < n for own in classes for k in own):
                raise ValueError(f"classes must lie in [0, {n})")


class ClassEvidence(nn.Module):
    """Reads both classifiers and weighs what they say.

    Args:
        classes: Of each label.
        visual_dim: Width D of the visual vector.
        sound_channels: Channels C of the sound map.
    """

    _heard: Tensor
    _seen: Tensor
    _classed: Tensor

    def __init__(self, classes: EvidenceClasses, *, visual_dim: int, sound_channels: int) -> None:
        super().__init__()
        n_labels = len(classes.sound)
        self.sound_classes = nn.Linear(sound_channels, N_SOUND_CLASSES)
        self.picture_classes = nn.Linear(visual_dim, N_PICTURE_CLASSES)
        self.sound_scale = nn.Parameter(torch.ones(n_labels))
        self.sound_bias = nn.Parameter(torch.zeros(n_labels))
        self.sound_missing = nn.Parameter(torch.full((n_labels,), UNHEARD))
        self.picture_scale = nn.Parameter(torch.full((n_labels,), PICTURE_SCALE))
        self.register_buffer("_heard", _padded(classes.sound), persistent=False)
        self.register_buffer("_seen", _membership(classes.picture), persistent=False)
        self.register_buffer("_classed", _has_class(classes.sound), persistent=False)
        self.taught: TaughtRows | None = None
        if classes.taught:
            self.taught = TaughtRows(
                classes.taught, visual_dim=visual_dim, sound_channels=sound_channels
            )

    def forward(self, visual: Tensor, audio: Tensor) -> Tensor:
        """Read one clip's evidence.

        Args:
            visual: `(N, D)`.
            audio: `(N, C, H, W)`.

        Returns:
            `(N, 2, n_labels)`, picture first, in logits; rows of a missing sense mean nothing.
        """
        pooled = audio.mean(dim=(2, 3))  # (N, C)
        logits = self.sound_classes(pooled)  # (N, 521)
        loudest = logits[:, self._heard].amax(dim=2)  # (N, n_labels)
        heard = self.sound_scale * loudest + self.sound_bias
        share = torch.softmax(self.picture_classes(visual), dim=1) @ self._seen  # (N, n_labels)
        seen = self.picture_scale * F.relu(torch.log((share + LEAST_SEEN) / SEEN))
        if self.taught is not None:
            heard = torch.where(self._classed, heard, NO_CLASS)
            seen, heard = self.taught(visual, pooled, seen, heard)
        return torch.stack((seen, heard), dim=1)

    def fuse(self, evidence: Tensor, scores: Tensor, present: Tensor) -> Tensor:
        """Join the clips of a window.

        Args:
            evidence: `(B, T, 2, n_labels)`, as `forward` gave it for each clip.
            scores: Attention scores `(B, T, 2)`. Each sense has a softmax of its own over time:
                the shared one's weights, were there no other sense.
            present: bool `(B, T, 2)`.

        Returns:
            `(B, n_labels)`, logits. What is heard is the mean of probabilities (of logits, one
            silent second would outweigh all others), what is seen the mean of logits. A window
            without sound has what stands for it; one without a picture has no evidence of it.
        """
        weights = torch.softmax(scores.masked_fill(~present, NEVER), dim=1) * present
        likely = torch.sigmoid(evidence[:, :, SOUND])
        heard = torch.einsum("bt,btl->bl", weights[:, :, SOUND], likely).logit(LEAST_LIKELY)
        seen = torch.einsum("bt,btl->bl", weights[:, :, PICTURE], evidence[:, :, PICTURE])
        is_heard = present[:, :, SOUND].any(dim=1)[:, None]
        return torch.where(is_heard, heard, self.sound_missing) + seen


def _padded(classes: Sequence[Sequence[int]]) -> Tensor:
    # (n_labels, most classes of a label): short rows repeat their first class, for a maximum.
    # On the CPU whatever the default device is: `mafnet.load` builds the rest without memory.
    most = max(map(len, classes)) or 1
    rows = [[*own, *[own[0] if own else 0] * (most - len(own))] for own in classes]
    return torch.tensor(rows, device="cpu")


def _has_class(classes: Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor([bool(own) for own in classes], device="cpu")


def _membership(classes: Sequence[Sequence[int]]) -> Tensor:
    members = torch.zeros(N_PICTURE_CLASSES, len(classes), device="cpu")
    for label, own in enumerate(classes):
        members[list(own), label] = 1.0
    return members
