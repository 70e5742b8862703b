"""Seconds that labels were taught from, kept beside the bundle: what is right of a taught label."""

from __future__ import annotations

import hashlib
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weights.bundle import Bundle
from weights.files import written_whole

if TYPE_CHECKING:
    from teaching.learn import Array
    from teaching.lessons import By

FOLDER = "examples"


def save_examples(folder: Path, made: str, examples: Mapping[str, Mapping[By, Array]]) -> None:
    """Keep what one teaching learned from; half precision.

    Args:
        folder: The taught bundle's.
        made: When, as its lessons say.
        examples: By label and sense, `(n, width)`.
    """
    for label, senses in examples.items():
        file = _file(folder, made, label)
        with written_whole(file) as temporary, temporary.open("wb") as out:
            kept: dict[str, Any] = {by: rows.astype(np.float16) for by, rows in senses.items()}
            np.savez(out, **kept)


def load_examples(folder: Path, bundle: Bundle) -> dict[str, dict[By, Array]]:
    """Return what a bundle's lessons were learned from, as far as it is there."""
    parts: dict[str, dict[By, list[Array]]] = defaultdict(lambda: defaultdict(list))
    lessons = () if bundle.head.evidence is None else bundle.head.evidence.lessons
    for lesson in lessons:
        if lesson.denies:
            continue
        try:
            with np.load(_file(folder, lesson.made, lesson.label), allow_pickle=False) as kept:
                for by in ("sound", "picture"):
                    if by in kept:
                        parts[lesson.label][by].append(kept[by].astype(np.float32))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue  # it is taught without
    return {
        label: {by: np.concatenate(rows) for by, rows in senses.items()}
        for label, senses in parts.items()
    }


def _file(folder: Path, made: str, label: str) -> Path:
    name = hashlib.sha256(f"{made} {label}".encode()).hexdigest()[:32]
    return folder / FOLDER / f"{name}.npz"
