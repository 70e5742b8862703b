"""The flags that name features, and the features that they mean."""

import argparse
from pathlib import Path

from mafnet.feature_set import FeatureSet
from mafnet.joined import add_background, load_joined
from weights.paths import to_path

FOLDER = "a folder that `extractors extract` wrote, or the authors' pickles"


def add_feature_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `load_features` reads."""
    parser.add_argument(
        "--features",
        type=to_path,
        nargs="+",
        required=True,
        metavar="DIR",
        help=f"{FOLDER}; several are joined",
    )
    parser.add_argument(
        "--background-features",
        type=to_path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="features of everything else, by the same trunks: whatever their labels, they are the "
        "background",
    )


def load_features(options: argparse.Namespace, split: str) -> FeatureSet:
    """Open a split of the named features, with their background.

    Raises:
        FeaturesError: Something is missing, unreadable or does not fit together.
    """
    features = load_joined(options.features, split)
    if options.background_features:
        named = getattr(options, "background", None)
        where = told_folders(options.features)
        features = add_background(features, where, options.background_features, split, named)
    return features


def told_folders(folders: list[Path]) -> str:
    """Name the folders in one text."""
    return " + ".join(map(str, folders))
