"""Modality and temporal attention: one softmax decides which second and which sense count.

Paper section 3.3. Both senses of all T clips compete in a single softmax over 2·T scores; a
softmax per sense, or per clip, gives other classes (logits differ by 6 and by 52).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN = 512  # paper, section 3.3
PICTURE, SOUND = 0, 1  # index of a sense in `present`, `vectors`, `scores`, `attention`
Attention = Literal["joint", "per_sense", "none"]
ATTENTIONS: tuple[Attention, ...] = ("joint", "per_sense", "none")
NEVER = -1e30  # a masked score: exp() of it is exactly 0, and unlike -inf it leaves no NaN


class ModalityTemporalAttention(nn.Module):
    """Scores every clip's picture and sound vector with one shared network, then fuses them.

    Args:
        form: joint, the paper's; for ablations per_sense, a softmax over time for each sense, and
            none, which weighs all the same and learns nothing.
    """

    def __init__(self, form: Attention = "joint") -> None:
        super().__init__()
        self.form = form
        if form != "none":
            self.hidden = nn.Linear(HIDDEN, HIDDEN)  # U
            self.scorer = nn.Linear(HIDDEN, 1)  # W

    def score(self, vectors: Tensor) -> Tensor:
        """Score vectors `(…, 512)` to `(…)`; a score depends on its own vector alone."""
        if self.form == "none":
            return vectors.new_zeros(vectors.shape[:-1])
        scores: Tensor = self.scorer(F.relu(self.hidden(vectors)))
        return scores.squeeze(-1)

    def fuse(self, vectors: Tensor, scores: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Weigh the vectors and sum each sense over time.

        Args:
            vectors: `(B, T, 2, 512)`, picture first.
            scores: `(B, T, 2)`.
            present: bool `(B, T, 2)`.

        Returns:
            The attention `(B, T, 2)`, which sums to 1 over the present ones (per_sense: over each
            sense's) and is all 0 where nothing is present, and the fused vector `(B, 1024)`:
            [picture | sound].
        """
        n_batch, n_clips, n_senses = scores.shape
        masked = scores.float().masked_fill(~present, NEVER)  # float16 has no such number
        if self.form == "per_sense":
            attention = torch.softmax(masked, dim=1)
        else:
            masked = masked.reshape(n_batch, n_clips * n_senses)
            attention = torch.softmax(masked, dim=1).view(n_batch, n_clips, n_senses)
        attention = attention * present  # where nothing is present, softmax gave equal shares
        fused = torch.einsum("btm,btmh->bmh", attention, vectors)  # (B, 2, 512)
        return attention, fused.flatten(start_dim=1)
