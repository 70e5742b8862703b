"""What a user's examples are held against: seconds and pictures of other things, as numbers.

They lie beside the starter's weights (`research.teaching_reference` makes them) and fit its trunks
alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from teaching.errors import TeachError
from weights.bundle import Bundle, load_bundle
from weights.tensor_files import load_tensors, read_metadata

FILE = "reference.safetensors"
NOTHING = ("Background", "Air conditioner")  # labels of rooms in which nothing happens
UNNAMED = "Unlabelled"
DIRECTIONS = 64  # of an hour of nothing: they hold 0.94 of its variance
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Rows of one sense.

    Attributes:
        rows: What the trunk made of each, `(n, width)`.
        labels: What each is, of AudioSet's names; "Background" of nothing.
        empty: Every other second of an hour of nothing, in order, `(K, width)`; none of pictures.
    """

    rows: Array
    labels: tuple[str, ...]
    empty: Array

    def of(self, label: str) -> Array:
        """Return the rows of a label, `(n, width)`; there may be none."""
        return self.rows[[own == label for own in self.labels]]

    def but(
        self, label: str, related: frozenset[str] = frozenset()
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Return the rows that are not of a label, nor of those that it belongs to or has.

        Sounds that nobody named are left out too: they may be of it.

        Returns:
            Rows `(n, width)`, and which of them are of nothing, `(n,)`.
        """
        kept = np.array([own not in {label, UNNAMED, *related} for own in self.labels])
        nothing = np.array([own in NOTHING and own != label for own in self.labels])
        return self.rows[kept], nothing[kept]


def load_reference(bundle: Bundle) -> tuple[Reference, Reference]:
    """Return the references of sounds and of pictures.

    Raises:
        TeachError: They do not fit the bundle's trunks, or are damaged.
    """
    path = Path(load_bundle("starter").path) / FILE
    try:
        tensors, told = load_tensors(path), read_metadata(path)
        names = json.loads(told["labels"])
        senses = [
            Reference(
                rows=tensors[name].numpy().astype(np.float32)
                * tensors[f"{name}_scale"].numpy()[:, None],
                labels=tuple(names[int(k)] for k in tensors[f"{name}_label"]),
                empty=unpacked_empty(tensors) if name == "sound" else np.zeros((0, 1), np.float32),
            )
            for name in ("sound", "picture")
        ]
    except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
        raise TeachError(f"{path} is damaged ({error}): install the program anew") from error
    if (told["audio"], told["visual"]) != (bundle.audio.sha256, bundle.visual.sha256):
        raise TeachError(
            f"the bundle {bundle.name} {bundle.version} has other trunks than the starter: "
            "teaching wants the starter, or a bundle that was taught from it"
        )
    return senses[0], senses[1]


def packed_empty(rows: Array) -> dict[str, NDArray[Any]]:
    """Return an hour as codes along its principal directions; see `unpacked_empty`.

    Args:
        rows: `(K, width)`, K of `DIRECTIONS` or more.
    """
    mean = rows.mean(axis=0)
    away = rows - mean
    _, directions = np.linalg.eigh(away.T @ away)  # rising
    basis = directions[:, ::-1][:, :DIRECTIONS].T.astype(np.float32)
    codes = away @ basis.T
    scale = np.abs(codes).max(axis=0).clip(1e-6) / 127
    return {
        "empty": np.round(codes / scale).astype(np.int8),
        "empty_basis": (basis * scale[:, None]).astype(np.float16),
        "empty_mean": mean.astype(np.float32),
    }


def unpacked_empty(tensors: dict[str, Tensor]) -> Array:
    """Return what `packed_empty` packed, `(K, width)`."""
    codes = tensors["empty"].numpy().astype(np.float32)
    basis = tensors["empty_basis"].numpy().astype(np.float32)
    return np.asarray(codes @ basis + tensors["empty_mean"].numpy(), np.float32)
