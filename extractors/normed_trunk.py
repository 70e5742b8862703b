"""The VGGish trunk as it is trained: with batch norms, under a classifier that is thrown away.

Place in the flow: inside `train_sound`. A trained trunk is folded into the published layout, and
a folded one can be taken up again; what is shipped is `extractors.vggish` alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from extractors.vggish import LAYERS, VGGishTrunk

BN_EPS = 1e-3


class NormedTrunk(nn.Module):
    """The trunk as it is trained: the published convolutions, each with a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        for name, n_in, n_out, _ in LAYERS:
            self.add_module(name, nn.Conv2d(n_in, n_out, 3, padding=1, bias=False))
            self.add_module(f"{name}_bn", nn.BatchNorm2d(n_out, eps=BN_EPS))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Compute conv4_2; the picture may be shorter than a second here.

        Args:
            log_mel: `(B, 1, n_frames, 64)`.

        Returns:
            `(B, 512, n_frames // 8, 8)`.
        """
        x = log_mel
        for name, _, _, pooled in LAYERS:
            x = self.get_submodule(name)(x)
            x = F.relu(self.get_submodule(f"{name}_bn")(x), inplace=True)
            x = F.max_pool2d(x, 2) if pooled else x
        return x

    @torch.no_grad()
    def start_from(self, trunk: VGGishTrunk, log_mel: Tensor) -> None:
        """Become the same function as a trunk without batch norms.

        A folded trunk has lost its statistics; those of one batch stand in, and gain and shift
        undo them, so that training goes on from what the trunk computes.

        Args:
            trunk: Weights to go on from.
            log_mel: `(B, 1, n_frames, 64)`, a batch as training draws it.
        """
        x = log_mel
        for name, _, _, pooled in LAYERS:
            conv, norm = self.get_submodule(name), self.get_submodule(f"{name}_bn")
            source = trunk.convolution(name)
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            assert source.bias is not None
            conv.weight.copy_(source.weight)
            y = conv(x)
            norm.running_mean.copy_(y.mean(dim=(0, 2, 3)))
            norm.running_var.copy_(y.var(dim=(0, 2, 3), correction=0))
            norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
            norm.bias.copy_(norm.running_mean + source.bias)
            x = F.relu(y + source.bias[:, None, None])
            x = F.max_pool2d(x, 2) if pooled else x

    def folded(self) -> VGGishTrunk:
        """The same function without batch norms, at evaluation statistics.

        Returns:
            A published-shape trunk on the CPU.
        """
        trunk = VGGishTrunk().eval()
        with torch.no_grad():
            for name, *_ in LAYERS:
                conv, norm = self.get_submodule(name), self.get_submodule(f"{name}_bn")
                assert isinstance(conv, nn.Conv2d)
                assert isinstance(norm, nn.BatchNorm2d)
                assert norm.running_mean is not None
                assert norm.running_var is not None
                gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                target = trunk.convolution(name)
                target.weight.copy_(conv.weight * gain[:, None, None, None])
                assert target.bias is not None
                target.bias.copy_(norm.bias - norm.running_mean * gain)
        return trunk


class SoundClassifier(nn.Module):
    """A trunk under mean and maximum over time and one linear layer."""

    def __init__(self, trunk: nn.Module, n_labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * VGGishTrunk.dim, n_labels)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Score each label.

        Args:
            log_mel: `(B, 1, n_frames, 64)`.

        Returns:
            Logits `(B, n_labels)`.
        """
        over_mels = self.trunk(log_mel).mean(dim=3)  # (B, 512, n_frames // 8)
        pooled = torch.cat([over_mels.mean(dim=2), over_mels.amax(dim=2)], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def averaged_model(state: dict[str, Tensor], n_labels: int) -> SoundClassifier:
    """A model of averaged weights, ready for inference.

    Args:
        state: `Average.state`, or a checkpoint's `average`.
        n_labels: Outputs of its classifier.

    Returns:
        The model in evaluation mode, channels last.
    """
    model = SoundClassifier(NormedTrunk(), n_labels)
    model.load_state_dict(state)
    model.eval()
    return model.to(memory_format=torch.channels_last)
