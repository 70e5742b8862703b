"""Whose trunks a trained head will stand on: those that made its features, and no others.

Asked before training, since a head without its trunks makes no bundle. Trunks come from a bundle,
or from files of their own; a file wins over the bundle's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mafnet.errors import RunError
from mafnet.feature_set import FeatureSet
from weights.bundle import AudioSpec, VisualSpec, load_bundle
from weights.catalogue import is_published
from weights.trunk_file import PICTURE_TRUNKS, SOUND_TRUNKS, trunk_file

_BUNDLES = {"densenet201": "ave", "efficientnet_lite0": "starter"}
_SAMPLE_RATE = 16_000  # Hz, of every sound trunk here
_ADVICE = "name theirs with --trunks, or their files with --densenet201, --vggish and so on"


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
    features: FeatureSet, bundle: str | None, files: Mapping[str, Path], folder: Path
) -> TrunkChoice:
    """Find the trunks that made some features, or say that they are others.

    Args:
        features: Any split of them.
        bundle: Whose trunks; None takes a shipped one's, by the picture trunk's name.
        files: Weights of single trunks, by name; see `weights.trunk_file`.
        folder: Where converted weights are written; the choice points into it.

    Raises:
        RunError: They are not those that the features were made with, or nothing names them.
        WeightsError: The bundle or a file cannot be used.
    """
    picture = next((name for name in files if name in PICTURE_TRUNKS), None)
    sound = next((name for name in files if name in SOUND_TRUNKS), None)
    source = None
    if picture is None or sound is None:
        bundle = bundle or _BUNDLES.get(features.visual_trunk)
        if bundle is None:
            raise RunError(f"no bundle has the trunk {features.visual_trunk!r}: {_ADVICE}")
        source = load_bundle(bundle)
    origins = [] if source is None else [f"of the bundle {source.name} ({source.provenance})"]
    unverified = [] if source is None else list(source.unverified)
    for name, path in files.items():
        origins.append(f"{name} of {path.name}")
        if not is_published(name, path):
            unverified.append(f"{name}: the file {path.name} is no publisher's")
    if picture is not None:
        weights, sha256 = trunk_file(picture, files[picture], folder)
        dim = features.visual_dim
        visual = VisualSpec(trunk=picture, dim=dim, weights=weights, sha256=sha256)
    elif source is not None:
        visual = source.visual
    if sound is not None:
        weights, sha256 = trunk_file(sound, files[sound], folder)
        audio = AudioSpec(trunk=sound, weights=weights, sha256=sha256)
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
    if audio.sound_map != features.sound_map:
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
