"""Teaches YAMNet's last blocks and its classifier what the files' labels and the teacher say.

    python -m research.finetune --data ../shared/data --features runs/f --yamnet YAMNET --to TUNED

Seconds of prepared windows and of the clean training files. YAMNet's own scores and the teacher's
are the targets of all its 521 classes, so that what it knows stays; a file's own label has a say
about the labels. The norms keep Google's statistics. Ends with the share of validation files that
are named right; `research.folds` judges sources that were left out.
"""

import copy
import dataclasses
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.yamnet import YAMNetTrunk
from research.arguments import parser_of
from research.audioset_classes import AUDIOSET_CLASSES
from research.files import file_early, named
from research.lessons import TEACHER_OFFSET
from research.listeners import Teacher
from research.prepare import SHORT_S, Ears
from research.says import HEARD, TRACE, Says, says_of
from research.sound_corpus import SoundCorpus, load_corpus
from research.vocabulary import BORROWED, Vocabulary, load_vocabulary
from research.yamnet_parts import EARLY_SHAPE, N_LATE, load_yamnet, save_yamnet

N_WINDOWS, N_FILES = 48, 48  # seconds of each in a batch
STEPS, LEARN = 400, 2
RATES = {"blocks": 1e-4, "classifier": 3e-4}
CLASSES = 0.3  # weight of the classes beside the labels
MOST = 9.0  # logits of a target
WARM_UP = 0.05
Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Seconds to learn from.

    Attributes:
        early: `(N, 512, 6, 4)` float16.
        soft: What YAMNet and the teacher say of the classes, `(N, 521)` float16, logits.
        says: Of the files' labels.
    """

    early: NDArray[np.float16]
    soft: NDArray[np.float16]
    says: Says


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Google's trunk and the seconds that it learns from."""

    trunk: YAMNetTrunk
    vocabulary: Vocabulary
    windows: Seconds
    files: Seconds

    @classmethod
    def load(
        cls, data: Path, features: Path, yamnet: Path, without: frozenset[str] = frozenset()
    ) -> "Material":
        """Read what is of the training split and of no source that is left out."""
        vocabulary = load_vocabulary(data / "vocabulary.csv")
        corpus, trunk = load_corpus(data, features), load_yamnet(yamnet)
        names = Teacher.class_names(data / "teacher")
        early = file_early(corpus, "train", Ears(yamnet, data / "teacher"), features)
        return cls(
            trunk=trunk,
            vocabulary=vocabulary,
            windows=window_seconds(features / "train", trunk, vocabulary, names, without),
            files=file_seconds(corpus, early, trunk, vocabulary, without),
        )


class Tuned(nn.Module):
    """The late blocks and the classifier; a label is heard as its loudest class."""

    classes: Tensor
    members: Tensor

    def __init__(self, trunk: YAMNetTrunk, vocabulary: Vocabulary, n_learn: int) -> None:
        super().__init__()
        self.blocks = copy.deepcopy(trunk.blocks[-N_LATE:])
        self.classifier = copy.deepcopy(trunk.classifier)
        self.eval().requires_grad_(False)
        self.blocks[N_LATE - n_learn :].requires_grad_(True)
        self.classifier.requires_grad_(True)
        most = max(map(len, vocabulary.sound))
        rows = [[*own, *[own[0]] * (most - len(own))] for own in vocabulary.sound]
        self.register_buffer("classes", torch.tensor(rows), persistent=False)
        members = torch.zeros(len(rows), trunk.n_classes)
        self.register_buffer("members", members.scatter_(1, self.classes, 1.0), persistent=False)

    def forward(self, early: Tensor) -> Tensor:
        """Map seconds to logits of the classes, `(N, 521)`."""
        out: Tensor = self.classifier(self.blocks(early).mean(dim=(2, 3)))
        return out

    def of_labels(self, logits: Tensor) -> Tensor:
        """Map these to logits of the labels."""
        return logits[:, self.classes].amax(dim=2)


def window_seconds(
    folder: Path,
    trunk: YAMNetTrunk,
    vocabulary: Vocabulary,
    teacher_names: list[str],
    without: frozenset[str],
) -> Seconds:
    """Read the prepared windows, but for those with a file of some sources in them."""
    places = [teacher_names.index(name) for name in AUDIOSET_CLASSES]
    parts: dict[str, list[NDArray[Any]]] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as block:
            rows = [without.isdisjoint(str(each).split("|")) for each in block["sources"]]
            early, own = block["early"][rows], block["heard"][rows]
            short, long, empty = (block[name][rows] for name in ("short", "long", "empty"))
        n = early.shape[1]
        taught = np.repeat(long[:, None, places], n, axis=1).astype(np.float32)
        taught[:, -SHORT_S:] = short[:, None, places]
        early = early.reshape(-1, *EARLY_SHAPE)
        said = class_logits(trunk, early) + taught.reshape(len(early), -1) + TEACHER_OFFSET
        is_named: NDArray[np.bool_] = np.any(own > HEARD, axis=(1, 2)) | empty
        found = {
            "early": early,
            "soft": (0.5 * said).astype(np.float16),
            "heard": (own > HEARD).reshape(len(early), -1),
            "traces": np.repeat(np.any(own > TRACE, axis=1), n, axis=0),
            "named": np.repeat(is_named, n),
            "empty": np.repeat(empty, n),
        }
        for name, each in found.items():
            parts.setdefault(name, []).append(each)
    joined = {name: np.concatenate(each) for name, each in parts.items()}
    says = says_of(joined["heard"], joined["traces"], joined["named"], joined["empty"], vocabulary)
    return Seconds(early=joined["early"], soft=joined["soft"], says=says)


def file_seconds(
    corpus: SoundCorpus,
    early: Sequence[NDArray[np.float16]],
    trunk: YAMNetTrunk,
    vocabulary: Vocabulary,
    without: frozenset[str],
) -> Seconds:
    """Label the seconds of the training files that have a label."""
    maps, labels = [], []
    for k, own in zip(corpus.files("train"), early, strict=True):
        label = vocabulary.index(corpus.names[int(corpus.labels[k])])
        if label is not None and corpus.sources[int(k)] not in without:
            maps.append(own)
            labels += [label] * len(own)
    joined = np.concatenate(maps)
    heard = np.zeros((len(joined), len(vocabulary.labels)), np.bool_)
    heard[np.arange(len(joined)), labels] = True
    all_named = np.ones(len(joined), np.bool_)
    says = says_of(heard, heard, all_named, ~all_named, vocabulary)
    return Seconds(early=joined, soft=class_logits(trunk, joined).astype(np.float16), says=says)


@torch.inference_mode()
def class_logits(trunk: YAMNetTrunk, early: NDArray[np.float16]) -> Array:
    """Return a trunk's logits of its classes, `(N, 521)`."""
    late = trunk.blocks[-N_LATE:]
    parts = [
        trunk.class_logits(late(torch.from_numpy(early[k : k + 200].astype(np.float32)))).numpy()
        for k in range(0, len(early), 200)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, YAMNetTrunk.n_classes), np.float32)


def targets(soft: Tensor, says: Says, model: Tuned) -> tuple[Tensor, Tensor, Tensor]:
    """Return targets of the classes and of the labels, and which classes no label's say is about.

    Shapes: `(N, 521)`, `(N, n_labels)`, `(N, 521)`.
    """
    classes = torch.sigmoid(soft.clamp(-MOST, MOST))
    spoken = torch.from_numpy(says.heard | says.absent).float() @ model.members
    return classes, says.join(model.of_labels(classes)), (spoken == 0).float()


def learn(
    model: Tuned, windows: Seconds, files: Seconds, steps: int, counted: Tensor, seed: int = 0
) -> None:
    """Train; prints the mean loss now and then."""
    groups = [
        {"params": [p for p in model.blocks.parameters() if p.requires_grad], "most": "blocks"},
        {"params": list(model.classifier.parameters()), "most": "classifier"},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    rng = np.random.default_rng(seed)
    shares = files.says.heard.sum(axis=0).clip(1) ** -0.5  # rare labels come more often
    weights = (files.says.heard * shares).max(axis=1)
    weights = weights / weights.sum()
    losses: list[float] = []
    for step in range(steps):
        done = step / steps
        pace = done / WARM_UP if done < WARM_UP else 0.5 + 0.5 * math.cos(math.pi * done)
        for group in optimizer.param_groups:
            group["lr"] = RATES[group["most"]] * max(pace, 0.02)
        picked = [
            (windows, rng.integers(0, len(windows.early), N_WINDOWS)),
            (files, rng.choice(len(files.early), N_FILES, p=weights)),
        ]
        early = np.concatenate([each.early[rows] for each, rows in picked])
        logits = model(torch.from_numpy(early.astype(np.float32)))
        told = [
            targets(torch.from_numpy(each.soft[rows]).float(), each.says.rows(rows), model)
            for each, rows in picked
        ]
        classes, labels, free = (torch.cat(both) for both in zip(*told, strict=True))
        loss = F.binary_cross_entropy_with_logits(logits, classes, reduction="none") * free
        own = F.binary_cross_entropy_with_logits(model.of_labels(logits), labels, reduction="none")
        total = CLASSES * loss.sum(dim=1).mean() + (own * counted).sum(dim=1).mean()
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(float(total.detach()))
        if (step + 1) % 200 == 0:
            print(json.dumps({"step": step + 1, "loss": float(np.mean(losses[-200:]))}), flush=True)


def finetune(material: Material, steps: int, n_learn: int) -> YAMNetTrunk:
    """Teach the last `n_learn` blocks and the classifier; returns the trunk."""
    torch.manual_seed(0)
    model = Tuned(material.trunk, material.vocabulary, n_learn)
    counted = torch.tensor([float(each not in BORROWED) for each in material.vocabulary.labels])
    learn(model, material.windows, material.files, steps, counted)
    out = copy.deepcopy(material.trunk)
    out.blocks = nn.Sequential(*out.blocks[:-N_LATE], *model.blocks)
    out.classifier = model.classifier
    return out.eval().requires_grad_(False)


def rule_logits(
    trunk: YAMNetTrunk, early: Sequence[NDArray[np.float16]], vocabulary: Vocabulary
) -> Array:
    """Return one logit a label for each file: the mean over its seconds of its loudest class."""
    rows = []
    for own in early:
        logits = class_logits(trunk, own)
        rows.append(np.stack([logits[:, list(c)].max(axis=1).mean() for c in vocabulary.sound]))
    return np.stack(rows)


def main() -> None:
    """Tune, and write the trunk."""
    parser = parser_of(__doc__)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--learn", type=int, default=LEARN, help=f"blocks that learn ({LEARN})")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    material = Material.load(options.data, options.features, options.yamnet)
    read = time.process_time() - began
    after = finetune(material, options.steps, options.learn)
    took = time.process_time() - began - read
    print(
        f"{len(material.windows.early)} seconds of windows read in {read:.0f} s, {took:.0f} s more"
    )
    save_yamnet(after, options.to, half=False)
    corpus = load_corpus(options.data, options.features)
    ears = Ears(options.yamnet, options.data / "teacher")
    early = file_early(corpus, "val", ears, options.features)
    for name, each in (("Google's", material.trunk), ("fine-tuned", after)):
        logits = rule_logits(each, early, material.vocabulary)
        right = named(logits, corpus, "val", material.vocabulary)
        hits = [hit for own in right.values() for hit in own]
        print(f"{name}: {sum(hits)} of {len(hits)} validation files")


if __name__ == "__main__":
    main()
