"""Several sets of features as one: shards of a data set, or events with a background beside them.

Nothing is copied: rows stay where they are and are read as batches ask for them. Labels are joined
by their names. Sets whose trunks or shapes differ are refused.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mafnet.errors import FeaturesError
from mafnet.feature_set import BACKGROUND, FeatureSet, has_split, labels_of, load_feature_set
from mafnet.shards import Shards


def load_joined(folders: Sequence[Path], split: str) -> FeatureSet:
    """Open a split of one folder or of several; see `load_feature_set`.

    A folder without the split is passed over where another has it.

    Raises:
        FeaturesError: None has it, or one is at fault, or they do not fit together.
    """
    if len(folders) == 1:
        return load_feature_set(folders[0], split)
    labels = tuple(dict.fromkeys(label for folder in folders for label in labels_of(folder)))
    having = [folder for folder in folders if has_split(folder, split)] or list(folders)
    sets = [load_feature_set(folder, split) for folder in having]
    return join(sets, [str(folder) for folder in having], labels)


def load_background(folders: Sequence[Path], split: str, label: str) -> FeatureSet:
    """Open a split as what is none of the events: whatever its labels are, they become one.

    Raises:
        FeaturesError: As `load_joined`, or a folder lacks the split.
    """
    lacking = next((folder for folder in folders if not has_split(folder, split)), None)
    if lacking is not None and lacking.is_dir():
        raise FeaturesError(
            f"{lacking}: the background has no videos of the split {split}: extract it with "
            "splits, or from more files"
        )
    found = load_joined(folders, split)
    return replace(found, labels=(label,), target=np.zeros_like(found.target))


def add_background(
    features: FeatureSet, where: str, folders: Sequence[Path], split: str, named: str | None
) -> FeatureSet:
    """Add the windows of some folders as a set's background.

    Args:
        features: A split of the events.
        where: What it is called in messages.
        folders: Of "everything else", with the same splits.
        split: Which.
        named: What the label is called; None takes the set's own background, or makes one.

    Raises:
        FeaturesError: As `load_background`, or the two do not fit together.
    """
    label = named or features.background() or BACKGROUND
    other = load_background(folders, split, label)
    labels = tuple(dict.fromkeys((*features.labels, label)))
    return join([features, other], [where, str(folders[0])], labels)


def join(sets: Sequence[FeatureSet], where: Sequence[str], labels: tuple[str, ...]) -> FeatureSet:
    """Join sets in their order.

    Args:
        sets: At least one.
        where: What each is called in messages, and in front of a name that is there twice.
        labels: All of theirs.

    Raises:
        FeaturesError: Their clips, shapes or trunks differ.
    """
    first = sets[0]
    for other, place in zip(sets[1:], where[1:], strict=True):
        for what, one, two in (
            ("clips a video", first.visual.shape[1], other.visual.shape[1]),
            ("the picture trunk", first.visual_trunk, other.visual_trunk),
            ("the sound trunk", first.sound_trunk, other.sound_trunk),
            ("the visual width", first.visual_dim, other.visual_dim),
            ("the sound maps", first.sound_map, other.sound_map),
            *(
                (f"the {sense} weights", first.trunk_hashes[sense], digest)
                for sense, digest in other.trunk_hashes.items()
                if sense in first.trunk_hashes
            ),
        ):
            if one != two:
                raise FeaturesError(
                    f"{where[0]} and {place} differ in {what} ({one} and {two}): extract them with "
                    "the same trunks and the same --clips"
                )
    if any(each.label_sets is not None for each in sets):
        raise FeaturesError(
            "features of several labels a video are not joined with others: extract all of them "
            "into one folder"
        )
    targets = [
        np.array([labels.index(label) for label in each.labels], np.int64)[each.target]
        for each in sets
    ]
    present = None
    if any(each.present is not None for each in sets):
        shape = first.visual.shape[1], 2
        present = np.concatenate(
            [
                np.ones((len(each), *shape), np.bool_) if each.present is None else each.present
                for each in sets
            ]
        )
    frames = [each.frames for each in sets if each.frames is not None]
    can_show = len(frames) == len(sets) and len({each.shape[1:] for each in frames}) == 1
    return replace(
        first,
        labels=labels,
        visual=Shards([each.visual for each in sets]),
        audio=Shards([each.audio for each in sets]),
        target=np.concatenate(targets),
        present=present,
        names=_names(sets, where),
        frames=Shards(frames) if can_show else None,
    )


def _names(sets: Sequence[FeatureSet], where: Sequence[str]) -> tuple[str, ...]:
    counts = Counter(name for each in sets for name in set(each.names))
    return tuple(
        f"{Path(place).name}: {name}" if counts[name] > 1 else name
        for each, place in zip(sets, where, strict=True)
        for name in each.names
    )
