"""YAMNet frozen and fine-tuned, both judged on sources that neither learned from.

    python -m research.finetune --data ../shared/data --features runs/f --yamnet YAMNET

Each fold leaves sources out and learns from the other files: a linear correction of the fixed rule
on the trunk's embedding, the trunk as it is or its last two blocks along. Nothing is augmented.
"""

import argparse
import copy
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.log_mel import SAMPLE_RATE, LogMel
from extractors.sound import load_sound_trunk
from extractors.yamnet import YAMNetTrunk
from mafnet.metrics import wilson_interval
from research.files import FOLDS, LEFT_OUT, MOST_S
from research.sound_corpus import SoundCorpus, load_corpus
from research.vocabulary import Vocabulary, load_vocabulary

N_LAST = 2  # blocks that are fine-tuned
N_CLIPS = 2  # seconds of a training file: the first ones
LOUD = 0.1  # loud level of a file: -20 dBFS
N_BATCH = 64
RATES = {"correction": 1e-3, "blocks": 1e-4}
ROWS = ("fixed rule", "frozen", "fine-tuned")


class Corrected(nn.Module):
    """YAMNet's last blocks, the rule's evidence of each label, and a linear correction."""

    def __init__(self, trunk: YAMNetTrunk, classes: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.blocks = copy.deepcopy(trunk.blocks[-N_LAST:])
        self.classifier = trunk.classifier
        self.classes = classes
        self.correction = nn.Linear(trunk.dim, len(classes))
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Map what the earlier blocks made of seconds `(N, 512, 6, 4)` to logits `(N, n)`."""
        embedding = self.blocks(maps).mean(dim=(2, 3))
        logits = self.classifier(embedding)
        heard = torch.stack([logits[:, list(own)].amax(dim=1) for own in self.classes], dim=1)
        corrected: Tensor = heard + self.correction(embedding)
        return corrected


@torch.inference_mode()
def early_maps(trunk: YAMNetTrunk, corpus: SoundCorpus, files: Sequence[int], most: int) -> Tensor:
    """Hear files up to the blocks that learn: `(n_files, most, 512, 6, 4)`, short ones repeated."""
    log_mel = LogMel(trunk.log_offset)
    early = nn.Sequential(trunk.stem, *list(trunk.blocks)[:-N_LAST])
    rows = []
    for k in files:
        wave = np.resize(corpus.waveform(k) * np.float32(LOUD), most * SAMPLE_RATE)
        seconds = torch.from_numpy(wave.astype(np.float32)).reshape(most, -1)
        rows.append(early(log_mel(seconds)).half())
    return torch.stack(rows)


def learn(model: Corrected, maps: Tensor, labels: Tensor, epochs: int, tune: bool) -> None:
    """Train on single seconds; norms keep Google's statistics."""
    model.eval().requires_grad_(False)
    parts: dict[str, nn.Module] = {"correction": model.correction}
    if tune:
        parts["blocks"] = model.blocks
    groups = [
        {"params": list(part.requires_grad_(True).parameters()), "lr": RATES[name]}
        for name, part in parts.items()
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    shares = (
        torch.bincount(labels, minlength=len(model.classes)).clamp_min(1).float().rsqrt()
    )  # rare labels count more
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(labels)), len(labels) // N_BATCH):
            picked = torch.from_numpy(rows)
            clips = torch.from_numpy(rng.integers(0, maps.shape[1], len(rows)))
            logits = model(maps[picked, clips].float())
            loss = F.cross_entropy(logits, labels[picked], weight=shares)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


@torch.inference_mode()
def right(model: Corrected, maps: Tensor, labels: Tensor) -> NDArray[np.bool_]:
    """Return whether each file is named right, by the mean of its seconds' logits."""
    logits = torch.stack([model(own.float()).mean(dim=0) for own in maps])
    return np.asarray((logits.argmax(dim=1) == labels).numpy())


def named_files(
    corpus: SoundCorpus, vocabulary: Vocabulary, split: str
) -> tuple[list[int], list[int]]:
    """Return the files of a split that have a label of the vocabulary, no wider one; and it."""
    wider = set(vocabulary.parents.values())
    pairs = []
    for k in corpus.files(split):
        label = vocabulary.index(corpus.names[int(corpus.labels[k])])
        if label is not None and vocabulary.labels[label] not in wider:
            pairs.append((int(k), label))
    return [k for k, _ in pairs], [label for _, label in pairs]


def main() -> None:
    """Print the shares named right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--yamnet", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    corpus = load_corpus(options.data, options.features)
    trunk = load_sound_trunk("yamnet", options.yamnet)
    assert isinstance(trunk, YAMNetTrunk)
    trunk.eval()
    tests, wanted = named_files(corpus, vocabulary, "test")
    known = sorted(set(wanted))
    held = [
        corpus.sources[k] in LEFT_OUT.get(vocabulary.labels[label], ())
        for k, label in zip(tests, wanted, strict=True)
    ]
    tests = [k for k, own in zip(tests, held, strict=True) if own]
    truth = torch.tensor([known.index(w) for w, own in zip(wanted, held, strict=True) if own])
    learned, named = named_files(corpus, vocabulary, "train")
    kept = [k for k, label in enumerate(named) if label in known]
    labels = torch.tensor([known.index(named[k]) for k in kept])
    learned = [learned[k] for k in kept]
    maps = early_maps(trunk, corpus, learned, N_CLIPS)
    of_tests = early_maps(trunk, corpus, tests, MOST_S)
    classes = [vocabulary.sound[label] for label in known]
    hits = {name: np.zeros(len(tests), np.bool_) for name in ROWS}
    seconds = dict.fromkeys(ROWS, 0.0)
    for sources in FOLDS:
        own = np.array([corpus.sources[k] not in sources for k in learned])
        there = np.flatnonzero([corpus.sources[k] in sources for k in tests])
        for name in ROWS:
            began = time.process_time()
            model = Corrected(trunk, classes).eval()
            if name != "fixed rule":
                learn(model, maps[own], labels[own], options.epochs, name == "fine-tuned")
            hits[name][there] = right(model, of_tests[there], truth[there])
            seconds[name] += time.process_time() - began
            n = int(hits[name][there].sum())
            print(f"without {', '.join(sources)}: {name} {n} of {len(there)}", flush=True)
    for name, found in hits.items():
        low, high = wilson_interval(int(found.sum()), len(found))
        print(
            f"{name}: {found.sum()} of {len(found)}, {found.mean():.3f} ({low:.3f} to {high:.3f}), "
            f"{seconds[name]:.0f} s of processor time"
        )


if __name__ == "__main__":
    main()
