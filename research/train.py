"""Trains the starter's MAFnet on prepared windows; the trunks stay as they are.

    python -m research.train --data ../shared/data --features runs/features --yamnet YAMNET \
        --to runs/head --epochs 8

Writes `head.safetensors` and, each epoch, a checkpoint from which the same command goes on.
"""

import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mafnet.model import MAFnet
from research.arguments import parser_of
from research.lessons import Lesson, Lessons, load_heard
from research.listeners import Teacher
from research.pictures import load_pictures
from research.start import load_state, make_start, save_head
from research.vocabulary import Vocabulary, load_vocabulary
from research.yamnet_parts import LateEars

N_BATCH = 32
SMALL = 0.005  # weight of the mean square of the head's correction: it shall be needed
NEAR = 0.02  # likewise of how far scales and biases go from the fixed rule
LEARNING_RATE = 7e-4
WARM_UP = 0.1
KINDS = ("full", "rows", "maps", "evidence")


def train(
    model: MAFnet, lessons: dict[str, Lessons], to: Path, epochs: int, kind: str = "full"
) -> None:
    """Train a head, or go on where an earlier call stopped.

    Args:
        model: At its start.
        lessons: Of `train` and `val`.
        to: Folder of `head.safetensors` and the checkpoint.
        epochs: In all.
        kind: One of `KINDS`.
    """
    if kind == "maps":
        silence_evidence(model)
    if kind == "rows":
        start_from_rows(model)
    to.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(parameter_groups(model, kind), weight_decay=1e-3)
    kept = to / "checkpoint.pt"
    first = 0
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = int(state["epoch"])
    else:
        print(json.dumps({"epoch": 0, **validate(model, lessons["val"])}), flush=True)
    for epoch in range(first, epochs):
        began = time.monotonic()
        rng = np.random.default_rng((1, epoch))
        model.train()
        losses = []
        n_steps = len(lessons["train"]) // N_BATCH
        for step, lesson in enumerate(lessons["train"].epoch(rng, N_BATCH)):
            pace(optimizer, (epoch + step / n_steps) / epochs)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model, lesson)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(float(loss.detach()))
        model.eval()
        told = {"epoch": epoch + 1, "loss": float(np.mean(losses)), "s": time.monotonic() - began}
        print(json.dumps({**told, **validate(model, lessons["val"])}), flush=True)
        save_head(model, to / "head.safetensors")
        torch.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "epoch": epoch + 1,
            },
            kept,
        )


def load_lessons(
    data: Path,
    features: Path,
    yamnet: Path,
    vocabulary: Vocabulary,
    without: frozenset[str] = frozenset(),
) -> dict[str, Lessons]:
    """Read the lessons of `train` and `val`, but for those with anything of some sources."""
    names = Teacher.class_names(data / "teacher")
    pictures = load_pictures(data, features)
    start = make_start(vocabulary, yamnet).evidence
    assert start is not None
    late = LateEars(yamnet)
    return {
        split: Lessons(
            load_heard(features / split, vocabulary, names, late, without),
            pictures,
            split,
            vocabulary,
            start,
            without,
        )
        for split in ("train", "val")
    }


def main() -> None:
    """Train, or go on."""
    parser = parser_of(__doc__)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--start", type=Path, help="a head to go on from, in place of the rule")
    parser.add_argument(
        "--kind", choices=KINDS, default="full", help="full, or another start, or less of it"
    )
    parser.add_argument("--without", nargs="*", default=[], help="sources left out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    model = make_start(vocabulary, options.yamnet)
    if options.start is not None:
        load_state(model, options.start)
    without = frozenset(options.without)
    lessons = load_lessons(options.data, options.features, options.yamnet, vocabulary, without)
    train(model, lessons, options.to, options.epochs, options.kind)


def pace(optimizer: torch.optim.Optimizer, done: float) -> None:
    """Set the learning rates: up over the first tenth, then down along a cosine."""
    share = done / WARM_UP if done < WARM_UP else 0.5 + 0.5 * math.cos(math.pi * done)
    for group in optimizer.param_groups:
        group["lr"] = group["most"] * max(share, 0.02)


def silence_evidence(model: MAFnet) -> None:
    """Leave MAFnet its maps alone: scales and biases 0, and a head that starts at once."""
    assert model.evidence is not None
    with torch.no_grad():
        for each in (
            model.evidence.sound_scale,
            model.evidence.sound_bias,
            model.evidence.sound_missing,
            model.evidence.picture_scale,
        ):
            each.zero_().requires_grad_(False)
        model.head_norm.weight.fill_(1.0)
        model.head_norm.bias.fill_(-4.0)
        torch.nn.init.xavier_uniform_(model.attention.scorer.weight)


def start_from_rows(model: MAFnet) -> None:
    """Have the first entries of MAFnet's vectors say what the classifiers' rows of a label say."""
    assert model.evidence is not None
    assert model.config.evidence is not None
    classes, block = model.config.evidence, model.filmed_block
    with torch.no_grad():
        for label, (sound, picture) in enumerate(zip(classes.sound, classes.picture, strict=True)):
            rows = model.evidence.sound_classes
            block.conv1.weight[label, :, 0, 0] = rows.weight[list(sound)].mean(dim=0)
            assert block.conv1.bias is not None
            block.conv1.bias[label] = rows.bias[list(sound)].mean()
            model.sound_dense.weight[label] = 0.0
            model.sound_dense.weight[label, label] = 1.0
            if picture:
                rows = model.evidence.picture_classes
                model.picture_dense.weight[label] = rows.weight[list(picture)].mean(dim=0)
                model.picture_dense.bias[label] = rows.bias[list(picture)].mean()


def parameter_groups(model: MAFnet, kind: str) -> list[dict[str, object]]:
    """Return what learns, and how fast."""
    if kind == "evidence":
        model.head_norm.weight.requires_grad_(False)
        model.head_norm.bias.requires_grad_(False)
    slow: list[nn.Parameter] = []
    fast: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (fast if name.startswith(("evidence.", "head_norm.")) else slow).append(parameter)
    return [
        {"params": slow, "most": LEARNING_RATE},
        {"params": fast, "most": 10 * LEARNING_RATE, "weight_decay": 0.0},
    ]


def loss_of(model: MAFnet, lesson: Lesson) -> Tensor:
    """Soft cross-entropy, summed over labels, and what keeps the correction small."""
    out = model(lesson.visual, lesson.audio, lesson.present)
    loss = F.binary_cross_entropy_with_logits(out.logits, lesson.target, reduction="none")
    total = loss.sum(dim=1).mean()
    if model.evidence is not None and model.evidence.sound_scale.requires_grad:
        size = model.head_norm.weight.square() + model.head_norm.bias.square()
        own = model.evidence
        away = (own.sound_scale - 1).square() + 0.2 * own.sound_bias.square()
        away = away + 0.2 * (own.picture_scale - 1.5).square()
        total = total + SMALL * size.sum() + NEAR * away.sum()
    return total


@torch.inference_mode()
def validate(model: MAFnet, lessons: Lessons) -> dict[str, float]:
    """Return the loss on windows of one and of ten clips, and the mean size of the correction."""
    rng = np.random.default_rng(0)
    figures: dict[str, float] = {}
    for n_clips in (1, 10):
        losses, sizes = [], []
        for first in range(0, len(lessons), 100):
            windows = np.arange(first, min(first + 100, len(lessons)))
            lesson = lessons.lesson(windows, n_clips, rng)
            out = model(lesson.visual, lesson.audio, lesson.present)
            entropy = F.binary_cross_entropy(lesson.target, lesson.target, reduction="none")
            loss = F.binary_cross_entropy_with_logits(out.logits, lesson.target, reduction="none")
            losses.append(float((loss - entropy).sum(dim=1).mean()))
            sizes.append(float(model.head_norm(model.head(out.fused)).abs().mean()))
        figures[f"val_{n_clips}"] = float(np.mean(losses))
        figures[f"correction_{n_clips}"] = float(np.mean(sizes))
    return figures


if __name__ == "__main__":
    main()
