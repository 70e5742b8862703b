"""How many files of sources that nothing learned from are named right: trunk and head.

    python -m research.folds --data ../shared/data --features runs/f --yamnet YAMNET --to runs/folds

For each fold (`research.files`, FOLDS) the trunk is fine-tuned and a head is trained on what is
left when the fold's sources are. A file is named by the fixed rule over the mean of its seconds'
logits, or by the head over all its seconds. The same command goes on where it stopped.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.metrics import wilson_interval
from mafnet.model import MAFnet
from research.arguments import parser_of
from research.files import FOLDS, LEFT_OUT, file_early, logits_of
from research.finetune import LEARN, STEPS, Material, finetune, rule_logits
from research.prepare import Ears
from research.sound_corpus import SoundCorpus, load_corpus
from research.start import load_state, make_start
from research.train import KINDS, load_lessons, train
from research.vocabulary import Vocabulary, load_vocabulary
from research.yamnet_parts import LateEars, load_yamnet, save_yamnet


def left_out_files(
    corpus: SoundCorpus, vocabulary: Vocabulary, sources: Sequence[str]
) -> list[tuple[int, int]]:
    """Return places among the test files, and labels, of what is judged without some sources."""
    found = []
    for place, k in enumerate(corpus.files("test")):
        label = vocabulary.index(corpus.names[int(corpus.labels[k])])
        if label is None or corpus.sources[int(k)] not in sources:
            continue
        if corpus.sources[int(k)] in LEFT_OUT.get(vocabulary.labels[label], ()):
            found.append((place, label))
    return found


def known_labels(corpus: SoundCorpus, vocabulary: Vocabulary) -> list[int]:
    """Return the labels that test files have, but for wider ones."""
    wider = set(vocabulary.parents.values())
    labels = {vocabulary.index(corpus.names[int(corpus.labels[k])]) for k in corpus.files("test")}
    return sorted(k for k in labels if k is not None and vocabulary.labels[k] not in wider)


def hits_of(logits: NDArray[np.float32], wanted: Sequence[int], known: Sequence[int]) -> list[bool]:
    """Return whether each file's highest logit among the known labels is its label's."""
    return [
        known[int(own[known].argmax())] == label for own, label in zip(logits, wanted, strict=True)
    ]


def _head(
    options: argparse.Namespace,
    yamnet: Path,
    folder: Path,
    vocabulary: Vocabulary,
    without: frozenset[str],
) -> MAFnet:
    model = make_start(vocabulary, yamnet)
    lessons = load_lessons(options.data, options.features, yamnet, vocabulary, without)
    train(model, lessons, folder, options.epochs, options.kind)
    return load_state(model, folder / "head.safetensors").eval()


def main() -> None:
    """Print the shares."""
    parser = parser_of(__doc__)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS, help="of the fine-tuning")
    parser.add_argument("--learn", type=int, default=LEARN, help="blocks that learn")
    parser.add_argument("--epochs", type=int, default=4, help="of the heads; 0 for none")
    parser.add_argument("--kind", choices=KINDS, default="full")
    options = parser.parse_args()
    torch.set_num_threads(1)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    corpus = load_corpus(options.data, options.features)
    google = load_yamnet(options.yamnet)
    ears = Ears(options.yamnet, options.data / "teacher")
    early = file_early(corpus, "test", ears, options.features)
    known = known_labels(corpus, vocabulary)
    hits: dict[str, list[bool]] = {}
    for number, sources in enumerate(FOLDS):
        files = left_out_files(corpus, vocabulary, sources)
        wanted = [label for _, label in files]
        own = [early[place] for place, _ in files]
        folder = options.to / str(number)
        path = folder / "yamnet.safetensors"
        without = frozenset(sources)
        if not path.exists():
            material = Material.load(options.data, options.features, options.yamnet, without)
            save_yamnet(finetune(material, options.steps, options.learn), path, half=False)
        told = {
            "fixed rule, Google's trunk": rule_logits(google, own, vocabulary),
            "fixed rule, fine-tuned trunk": rule_logits(load_yamnet(path), own, vocabulary),
        }
        if options.epochs:
            head = _head(options, path, folder / options.kind, vocabulary, without)
            late = LateEars(path)
            told["head on the fine-tuned trunk"] = logits_of(head, [late.maps(e) for e in own])
        for name, logits in told.items():
            found = hits_of(logits, wanted, known)
            hits.setdefault(name, []).extend(found)
            print(f"without {', '.join(sources)}: {name} {sum(found)} of {len(found)}", flush=True)
    for name, found in hits.items():
        low, high = wilson_interval(sum(found), len(found))
        print(
            f"{name}: {sum(found)} of {len(found)}, {np.mean(found):.3f} ({low:.3f} to {high:.3f})"
        )


if __name__ == "__main__":
    main()
