"""Filling the store: download or local file → hash → conversion → record, each step whole.

The store holds `NAME.safetensors` with `NAME.json` (where it came from, its sha256) for each entry
of the catalogue, and the folder `ave/`, the bundle made of three of them. What is there is only
ever replaced by something complete.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from weights.archive import is_archive, unpack_checkpoint
from weights.ave import ave_bundle
from weights.bundle import Bundle, load_bundle, write_bundle
from weights.catalogue import BY_NAME, ENTRIES, Entry
from weights.convert import ConvertReport, convert
from weights.download import Progress, download
from weights.errors import BundleError, FetchError, WeightsError
from weights.files import sha256_of, written_whole
from weights.layouts import Kind, Shape

_NOTHING: Mapping[str, Shape] = MappingProxyType({})
AVE_PARTS = ("densenet201", "vggish", "mafnet")  # what the bundle ave is made of
Download = Callable[[str, Path, Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the store knows of one converted file.

    Attributes:
        source: The address or the path that it came from.
        checked: The publisher's hash that the source had, or why none was checked.
        sha256: Of the converted file.
        fetched: UTC, ISO 8601.
    """

    source: str
    checked: str
    sha256: str
    fetched: str


def convert_packed(
    path: Path,
    kind: Kind,
    target: Path,
    expect: Mapping[str, Shape] = _NOTHING,
    inside: str = "",
    half: bool = False,
) -> ConvertReport:
    """Convert as `convert` does; a TensorFlow checkpoint may come in a zip or tar archive.

    Args:
        path: What is converted.
        kind: What network it holds.
        target: The safetensors file to write.
        expect: See `convert`.
        inside: The archive's folder that the checkpoint lies in; "" looks in all of it.
        half: See `convert`.

    Raises:
        FetchError: The archive is damaged or holds no checkpoint, or there is no room to unpack it.
        ConvertError: As `convert`.
    """
    if kind not in ("mafnet", "yamnet") or not is_archive(
        path
    ):  # a .pth is a zip too, but no archive
        return convert(path, kind, target, expect, half)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unpacked-"))
    except OSError as error:
        raise FetchError(f"{target.parent}: cannot be written ({error.strerror})") from error
    try:
        unpack_checkpoint(path, folder, inside)
        return convert(folder, kind, target, expect, half)
    finally:
        shutil.rmtree(folder)


def fetch(
    name: str,
    home: Path,
    *,
    progress: Progress,
    source: Path | None = None,
    any_hash: bool = False,
    get: Download = download,
) -> Record:
    """Bring one entry of the catalogue to the store.

    Args:
        name: An entry's name; `fetch_ave` makes the bundle.
        home: The store's folder.
        progress: Told of the download's bytes.
        source: A local file or checkpoint in place of the download.
        any_hash: Accept a file without the publisher's hash, and record that.
        get: The downloader.

    Raises:
        FetchError: There is no such entry, or its file cannot be had or is another one.
        ConvertError: The file does not hold what it should.
    """
    entry = BY_NAME.get(name)
    if entry is None:
        known = ", ".join([*BY_NAME, "ave"])
        raise FetchError(f"there are no weights {name!r}: known are {known}")
    if source is not None:
        if not source.exists() and not source.with_name(f"{source.name}.index").exists():
            raise FetchError(f"{source}: there is no such file")
        return _take_in(entry, home, source, str(source.resolve()), any_hash)
    arrived = home / "downloads" / entry.file
    if not arrived.is_file():
        get(entry.url, arrived, progress)
    try:
        record = _take_in(entry, home, arrived, entry.url, any_hash)
    finally:
        arrived.unlink(missing_ok=True)  # converted, or not what was wanted: useless either way
    return record


def fetch_ave(home: Path, *, progress: Progress, get: Download = download) -> Bundle:
    """Make the bundle `ave`, fetching what the store lacks.

    Raises:
        WeightsError: A part cannot be had, or what is in the store is damaged.
    """
    unverified = {}
    for name in AVE_PARTS:
        record = stored(name, home) or fetch(name, home, progress=progress, get=get)
        check_stored(name, home)
        if record.checked != str(BY_NAME[name].digest):
            unverified[name] = record.checked
    densenet201, vggish, mafnet = (home / f"{name}.safetensors" for name in AVE_PARTS)
    bundle = ave_bundle(densenet201, vggish, mafnet, unverified=unverified)
    return write_bundle(bundle, home / "ave")


def stored(name: str, home: Path) -> Record | None:
    """Look an entry up in the store; None when it is not there.

    Raises:
        FetchError: Its record is unreadable.
    """
    path = home / f"{name}.json"
    if not path.is_file():
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Record(**{key: str(value) for key, value in fields.items()})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise FetchError(f"{path}: unreadable: fetch {name} again") from error


def check_stored(name: str, home: Path) -> str:
    """Hash what the store holds under a name against its record.

    Returns:
        Its sha256.

    Raises:
        WeightsError: It is missing or damaged.
    """
    if name in ("ave", "starter"):
        return load_bundle(name, home).head.sha256
    record = stored(name, home)
    if record is None:
        raise FetchError(f"{name} is not in the store: `python -m weights fetch {name}`")
    path = home / f"{name}.safetensors"
    try:
        found = sha256_of(path)
    except OSError as error:
        raise FetchError(f"{path}: cannot be read: fetch {name} again") from error
    if found != record.sha256:
        raise FetchError(f"{path}: damaged (another sha256 than recorded): fetch {name} again")
    return found


def state_of(name: str, home: Path) -> str:
    """Say in two or three words whether a name is in the store; hashes nothing."""
    if name in ("ave", "starter"):
        try:
            load_bundle(name, home)
        except BundleError:
            return "not fetched" if name == "ave" else "damaged"
        return "in the store" if name == "ave" else "in the package"
    try:
        return "not fetched" if stored(name, home) is None else "in the store"
    except WeightsError:
        return "damaged"


def _take_in(entry: Entry, home: Path, source: Path, origin: str, any_hash: bool) -> Record:
    try:
        return _store(entry, home, source, origin, any_hash)
    except OSError as error:
        raise FetchError(f"cannot store {entry.name} in {home} ({error})") from error


def _store(entry: Entry, home: Path, source: Path, origin: str, any_hash: bool) -> Record:
    checked = _check_digest(entry, source, any_hash)
    home.mkdir(parents=True, exist_ok=True)
    target = home / f"{entry.name}.safetensors"
    report = convert_packed(source, entry.kind, target, entry.expect, entry.inside)
    record = Record(
        source=origin,
        checked=checked,
        sha256=report.sha256,
        fetched=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with written_whole(home / f"{entry.name}.json") as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    return record


def _check_digest(entry: Entry, source: Path, any_hash: bool) -> str:
    if entry.digest is None:
        return "the publisher gives no hash"
    if source.is_file():
        found = entry.digest.of(source)
        if found.startswith(entry.digest.value):
            return str(entry.digest)
    else:
        found = "a folder or a checkpoint"
    if any_hash:
        return f"not the published file ({found}), accepted by --any-hash"
    raise FetchError(
        f"{source}: not the published file (wanted {entry.digest}, got {found}): "
        "download it again, or accept it with --any-hash"
    )


ALL_NAMES: tuple[str, ...] = ("starter", "ave", *(entry.name for entry in ENTRIES))
