"""Features of the starter's training data: what MAFnet's head is trained on.

Place in the flow: offline, between the trunks and `mafnet train --recipe starter`. Sounds become
maps of augmented clips, pictures become pooled vectors of augmented frames. It pairs nothing:
sounds and pictures come from different recordings, and composing them into windows is
`mafnet.compose`.

Writes `sound_{split}.npy` (float16 maps) with `sound_{split}.json`, `picture_{split}.npz` and
`picture_rows.npz`.
"""

import argparse
import csv
import dataclasses
import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from extractors.backend_flags import BACKENDS
from extractors.background_source import BackgroundSource
from extractors.clip_source import ClipSource
from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.encoders import PictureEncoder, SoundEncoder, load_encoders
from extractors.imagenet_classes import class_labels, kernel_of_rows, vectors_of_rows
from extractors.media import read_picture
from extractors.picture_augment import as_frame
from extractors.sound_corpus import BACKGROUND, HALVES, load_corpus
from extractors.sound_training import TrainSoundConfig
from extractors.vggish import VGGishTrunk
from extractors.visual import load_visual_trunk
from extractors.voice_source import VoiceSource
from weights.paths import to_path

logger = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
N_VARIANTS = {"train": 3, "val": 2, "test": 2}  # frames of a picture; the first is unchanged
N_CLIPS = {"train": 14_000, "val": 3_000, "test": 3_000, "fusion": 5_000, "settle": 5_000}
N_OF_LABEL = 160  # vectors from the classifier's rows for a label
N_KERNEL_ROWS = 512  # width of the head's picture layer
N_OF_NO_LABEL = 4  # and for a class that shows none
VOICES_SHARE = 0.12  # of the clips: voices over a crowd, on top
ELSEWHERE_SHARE = 0.2  # of the clips: nothing, as other places give it, on top
ELSEWHERE_SPLITS = ("train", *HALVES)  # not of those that measure: their figures stay comparable
BATCH = 50
SEED = 11


@torch.inference_mode()
def sound_features(
    data: Path,
    cache: Path,
    encoder: SoundEncoder,
    to: Path,
    share: float = 1.0,
    splits: Sequence[str] = (*SPLITS, *HALVES),
    places: float = 0.0,
) -> None:
    """Write the maps of augmented clips of each split.

    Args:
        data: Folder that holds `sounds.csv`.
        cache: Where decoded samples are kept.
        encoder: The sound trunk.
        to: Folder to write to.
        share: Of `N_CLIPS`, for a quick look.
        splits: Which; what is drawn of one does not depend on the others.
        places: Of the ordinary clips: recorded backgrounds and the pauses of recordings.
    """
    corpus = load_corpus(data, cache)
    for number, split in enumerate((*SPLITS, *HALVES)):
        if split not in splits:
            continue
        config = TrainSoundConfig(seed=SEED + number, nothing=0.12, places=places, synthesised=0.03)
        source = ClipSource(corpus, split, config)
        source.augment = dataclasses.replace(source.augment, blend=0.0)
        voices = VoiceSource(corpus, split, config)
        n_ordinary = math.ceil(share * N_CLIPS[split] / BATCH)
        sources: list[ClipSource] = [source] * n_ordinary
        if voices.speaks:
            sources += [voices] * math.ceil(VOICES_SHARE * n_ordinary)
        if split in ELSEWHERE_SPLITS:
            elsewhere = BackgroundSource(corpus, split, config)
            if elsewhere.has_places:
                sources += [elsewhere] * math.ceil(ELSEWHERE_SHARE * n_ordinary)
        shape = (len(sources) * BATCH, *(VGGishTrunk.dim, *VGGishTrunk.map_size))
        maps = np.lib.format.open_memmap(to / f"sound_{split}.npy", "w+", np.float16, shape)
        labels: list[int] = []
        levels: list[float] = []
        for step, drawn_from in enumerate(sources):
            waves, targets = drawn_from.draw(BATCH, step)
            maps[step * BATCH : (step + 1) * BATCH] = encoder.encode(waves.numpy())[1]
            labels += targets.argmax(dim=1).tolist()
            levels += waves.square().mean(dim=1).sqrt().tolist()
        maps.flush()
        about = {"names": list(corpus.names), "labels": labels, "rms": levels}
        (to / f"sound_{split}.json").write_text(json.dumps(about))
        logger.info("%s: %d sound maps", split, len(labels))


@torch.inference_mode()
def picture_features(
    data: Path,
    trunk_path: Path,
    encoder: PictureEncoder,
    to: Path,
    splits: Sequence[str] = SPLITS,
) -> None:
    """Write the pooled vectors of augmented frames of each split, and the trunk's classifier.

    Args:
        data: Folder that holds `pictures.csv`.
        trunk_path: EfficientNet-Lite0 weights, for its classifier.
        encoder: The same trunk.
        to: Folder to write to.
        splits: Which; what is drawn of one does not depend on the others.
    """
    trunk = load_visual_trunk("efficientnet_lite0", trunk_path)
    assert isinstance(trunk, EfficientNetLite0Trunk)  # for the type checker
    with (data / "pictures.csv").open(newline="", encoding="utf-8-sig") as table:
        rows = list(csv.DictReader(table))
    names = sorted({row["label"] for row in rows} | {BACKGROUND})
    for split in splits:
        rng = np.random.default_rng((SEED, SPLITS.index(split)))
        chosen = [row for row in rows if row["split"] == split]
        pictures = [Image.fromarray(read_picture(data / row["file"])) for row in chosen]
        scenes = [p for p, r in zip(pictures, chosen, strict=True) if r["label"] == BACKGROUND]
        n_variants = N_VARIANTS[split]
        vectors = np.zeros((len(chosen), n_variants, trunk.dim), dtype=np.float16)
        for first in range(0, len(chosen), 16):
            part = pictures[first : first + 16]
            for variant in range(n_variants):
                frames = np.stack(
                    [
                        trunk.transform.resize(np.asarray(_variant(p, scenes, variant, rng)))
                        for p in part
                    ]
                )
                vectors[first : first + len(part), variant] = encoder.encode(frames)
        np.savez(
            to / f"picture_{split}.npz",
            names=np.array(names),
            labels=np.array([names.index(row["label"]) for row in chosen]),
            vectors=vectors,
            class_weight=trunk.classifier.weight.numpy(),
            class_bias=trunk.classifier.bias.numpy(),
        )
        logger.info("%s: %d pictures", split, len(chosen))


def row_features(to: Path) -> None:
    """Write vectors made from the classifier's rows, beside the pictures of the training split.

    Args:
        to: Folder that `picture_features` wrote to.
    """
    with np.load(to / "picture_train.npz") as file:
        vectors, groups = file["vectors"].astype(np.float32), file["labels"]
        class_weight = file["class_weight"]
    flat = vectors[:, 1:].reshape(-1, vectors.shape[2])  # frames as a camera gives them
    groups = np.repeat(groups, vectors.shape[1] - 1)
    means = np.stack([flat[groups == group].mean(axis=0) for group in range(groups.max() + 1)])
    mean, residuals = means.mean(axis=0), flat - means[groups]
    rng = np.random.default_rng(SEED)
    labels = class_labels(len(class_weight))
    names = sorted({label for label in labels if label is not None})
    made: list[NDArray[np.float16]] = []
    of_row: list[int] = []
    for k, name in enumerate(names):
        rows = np.array([row for row, label in enumerate(labels) if label == name])
        n_each = N_OF_NO_LABEL if not name else math.ceil(N_OF_LABEL / len(rows))
        part = vectors_of_rows(class_weight[rows], mean, residuals, n_each, rng)
        made.append(part[:, None])
        of_row += [k] * len(part)
    np.savez(
        to / "picture_rows.npz",
        names=np.array(names),
        labels=np.array(of_row),
        vectors=np.concatenate(made),
        kernel=kernel_of_rows(class_weight, labels, N_KERNEL_ROWS),
    )
    logger.info("%d vectors from classifier rows", len(of_row))


def _variant(
    picture: Image.Image, scenes: list[Image.Image], variant: int, rng: np.random.Generator
) -> Image.Image:
    if variant == 0:
        return picture
    inside = variant == 2 and rng.random() < 0.7
    scene = scenes[int(rng.integers(0, len(scenes)))] if inside else None
    return as_frame(picture, scene, rng)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("--data", type=to_path, required=True, help="folder of sounds.csv")
    parser.add_argument("--to", type=to_path, required=True, help="folder for the features")
    parser.add_argument("--cache", type=to_path, default=Path("runs"), help="decoded samples")
    parser.add_argument("--sound-trunk", type=to_path, help="vggish.safetensors; none: no sounds")
    parser.add_argument("--share", type=float, default=1.0, help="share of the clips to draw")
    parser.add_argument(
        "--places",
        type=float,
        default=0.0,
        help="share of the ordinary clips with recorded backgrounds and pauses of recordings (0); "
        "a fifth more, of places changed and made, is drawn on top of what a head learns from",
    )
    parser.add_argument("--picture-trunk", type=to_path, help="its weights; none: no pictures")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="of the sound trunk")


def run(args: argparse.Namespace) -> int:
    """Write whichever features a trunk was given for.

    Args:
        args: As declared by `add_arguments`.

    Returns:
        Exit code 0.
    """
    args.to.mkdir(parents=True, exist_ok=True)
    if args.picture_trunk is not None:
        pictures = load_encoders(efficientnet_lite0=args.picture_trunk).picture
        assert pictures is not None  # a path was given
        picture_features(args.data, args.picture_trunk, pictures, args.to)
        row_features(args.to)
    if args.sound_trunk is not None:
        encoder = load_encoders(vggish=args.sound_trunk, backend=args.backend).sound
        assert encoder is not None  # a path was given
        sound_features(args.data, args.cache, encoder, args.to, args.share, places=args.places)
    return 0


def main() -> int:
    """Run this command alone: `python -m extractors.starter_features`.

    Returns:
        Exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
