"""What a user's examples are held against: seconds and pictures of other things, as numbers.

They lie beside the starter's weights, made by `research.teaching_reference` and
`research.teaching_own`, and fit its trunks alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from teaching.errors import TeachError
from weights.bundle import Bundle, load_bundle
from weights.tensor_files import load_tensors, read_metadata

FILE, OWN_FILE = "reference.safetensors", "own.safetensors"
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
        own: By label, more seconds of it, as it was recorded and as rooms make it, `(n, width)`.
    """

    rows: Array
    labels: tuple[str, ...]
    empty: Array
    own: Mapping[str, Array] = field(default_factory=dict)

    def of(self, label: str) -> Array:
        """Return the rows of a label, `(n, width)`; there may be none."""
        rows = self.rows[[own == label for own in self.labels]]
        return np.concatenate([rows, self.own[label]]) if label in self.own else rows

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
    folder = Path(load_bundle("starter").path)
    tensors, told = _read(folder / FILE)
    own_tensors, own_told = _read(folder / OWN_FILE)
    try:
        names = json.loads(told["labels"])
        empty = unpacked("empty", tensors)
        own = unpacked("own", own_tensors)
        own_names = json.loads(own_told["labels"])
        places = own_tensors["own_label"].numpy()
        senses = [
            Reference(
                rows=tensors[name].numpy().astype(np.float32)
                * tensors[f"{name}_scale"].numpy()[:, None],
                labels=tuple(names[int(k)] for k in tensors[f"{name}_label"]),
                empty=empty if name == "sound" else np.zeros((0, 1), np.float32),
                own={label: own[places == k] for k, label in enumerate(own_names)}
                if name == "sound"
                else {},
            )
            for name in ("sound", "picture")
        ]
        fits = (told["audio"], told["visual"]) == (bundle.audio.sha256, bundle.visual.sha256)
        fits = fits and own_told["audio"] == bundle.audio.sha256
    except (KeyError, ValueError, IndexError) as error:
        raise TeachError(f"{folder} is damaged ({error}): install the program anew") from error
    if not fits:
        raise TeachError(
            f"the bundle {bundle.name} {bundle.version} has other trunks than the starter: "
            "teaching wants the starter, or a bundle that was taught from it"
        )
    return senses[0], senses[1]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        return load_tensors(path), read_metadata(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise TeachError(f"{path} is damaged ({error}): install the program anew") from error


def packed(name: str, rows: Array, n_directions: int = DIRECTIONS) -> dict[str, NDArray[Any]]:
    """Return rows as codes along their principal directions; see `unpacked`.

    Args:
        name: Of the tensors.
        rows: `(K, width)`, K of `n_directions` or more.
        n_directions: How many are kept.
    """
    mean = rows.mean(axis=0)
    away = rows - mean
    _, directions = np.linalg.eigh(away.T @ away)  # rising
    basis = directions[:, ::-1][:, :n_directions].T.astype(np.float32)
    codes = away @ basis.T
    scale = np.abs(codes).max(axis=0).clip(1e-6) / 127
    return {
        name: np.round(codes / scale).astype(np.int8),
        f"{name}_basis": np.ascontiguousarray(basis * scale[:, None], np.float16),
        f"{name}_mean": mean.astype(np.float32),
    }


def unpacked(name: str, tensors: dict[str, Tensor]) -> Array:
    """Return what `packed` packed, `(K, width)`."""
    codes = tensors[name].numpy().astype(np.float32)
    basis = tensors[f"{name}_basis"].numpy().astype(np.float32)
    return np.asarray(codes @ basis + tensors[f"{name}_mean"].numpy(), np.float32)
