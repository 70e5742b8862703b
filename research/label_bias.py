"""Gives every label the same meaning of "sure": biases from what it scores where it is not.

    python -m research.label_bias --data ../shared/data --features runs/features --yamnet YAMNET \
        --head runs/head/head.safetensors --to runs/head/biased.safetensors

Windows in which neither a file's label nor the teacher hears a label are its negatives. The tail of
their scores says which logit it would reach by mistake `MISTAKES` times in them; its bias moves so
that this logit, drawn half-way to the common one, becomes the common threshold. Real clips have no
say.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.attention import PICTURE
from mafnet.model import MAFnet
from research.arguments import parser_of
from research.lessons import TEACHER_OFFSET, UNHEARD, Heard, load_heard
from research.listeners import Teacher
from research.says import TRACE
from research.settings import EVENTS
from research.start import load_state, make_start, save_head
from research.vocabulary import Vocabulary, load_vocabulary
from research.windows import WINDOW_S
from research.yamnet_parts import LateEars

COMMON = 0.6  # the threshold that all labels then have
MISTAKES = 0.3  # of a label in all windows
BLOCKS = 20  # of each split
N_TAIL = 20  # negatives that tell the tail
SHARE = 0.5  # of the way from the common threshold to the estimate: it is of few sounds
KEEN = 0.1  # all thresholds are lower by so many logits: what is joined over time is surer
LOWEST, HIGHEST = 0.35, 0.8  # thresholds are kept in here
CONTEXT = np.float32(EVENTS["window_weight"])
Array = NDArray[np.float32]


@torch.inference_mode()
def sound_logits(model: MAFnet, heard: Heard, n_clips: int) -> Array:
    """Return the logits `(N, n_labels)` of each window's last clips, from sound alone."""
    parts = []
    for first in range(0, len(heard.maps), 100):
        maps = heard.maps[first : first + 100, -n_clips:]
        audio = torch.from_numpy(maps.astype(np.float32))
        present = torch.ones(len(maps), n_clips, 2, dtype=torch.bool)
        present[:, :, PICTURE] = False
        visual = torch.zeros(len(maps), n_clips, model.config.visual_dim)
        parts.append(model(visual, audio, present).logits.numpy())
    return np.concatenate(parts)


def thresholds(logits: Array, heard: Heard, vocabulary: Vocabulary) -> Array:
    """Return the logit at which each label is sure, `(n_labels,)`."""
    traces: NDArray[np.bool_] = np.any(heard.heard[:, -3:] > TRACE, axis=1)
    unheard = _sigmoid(np.maximum(heard.short, heard.long) + TEACHER_OFFSET) < UNHEARD
    common = _logit(COMMON)
    wanted = np.full(len(vocabulary.labels), common, np.float32)
    for label, name in enumerate(vocabulary.labels):
        negative = unheard[:, label] & ~traces[:, label]
        for child, parent in vocabulary.parents.items():
            if parent == name:
                negative &= ~traces[:, vocabulary.labels.index(child)]
        tail = np.sort(logits[negative, label])[::-1][: N_TAIL + 1]
        beyond = float((tail[:N_TAIL] - tail[N_TAIL]).mean())
        estimate = float(tail[N_TAIL]) + beyond * np.log(N_TAIL / MISTAKES)
        threshold = common + SHARE * (estimate - common) - KEEN
        wanted[label] = np.clip(threshold, _logit(LOWEST), _logit(HIGHEST))
    return wanted


def moved_biases(model: MAFnet, heard: Heard, vocabulary: Vocabulary) -> Array:
    """Move the biases; returns the thresholds as probabilities before it."""
    newest, window = (sound_logits(model, heard, n) for n in (1, WINDOW_S))
    wanted = thresholds((1 - CONTEXT) * newest + CONTEXT * window, heard, vocabulary)
    assert model.evidence is not None
    with torch.no_grad():
        model.evidence.sound_bias.add_(torch.from_numpy(_logit(COMMON) - wanted))
    return _sigmoid(wanted)


def _sigmoid(logits: Any) -> Array:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def main() -> None:
    """Move a head's biases and write it."""
    parser = parser_of(__doc__)
    parser.add_argument("--head", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    names = Teacher.class_names(options.data / "teacher")
    model = make_start(vocabulary, options.yamnet)
    if options.head is not None:
        load_state(model, options.head)
    model.eval()
    late = LateEars(options.yamnet)
    splits = [
        load_heard(options.features / split, vocabulary, names, late, most=BLOCKS)
        for split in ("train", "val")
    ]
    heard = Heard(
        **{
            name: np.concatenate([getattr(split, name) for split in splits])
            for name in ("maps", "short", "long", "heard", "empty")
        }
    )
    found = moved_biases(model, heard, vocabulary)
    for place in np.argsort(found):
        print(f"{found[place]:.2f} {vocabulary.labels[place]}")
    options.to.parent.mkdir(parents=True, exist_ok=True)
    save_head(model, options.to)


if __name__ == "__main__":
    main()
