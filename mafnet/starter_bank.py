"""Reads the features that `extractors.starter_features` wrote into a bank to compose from.

Place in the flow: before `mafnet.train_starter`. It decides which label each feature stands for:
labels that are heard make the head's outputs; what can only be seen is "something else".
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mafnet.compose import FeatureBank, Vectors

BACKGROUND = "Background"
# A steady hum differs from a quiet room's own noise by level alone.
MERGED = {"Air conditioner": BACKGROUND}
# A playground is mostly voices: as a label, or as Background, it took the speech of loud rooms.
LEFT_OUT = ("Children playing",)
PICTURES_OF = {"fusion": "train", "settle": "val"}
FACE = "Face"
SPEECH = ("Male speech, man speaking", "Female speech, woman speaking")
VOICES = (*SPEECH, "Baby cry, infant cry", "Sneeze")  # labels that a face may belong to


def load_bank(folder: Path, split: str) -> FeatureBank:
    """Read one split's features.

    Args:
        folder: What `extractors.starter_features` wrote.
        split: `train`, `val`, `test`, or the halves of `val`: `fusion` (its sounds with the
            pictures of `train`) and `settle` (with those of `val`).

    Returns:
        The bank; its labels are the same for every split.
    """
    about = json.loads((folder / f"sound_{split}.json").read_text())
    heard = [MERGED.get(name, name) for name in about["names"]]
    labels = tuple(sorted(set(heard) - set(LEFT_OUT)))
    of_name = np.array([labels.index(name) if name in labels else -1 for name in heard])
    of_row = of_name[about["labels"]]  # -1: belongs to no label, never drawn
    pictures, unrelated = _pictures(folder, PICTURES_OF.get(split, split), labels)
    return FeatureBank(
        labels=labels,
        background=BACKGROUND,
        maps=np.load(folder / f"sound_{split}.npy"),
        rows={name: np.flatnonzero(of_row == k) for k, name in enumerate(labels)},
        pictures=pictures,
        unrelated=unrelated,
        silent=frozenset(VOICES),
        picture_kernel=_kernel(folder) if split == "train" else None,
    )


def join_unseen(bank: FeatureBank, unseen: FeatureBank, share: float) -> FeatureBank:
    """Add sounds that the trunk was not trained on, so often that they are drawn with `share`.

    Args:
        bank: Training features.
        unseen: Features of other recordings, with the same labels.
        share: Of the draws of a label that `unseen` has, 0 to 1, exclusive.

    Returns:
        A bank with the sounds of both and the pictures of the first.
    """
    rows = {}
    for name, own in bank.rows.items():
        others = unseen.rows[name] + len(bank.maps)
        if len(own) and len(others):
            n_times = round(share / (1.0 - share) * len(own) / len(others))
            others = np.tile(others, max(1, n_times))
        rows[name] = np.concatenate([own, others])
    return dataclasses.replace(bank, maps=np.concatenate([bank.maps, unseen.maps]), rows=rows)


def _kernel(folder: Path) -> NDArray[np.float32] | None:
    path = folder / "picture_rows.npz"
    if not path.exists():
        return None
    with np.load(path) as file:
        kernel: NDArray[np.float32] = file["kernel"]
    return kernel


def _pictures(
    folder: Path, split: str, labels: tuple[str, ...]
) -> tuple[dict[str, list[Vectors]], list[Vectors]]:
    with np.load(folder / f"picture_{split}.npz") as file:
        names, of_row, vectors = file["names"], file["labels"], file["vectors"]
    by_label: dict[str, list[Vectors]] = {}
    unrelated: list[Vectors] = []
    for k, name in enumerate(names.tolist()):
        part = vectors[of_row == k]
        if not len(part):
            continue
        if name == FACE:
            for voice in VOICES:
                by_label.setdefault(voice, []).append(part)
            unrelated.append(part)  # people stand beside everything that sounds
        elif name in labels and name != BACKGROUND:
            by_label.setdefault(name, []).append(part)
        else:
            unrelated.append(part)
    rows_path = folder / "picture_rows.npz"
    if split == "train" and rows_path.exists():
        with np.load(rows_path) as file:
            names, of_row, vectors = file["names"], file["labels"], file["vectors"]
        for k, name in enumerate(names.tolist()):
            part = vectors[of_row == k]
            if not name:
                unrelated.append(part)
            elif name in labels:
                by_label.setdefault(name, []).append(part)
    return by_label, unrelated
