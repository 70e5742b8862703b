"""How many whole test files a head names right, by label and source.

    python -m research.files --data ../shared/data --features runs/features --yamnet YAMNET

A file is its seconds (at most five); a head says one logit a label over all of them, and the
highest among the labels that the table has sounds of is its name, but for wider ones (Music).
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from mafnet.attention import PICTURE, SOUND
from mafnet.metrics import wilson_interval
from mafnet.model import MAFnet
from research.arguments import parser_of
from research.pictures import Pictures
from research.prepare import Ears
from research.sound_corpus import SoundCorpus, load_corpus
from research.start import load_state, make_start
from research.vocabulary import Vocabulary, load_vocabulary
from research.yamnet_parts import LateEars
from weights.files import written_whole

MOST_S = 5
WINDOW_CLIPS = 10
# docs/reference/scores.md: each source of these labels is left out once.
LEFT_OUT = {
    "Bark": ("animalsound", "esc10", "urbansound8k"),
    "Helicopter": ("dronedataset", "esc10"),
    "Baby cry, infant cry": ("donateacry", "esc10"),
    "Cello": ("philharmonia", "freesound30"),
    "Clarinet": ("philharmonia", "freesound30"),
    "Saxophone": ("philharmonia", "freesound30"),
}
# Sources left out together: in each of these, one of every label's.
FOLDS = (
    ("animalsound", "dronedataset", "donateacry", "philharmonia"),
    ("esc10", "freesound30"),
    ("urbansound8k",),
)


def file_early(
    corpus: SoundCorpus, split: str, ears: Ears, cache: Path
) -> list[NDArray[np.float16]]:
    """Hear a split's files up to the late blocks; each `(n_seconds, 512, 6, 4)`."""
    path = cache / f"files-{split}.npz"
    files = corpus.files(split)
    if not path.exists():
        early = []
        for k in files:
            wave = corpus.waveform(int(k)) * np.float32(0.1)  # loud level: -20 dBFS
            n = min(MOST_S, max(1, len(wave) // SAMPLE_RATE))
            early.append(ears.early(np.resize(wave, n * SAMPLE_RATE).astype(np.float32)))
        starts = np.cumsum([0, *map(len, early)])
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, early=np.concatenate(early), starts=starts)
    with np.load(path) as kept:
        early, starts = kept["early"], kept["starts"]
    return [early[a:b] for a, b in itertools.pairwise(starts)]


@torch.inference_mode()
def logits_of(model: MAFnet, maps: Sequence[NDArray[np.float16]]) -> NDArray[np.float32]:
    """Return one logit a label for each file, `(n_files, n_labels)`, from sound alone."""
    rows = []
    for own in maps:
        audio = torch.from_numpy(own.astype(np.float32))[None]
        present = torch.ones(1, audio.shape[1], 2, dtype=torch.bool)
        present[:, :, PICTURE] = False
        visual = torch.zeros(1, audio.shape[1], model.config.visual_dim)
        rows.append(model(visual, audio, present).logits[0].numpy())
    return np.stack(rows)


def heard_and_seen(
    model: MAFnet,
    maps: Sequence[NDArray[np.float16]],
    corpus: SoundCorpus,
    pictures: Pictures,
    vocabulary: Vocabulary,
    only: int | None = None,
) -> list[bool]:
    """Name windows of ten clips: each test file of a label that has pictures, with one of these.

    Args:
        model: In evaluation.
        maps: Of the test split's files, repeated to ten seconds.
        corpus: Whose files.
        pictures: Of the table; those of the test split are shown, one a window.
        vocabulary: The labels.
        only: `PICTURE` or `SOUND` to mask the other sense.

    Returns:
        Whether the highest among these labels is the window's, of each.
    """
    shows: dict[int, list[int]] = {}
    for k, (name, split) in enumerate(zip(pictures.labels, pictures.splits, strict=True)):
        label = vocabulary.index(name)
        if split == "test" and label is not None:
            shows.setdefault(label, []).append(k)
    labels = [vocabulary.index(corpus.names[int(corpus.labels[k])]) for k in corpus.files("test")]
    known = sorted({label for label in labels if label is not None and label in shows})
    rng = np.random.default_rng(0)
    hits = []
    for own, label in zip(maps, labels, strict=True):
        if label is None or label not in shows:
            continue
        place = int(rng.choice(shows[label]))
        views = rng.integers(0, pictures.features.shape[1], WINDOW_CLIPS)
        visual = torch.from_numpy(pictures.features[place, views].astype(np.float32))[None]
        audio = torch.from_numpy(np.resize(own, (WINDOW_CLIPS, *own.shape[1:])).astype(np.float32))
        present = torch.ones(1, WINDOW_CLIPS, 2, dtype=torch.bool)
        if only is not None:
            present[:, :, SOUND if only == PICTURE else PICTURE] = False
        with torch.inference_mode():
            logits = model(visual, audio[None], present).logits[0, known]
        hits.append(known[int(logits.argmax())] == label)
    return hits


def named(
    logits: NDArray[np.float32], corpus: SoundCorpus, split: str, vocabulary: Vocabulary
) -> dict[tuple[str, str], list[bool]]:
    """Return whether each file was named right, by label and source."""
    files = corpus.files(split)
    labels = [vocabulary.index(corpus.names[int(corpus.labels[k])]) for k in files]
    wider = set(vocabulary.parents.values())  # true of many files, and no file's own name
    known = sorted({k for k in labels if k is not None and vocabulary.labels[k] not in wider})
    right: dict[tuple[str, str], list[bool]] = {}
    for row, (k, label) in enumerate(zip(files, labels, strict=True)):
        if label in known:
            best = known[int(logits[row, known].argmax())]
            key = (vocabulary.labels[label], corpus.sources[int(k)])
            right.setdefault(key, []).append(best == label)
    return right


def main() -> None:
    """Print the shares."""
    parser = parser_of(__doc__)
    parser.add_argument("--head", type=Path)
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    torch.set_num_threads(1)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    corpus = load_corpus(options.data, options.features)
    ears = Ears(options.yamnet, options.data / "teacher")
    late = LateEars(options.yamnet)
    maps = [late.maps(own) for own in file_early(corpus, options.split, ears, options.features)]
    model = make_start(vocabulary, options.yamnet)
    if options.head is not None:
        load_state(model, options.head)
    right = named(logits_of(model.eval(), maps), corpus, options.split, vocabulary)
    of_all = [hit for own in right.values() for hit in own]
    left_out = [
        hit
        for (label, source), own in right.items()
        if source in LEFT_OUT.get(label, ())
        for hit in own
    ]
    for name, hits in (("all files", of_all), ("sources of the folds", left_out)):
        low, high = wilson_interval(sum(hits), len(hits))
        print(f"{name}: {sum(hits)} of {len(hits)}, {np.mean(hits):.3f} ({low:.3f} to {high:.3f})")
    for (label, source), own in sorted(right.items()):
        print(f"  {label} / {source}: {sum(own)} of {len(own)}")


if __name__ == "__main__":
    main()
