"""Goes on training a head with its sound convolutions at rest: thirty times as many steps an hour.

Place in the flow: after `mafnet.train_starter.train`. At evaluation statistics nothing of a picture
enters the sound block before FiLM, so the normalised map and the residual of every sound are
computed once; FiLM, both dense layers, the attention and the head then learn from blended,
doubtful sounds when to look and when to listen. It changes no network: the convolutions and their
norm stay as they were, and the result is a MAFnet like any other.
"""

import dataclasses
import logging
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from mafnet.attention import PICTURE, SOUND
from mafnet.compose import ComposeConfig, FeatureBank, WindowComposer, Windows
from mafnet.model import ClipCodes, MAFnet
from mafnet.window_answers import decide_codes

logger = logging.getLogger(__name__)

_BATCH = 64  # sounds at once through the convolutions


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefineConfig:
    """Settings of one refinement.

    Attributes:
        minutes: Training time over which the schedule runs.
        seed: Base of every random choice.
        n_windows: Windows a step.
        lr: Peak learning rate.
        weight_decay: Of every kernel.
        smoothing: Label smoothing.
        alone: Weight of the clips' own answers beside the windows'.
        deaf: Share of the sound block's channels that a step does without.
        doubtful: See `ComposeConfig`.
        nothing: Likewise.
        unseen: Share of sounds that the trunk was not trained on; on its own training sounds it
            is right too often for the head to learn what a picture is worth.
    """

    minutes: float = 8.0
    seed: int = 11
    n_windows: int = 64
    lr: float = 1e-3
    weight_decay: float = 0.05
    smoothing: float = 0.05
    alone: float = 1.0
    deaf: float = 0.15
    doubtful: float = 0.5
    nothing: float = 0.2
    unseen: float = 0.6


class RestingBlock:
    """The sound block of a bank's sounds up to FiLM, computed once."""

    def __init__(self, model: MAFnet, bank: FeatureBank) -> None:
        """Run every sound of the bank through the convolutions of `model`."""
        n = len(bank.maps)
        self.normed: NDArray[np.float16] = np.empty(bank.maps.shape, np.float16)
        self.residual: NDArray[np.float32] = np.empty((n, bank.maps.shape[1]), np.float32)
        block = model.filmed_block.eval()
        with torch.inference_mode():
            for start in range(0, n, _BATCH):
                rows = slice(start, start + _BATCH)
                residual = F.relu(block.conv1(torch.from_numpy(bank.maps[rows].astype(np.float32))))
                self.normed[rows] = block.norm(block.conv2(residual)).half().numpy()
                self.residual[rows] = residual.mean(dim=(2, 3)).numpy()


def refine(model: MAFnet, bank: FeatureBank, config: RefineConfig) -> MAFnet:
    """Train all but the sound convolutions until the schedule's minutes are spent.

    Args:
        model: A trained head; it is changed.
        bank: Features of the training split.
        config: Settings.

    Returns:
        The averaged head, in evaluation mode.
    """
    torch.manual_seed(config.seed)
    resting = RestingBlock(model, bank)
    composer = WindowComposer(
        dataclasses.replace(bank, maps=resting.normed),
        ComposeConfig(doubtful=config.doubtful, nothing=config.nothing),
        config.seed,
    )
    at_rest = set(model.filmed_block.parameters())
    moving = [p for p in model.parameters() if p not in at_rest]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in moving if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in moving if p.ndim <= 1], "weight_decay": 0.0},
        ]
    )
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.train()
    model.filmed_block.eval()
    began, step, budget_s = time.monotonic(), 0, config.minutes * 60
    running: float | None = None
    while (progress := (time.monotonic() - began) / budget_s) < 1.0:
        rise = min(1.0, progress / 0.05 + 0.02)
        rate = config.lr * rise * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = rate
        windows = composer.draw(config.n_windows, step)
        codes = encode_resting(model, windows, resting, config.deaf)
        of_windows, of_clips = decide_codes(model, codes, windows)
        loss = F.cross_entropy(
            of_windows.logits, windows.labels, label_smoothing=config.smoothing
        ) + config.alone * F.cross_entropy(
            of_clips.logits, windows.clip_labels, label_smoothing=config.smoothing
        )
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(moving, 5.0)
        optimizer.step()
        step += 1
        keep = min(0.995, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 1 - keep)
        running = loss.item() if running is None else 0.97 * running + 0.03 * loss.item()
        if step % 100 == 0:
            logger.info("refining: step %d, %.0f %%, loss %.3f", step, 100 * progress, running)
    model.load_state_dict(average)
    return model.eval()


def encode_resting(
    model: MAFnet, windows: Windows, resting: RestingBlock, deaf: float
) -> ClipCodes:
    """Do what `MAFnet.encode_clips` does, from the resting block on.

    Args:
        model: In training or evaluation mode.
        windows: Whose `audio` was blended from `resting.normed`.
        resting: The block's outputs.
        deaf: Share of the pooled channels to leave out, in training mode.

    Returns:
        The codes of the windows' clips.
    """
    seen, heard = windows.present[:, PICTURE], windows.present[:, SOUND]
    visual = torch.where(seen[:, None], windows.visual, 0.0)
    gamma, beta = model.film(visual)
    gamma = torch.where(seen[:, None], gamma, 1.0)
    beta = torch.where(seen[:, None], beta, 0.0)
    x = gamma[:, :, None, None] * windows.audio + beta[:, :, None, None]
    pooled = F.relu(x).mean(dim=(2, 3)) + windows.blend(resting.residual)  # (M, 512)
    pooled = F.dropout(pooled, deaf, model.training)
    picture = F.relu(model.picture_norm(model.picture_dense(visual), seen))
    sound = F.relu(model.sound_norm(model.sound_dense(pooled), heard))
    vectors = torch.stack((picture, sound), dim=1)
    return ClipCodes(vectors, model.attention.score(vectors), gamma, beta)
