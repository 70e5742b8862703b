"""Features of a split, from this project's folder or from the authors' pickles.

A folder of ours holds `features.json` and arrays that are memory-mapped, so that AVE's 6.5 GB of
training sound need not fit in memory; the authors' holds `{split}Set_{visual,audio,target}.p`.
docs/reference/features.md describes both. Features are read as they were made: nothing is
normalised here.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mafnet.array_pickle import read_array_pickle
from mafnet.attention import PICTURE, SOUND
from mafnet.errors import FeaturesError
from mafnet.labels import AVE_LABELS
from mafnet.shards import Shards

SPLITS = ("train", "val", "test")
Senses = Literal["both", "sound", "picture"]
BACKGROUND = "Background"  # the label of what is none of the others, as `extractors` calls it
_BACKGROUND_NAMES = ("background", "nothing", "silence", "none")
# Pickles do not say what made them; `extract --pickles` writes the starter's features so too.
_AUTHORS_TRUNK = "densenet201"
_TRUNK_OF_WIDTH = {(1280,): "efficientnet_lite0"}
_PICKLE = "{}Set_visual.p"  # of the authors
_MAX_MANIFEST = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some videos as the network reads them."""

    visual: Tensor  # (B, T, D) float32
    audio: Tensor  # (B, T, C, H, W) float32
    present: Tensor | None  # (B, T, 2) bool, picture first; None: everything is there
    target: Tensor  # (B,) int64
    label_sets: Tensor | None = None  # (B, n_labels) float32 of 0 and 1, where there are several

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device; from pinned memory the copy runs beside what follows."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """Return the batch in memory that a GPU copies from by itself."""
        return self._with(Tensor.pin_memory)

    def rows(self, which: slice | Tensor) -> "Batch":
        """Return some of the videos."""
        return self._with(lambda tensor: tensor[which])

    def _with(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(
            visual=change(self.visual),
            audio=change(self.audio),
            present=None if self.present is None else change(self.present),
            target=change(self.target),
            label_sets=None if self.label_sets is None else change(self.label_sets),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """All videos of a split.

    Attributes:
        labels: Names of the target's columns.
        visual: `(N, T, D)`, possibly memory-mapped, float32 or float16.
        audio: `(N, T, H, W, C)`, likewise: time, mel and channels of the sound trunk's maps.
        target: `(N,)` int64, index of each video's label; of several the first.
        label_sets: bool `(N, n_labels)`, all labels of each video; None where each has one.
        present: `(N, T, 2)` bool, or None where everything is there.
        names: What each video is called.
        visual_trunk: The picture trunk that made them, as `extractors` names it.
        sound_trunk: The sound trunk that did, where it is known.
        trunk_hashes: sha256 of the weights that made them, by "visual" and "audio", where known.
        frames: Small pictures `(N, T, H, W, 3)` uint8, one a clip, for reports; or None.
    """

    labels: tuple[str, ...]
    visual: NDArray[Any] | Shards
    audio: NDArray[Any] | Shards
    target: NDArray[np.int64]
    present: NDArray[np.bool_] | None
    names: tuple[str, ...]
    visual_trunk: str
    sound_trunk: str | None = None
    trunk_hashes: Mapping[str, str] = field(default_factory=dict)
    frames: NDArray[np.uint8] | Shards | None = None
    label_sets: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def visual_dim(self) -> int:
        """Width D of the visual vectors."""
        return int(self.visual.shape[2])

    @property
    def sound_map(self) -> tuple[int, int, int]:
        """Channels, time and mel (C, H, W) of the sound maps, as the network takes them."""
        _, _, n_times, n_mels, n_channels = self.audio.shape
        return n_channels, n_times, n_mels

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Gather some videos; the order of ``rows`` is kept.

        Raises:
            FeaturesError: A value of a sense that is there is not finite.
        """
        visual = np.asarray(self.visual[rows], np.float32)
        audio = np.asarray(self.audio[rows], np.float32)
        for sense, values in enumerate((visual, audio)):
            self._check_finite(rows, sense, values)
        return Batch(
            visual=torch.from_numpy(visual),
            # Channels last in memory, as convolutions like it.
            audio=torch.from_numpy(audio).permute(0, 1, 4, 2, 3),
            present=None if self.present is None else torch.from_numpy(self.present[rows]),
            target=torch.from_numpy(self.target[rows]),
            label_sets=None
            if self.label_sets is None
            else torch.from_numpy(self.label_sets[rows].astype(np.float32)),
        )

    def alone(self, senses: Senses) -> "FeatureSet":
        """Return the same videos with one sense, the other masked; or as they are, with both."""
        if senses == "both":
            return self
        n_videos, n_clips, _ = self.visual.shape
        present = np.zeros((n_videos, n_clips, 2), np.bool_)
        present[:, :, SOUND if senses == "sound" else PICTURE] = True
        there = present if self.present is None else present & self.present
        return replace(self, present=there)

    def only(self, rows: NDArray[np.int64]) -> "FeatureSet":
        """Return some of the videos, copied, in the order of ``rows``."""
        return replace(
            self,
            visual=self.visual[rows],
            audio=self.audio[rows],
            target=self.target[rows],
            label_sets=None if self.label_sets is None else self.label_sets[rows],
            present=None if self.present is None else self.present[rows],
            names=tuple(self.names[row] for row in rows),
            frames=None if self.frames is None else self.frames[rows],
        )

    def background(self, named: str | None = None) -> str | None:
        """Return the label that is no event: the one named, or the one that is called so.

        Raises:
            FeaturesError: The one named is no label.
        """
        if named is not None and named not in self.labels:
            raise FeaturesError(f"no label {named!r}: there are {', '.join(self.labels)}")
        called = (label for label in self.labels if label.casefold() in _BACKGROUND_NAMES)
        return named if named is not None else next(called, None)

    def n_of_labels(self) -> NDArray[np.int64]:
        """Count each label's videos: `(n_labels,)`."""
        if self.label_sets is not None:
            counts: NDArray[np.int64] = self.label_sets.sum(axis=0, dtype=np.int64)
            return counts
        return np.bincount(self.target, minlength=len(self.labels))

    def shared_with(self, other: "FeatureSet") -> list[str]:
        """Name the videos whose pictures and first second of sound are another set's too."""
        theirs = set(other._fingerprints())
        return [
            name
            for name, own in zip(self.names, self._fingerprints(), strict=True)
            if own in theirs
        ]

    def _fingerprints(self) -> Iterator[bytes]:
        for visual, audio in zip(self.visual, self.audio, strict=True):
            digest = hashlib.sha256(np.ascontiguousarray(visual).tobytes())
            digest.update(np.ascontiguousarray(audio[0]).tobytes())
            yield digest.digest()

    def _check_finite(
        self, rows: NDArray[np.int64], sense: int, values: NDArray[np.float32]
    ) -> None:
        finite = np.isfinite(values).all(axis=tuple(range(2, values.ndim)))  # (n, T)
        if self.present is not None:
            finite |= ~self.present[rows, :, sense]
        if not finite.all():
            row, clip = np.argwhere(~finite)[0]
            raise FeaturesError(
                f"{self.names[rows[row]]}: the {('visual', 'audio')[sense]} features of its clip "
                f"{clip} hold values that are not finite: extract it again, or leave it out"
            )


def load_feature_set(folder: Path, split: str) -> FeatureSet:
    """Open the features of a split.

    Args:
        folder: A folder of ours or of the authors' pickles.
        split: train, val or test.

    Raises:
        FeaturesError: Something is missing, unreadable or does not fit together.
    """
    if not folder.is_dir():
        raise FeaturesError(f"{folder}: there is no such folder of features")
    if (folder / "features.json").is_file():
        return _load_ours(folder, split)
    if (folder / _PICKLE.format(split)).is_file():
        return _load_authors(folder, split)
    raise FeaturesError(
        f"{folder}: no features of the split {split} (neither features.json with "
        f"{split}_visual.npy nor {split}Set_visual.p)"
    )


def has_split(folder: Path, split: str) -> bool:
    """Tell whether a folder has features of a split."""
    return any((folder / name).is_file() for name in (f"{split}_visual.npy", _PICKLE.format(split)))


def labels_of(folder: Path) -> tuple[str, ...]:
    """Read a folder's labels, in the order of its target's columns.

    Raises:
        FeaturesError: It holds no features.
    """
    if (folder / "features.json").is_file():
        return _read_manifest(folder)[0]
    split = next((split for split in SPLITS if has_split(folder, split)), SPLITS[0])
    return load_feature_set(folder, split).labels


def _read_manifest(folder: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    where = folder / "features.json"
    manifest = _read_json(where)
    labels = manifest.get("labels") if isinstance(manifest, dict) else None
    if (
        not isinstance(labels, list)
        or not labels
        or not all(isinstance(label, str) and label for label in labels)
        or len(set(labels)) != len(labels)
    ):
        raise FeaturesError(f"{where}: 'labels' must be a list of different texts")
    return tuple(labels), manifest


def _load_ours(folder: Path, split: str) -> FeatureSet:
    labels, manifest = _read_manifest(folder)
    where = folder / "features.json"
    trunk = manifest.get("visual_trunk")
    if not isinstance(trunk, str) or not trunk:
        raise FeaturesError(f"{where}: 'visual_trunk' must name the picture trunk")
    arrays = {
        part: _read_npy(folder / f"{split}_{part}.npy") for part in ("visual", "audio", "target")
    }
    present = folder / f"{split}_present.npy"
    names = folder / f"{split}_names.json"
    frames = folder / f"{split}_frames.npy"
    sound_map = manifest.get("sound_map")
    if sound_map is not None and list(arrays["audio"].shape[2:]) != sound_map:
        raise FeaturesError(
            f"{folder} ({split}): audio must have maps {sound_map} (time, mel, channels) as "
            f"features.json says, got {_told(arrays['audio'])}"
        )
    return _checked(
        where=f"{folder} ({split})",
        labels=labels,
        arrays=arrays,
        present=_read_npy(present) if present.is_file() else None,
        names=_read_json(names) if names.is_file() else None,
        visual_trunk=trunk,
        sound_trunk=_sound_trunk(manifest.get("trunks")),
        trunk_hashes=_trunk_hashes(manifest.get("trunks")),
        frames=_read_npy(frames) if frames.is_file() else None,
        is_multi_label=manifest.get("multi_label") is True,
    )


def _load_authors(folder: Path, split: str) -> FeatureSet:
    arrays = {
        part: read_array_pickle(folder / f"{split}Set_{part}.p")
        for part in ("visual", "audio", "target")
    }
    n_labels = arrays["target"].shape[-1] if arrays["target"].ndim else 0
    labels = (
        AVE_LABELS
        if n_labels == len(AVE_LABELS)
        else tuple(f"label {number}" for number in range(n_labels))
    )
    return _checked(
        where=f"{folder} ({split})",
        labels=labels,
        arrays=arrays,
        present=None,
        names=None,
        visual_trunk=_TRUNK_OF_WIDTH.get(arrays["visual"].shape[-1:], _AUTHORS_TRUNK),
    )


def _checked(
    *,
    where: str,
    labels: tuple[str, ...],
    arrays: dict[str, NDArray[Any]],
    present: NDArray[Any] | None,
    names: object,
    visual_trunk: str,
    sound_trunk: str | None = None,
    trunk_hashes: Mapping[str, str] = MappingProxyType({}),
    frames: NDArray[Any] | None = None,
    is_multi_label: bool = False,
) -> FeatureSet:
    visual, audio, target = arrays["visual"], arrays["audio"], arrays["target"]
    if visual.ndim != 3 or 0 in visual.shape or visual.dtype.kind != "f":
        raise FeaturesError(f"{where}: visual must be (N, T, D) floats, got {_told(visual)}")
    n_videos, n_clips, _ = visual.shape
    if (
        audio.ndim != 5
        or audio.shape[:2] != (n_videos, n_clips)
        or 0 in audio.shape
        or audio.dtype.kind != "f"
    ):
        wanted = f"(N, T, H, W, C) floats with N, T = {n_videos, n_clips}"
        raise FeaturesError(f"{where}: audio must be {wanted}, got {_told(audio)}")
    rows = (n_videos, len(labels))
    if target.shape != rows:
        raise FeaturesError(f"{where}: target must be {rows}, got {_told(target)}")
    n_ones = target.sum(axis=1)
    is_right = n_ones >= 1 if is_multi_label else n_ones == 1
    if not np.isin(target, (0, 1)).all() or not is_right.all():
        wanted = "one 1 or more" if is_multi_label else "one 1"
        raise FeaturesError(f"{where}: each row of target must have {wanted} among zeros")
    senses = (n_videos, n_clips, 2)
    if present is not None and (present.shape != senses or present.dtype != np.bool_):
        raise FeaturesError(f"{where}: present must be bool {senses}, got {_told(present)}")
    if frames is not None and (
        frames.ndim != 5
        or frames.shape[:2] != senses[:2]
        or frames.shape[4] != 3
        or frames.dtype != np.uint8
    ):
        wanted = f"(N, T, H, W, 3) uint8 with N, T = {senses[:2]}"
        raise FeaturesError(f"{where}: frames must be {wanted}, got {_told(frames)}")
    if names is None:
        names = [f"video {number}" for number in range(n_videos)]
    if not isinstance(names, list) or len(names) != n_videos:
        raise FeaturesError(f"{where}: names must be a list of {n_videos} texts")
    return FeatureSet(
        labels=labels,
        visual=visual,
        audio=audio,
        target=target.argmax(axis=1).astype(np.int64),
        present=present,
        names=tuple(str(name) for name in names),
        visual_trunk=visual_trunk,
        sound_trunk=sound_trunk,
        trunk_hashes=trunk_hashes,
        frames=frames,
        label_sets=np.asarray(target, np.bool_) if is_multi_label else None,
    )


def _sound_trunk(trunks: object) -> str | None:
    trunk = trunks.get("audio") if isinstance(trunks, dict) else None
    name = trunk.get("trunk") if isinstance(trunk, dict) else None
    return name if isinstance(name, str) else None


def _trunk_hashes(trunks: object) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for sense in ("visual", "audio"):
        trunk = trunks.get(sense) if isinstance(trunks, dict) else None
        digest = trunk.get("sha256") if isinstance(trunk, dict) else None
        if isinstance(digest, str):
            hashes[sense] = digest
    return hashes


def _told(array: NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FeaturesError(f"{path}: not a readable array ({error})") from error
    return array


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_MANIFEST:
            raise FeaturesError(f"{path}: too large")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FeaturesError(f"{path}: not readable JSON ({error})") from error
