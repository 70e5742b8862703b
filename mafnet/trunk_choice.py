"""Whose trunks a trained head will stand on: those that made its features, and no others.

Asked before training, since a head without its trunks makes no bundle. Trunks come from a bundle,
or from files of their own; a file wins over the bundle's.
"""

from dataclasses import dataclass
from pathlib import Path

from mafnet.errors import RunError
from mafnet.feature_set import FeatureSet
from weights.announced import Sense, announced
from weights.bundle import AudioSpec, VisualSpec, load_bundle
from weights.catalogue import is_published
from weights.trunk_file import FLAGS, TrunkFiles, trunk_file

# Whose trunks are taken where nobody names them.
_BUNDLES = {
    "densenet201": "ave",
    "vggish": "ave",
    "efficientnet_lite0": "starter",
    "yamnet": "starter",
}
_SAMPLE_RATE = 16_000  # Hz, of every sound trunk here
_ADVICE = "name theirs with --trunks, or their files with --visual-trunk and --sound-trunk"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkChoice:
    """Both trunks of a bundle to be.

    Attributes:
        origin: Where they come from, for the bundle's provenance.
        unverified: See `weights.bundle_spec.Bundle`.
    """

    visual: VisualSpec
    audio: AudioSpec
    sample_rate: int
    origin: str
    unverified: tuple[str, ...]


def choose_trunks(
    features: FeatureSet, bundle: str | None, files: TrunkFiles, folder: Path
) -> TrunkChoice:
    """Find the trunks that made some features, or say that they are others.

    Args:
        features: Any split of them.
        bundle: Whose trunks; None takes a shipped one's, by a trunk's name.
        files: Weights of single trunks.
        folder: Where converted weights are written; the choice points into it.

    Raises:
        RunError: They are not those that the features were made with, or nothing names them.
        WeightsError: The bundle or a file cannot be used.
    """
    source = None
    if files.visual is None or files.sound is None:
        wanted = features.visual_trunk
        if files.visual is not None and features.sound_trunk is not None:
            wanted = features.sound_trunk
        bundle = bundle or _BUNDLES.get(wanted)
        if bundle is None:
            raise RunError(f"no shipped bundle has the trunk {wanted!r}: {_ADVICE}")
        source = load_bundle(bundle)
    origins = [] if source is None else [f"of the bundle {source.name} ({source.provenance})"]
    unverified = [] if source is None else list(source.unverified)
    for name, path in files.given():
        origins.append(f"{name} of {path.name}")
        if not is_published(name, path):
            unverified.append(f"{name}: the file {path.name} is no publisher's")
    if files.visual is not None:
        weights, sha256 = trunk_file(*files.visual, folder)
        visual = VisualSpec(
            trunk=files.visual.trunk, dim=features.visual_dim, weights=weights, sha256=sha256
        )
    elif source is not None:
        visual = source.visual
    if files.sound is not None:
        weights, sha256 = trunk_file(*files.sound, folder)
        audio = AudioSpec(
            trunk=files.sound.trunk, sound_map=features.sound_map, weights=weights, sha256=sha256
        )
    elif source is not None:
        audio = source.audio
    check_trunks(features, visual, audio)
    return TrunkChoice(
        visual=visual,
        audio=audio,
        sample_rate=_SAMPLE_RATE if source is None else source.sample_rate,
        origin=", ".join(origins),
        unverified=tuple(unverified),
    )


def check_trunks(features: FeatureSet, visual: VisualSpec, audio: AudioSpec) -> None:
    """Compare trunks with those that made some features, by name, shape and sha256.

    Raises:
        RunError: They are others.
    """
    if (visual.trunk, visual.dim) != (features.visual_trunk, features.visual_dim):
        raise RunError(
            f"the features were made with {features.visual_trunk} ({features.visual_dim} wide), "
            f"not with {visual.trunk} ({visual.dim}): {_ADVICE}"
        )
    other = features.sound_trunk not in (None, audio.trunk)
    if other or audio.sound_map != features.sound_map:
        raise RunError(
            f"the features' sound maps are of another trunk than {audio.trunk}: {_ADVICE}"
        )
    for sense, spec in (("visual", visual), ("audio", audio)):
        digest = features.trunk_hashes.get(sense, spec.sha256)
        if digest != spec.sha256:
            raise RunError(
                f"the features were made with other {sense} weights (sha256 {digest[:12]}…) than "
                f"{spec.trunk}'s here ({spec.sha256[:12]}…): {_ADVICE}"
            )


def who_knows(visual: VisualSpec, audio: AudioSpec) -> str | None:
    """Say what a bundle wants of whoever runs it, where not every program knows its trunks.

    Returns:
        A sentence; None where the trunks are built in, or announced by a package that is here.
    """
    trunks: tuple[tuple[Sense, str], ...] = (("visual", visual.trunk), ("sound", audio.trunk))
    own = [
        f"the {sense} trunk {name}"
        for sense, name in trunks
        if name not in FLAGS[sense] and not announced(sense, name)
    ]
    if not own:
        return None
    return (
        f"mafnet-live does not know {' and '.join(own)} unless a package announces it: run the "
        "bundle in a program that registers it (docs/guide/extending.md)"
    )
