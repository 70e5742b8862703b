"""The folder of a taught bundle: the bundle in use, those before it, and what was heard.

    bundle.json            the bundle in use; replaced whole
    head-HASH.safetensors  one for each manifest; other files likewise
    before/0001.json       manifests of before, the first one's untaught
    examples/ heard/       numbers that the trunks made of the user's recordings, never recordings

A run that has the bundle in use open keeps its files: none is written to again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from teaching.errors import TeachError
from weights.bundle import MANIFEST, Bundle, load_bundle, write_bundle
from weights.errors import BundleError
from weights.files import inside, sha256_of, written_whole
from weights.tensor_files import load_tensors, save_tensors

BEFORE = "before"
MAX_MANIFEST_BYTES = 1_000_000


class TaughtFolder:
    """One folder; one program at a time writes it.

    Args:
        path: Where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_there(self) -> bool:
        """Whether it holds a bundle."""
        return (self.path / MANIFEST).is_file()

    def begin(self, bundle: Bundle) -> Bundle:
        """Copy an untaught bundle into it, unless it is there already; return what is there.

        Raises:
            TeachError: There is another bundle in it, or it cannot be written.
        """
        if self.is_there:
            there = load_bundle(self.path)
            if not (self.path / BEFORE).is_dir():
                raise TeachError(
                    f"{self.path} holds a bundle that was not made by teaching: name another "
                    "folder with --to"
                )
            if there.audio.sha256 != bundle.audio.sha256 or there.name != bundle.name:
                raise TeachError(
                    f"{self.path} was taught from {there.name} and other trunks than {bundle.name} "
                    "has: name another folder with --to"
                )
            return there
        try:
            (self.path / BEFORE).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TeachError(f"{self.path} cannot be made ({error.strerror})") from error
        return self._put(bundle, load_tensors(bundle.head.weights))

    def add(self, bundle: Bundle, state: dict[str, Tensor]) -> Bundle:
        """Put a bundle in use; the one before is kept for `undo`.

        Raises:
            TeachError: It cannot be written; what was in use stays.
        """
        numbers = self._numbers()
        number = 1 + max(numbers, default=0)
        before = (self.path / MANIFEST).read_bytes()
        try:
            with written_whole(self.path / BEFORE / f"{number:04}.json") as temporary:
                temporary.write_bytes(before)
            return self._put(bundle, state)
        except (OSError, BundleError, TeachError):
            (self.path / BEFORE / f"{number:04}.json").unlink(missing_ok=True)
            raise

    def undo(self) -> Bundle:
        """Go back to the bundle before; return it.

        Raises:
            TeachError: Nothing was taught.
        """
        numbers = self._numbers()
        if not self.is_there or not numbers:
            raise TeachError(f"nothing was taught in {self.path}, so there is nothing to take back")
        gone = self._head_of(self.path / MANIFEST)
        newest = self.path / BEFORE / f"{max(numbers):04}.json"
        newest.replace(self.path / MANIFEST)
        bundle = load_bundle(self.path)
        kept = {self._head_of(path) for path in (self.path / BEFORE).glob("*.json")}
        if gone is not None and gone not in {*kept, bundle.head.weights}:
            gone.unlink(missing_ok=True)
        return bundle

    def n_steps(self) -> int:
        """Return how often `undo` works."""
        return len(self._numbers())

    def _numbers(self) -> list[int]:
        stems = (path.stem for path in (self.path / BEFORE).glob("*.json"))
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())

    def _head_of(self, manifest: Path) -> Path | None:
        try:
            with manifest.open("rb") as file:
                told: Any = json.loads(file.read(MAX_MANIFEST_BYTES))
            return inside(self.path, str(told["head"]["file"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _put(self, bundle: Bundle, state: dict[str, Tensor]) -> Bundle:
        try:
            with tempfile.TemporaryDirectory(dir=self.path, prefix=".new-") as name:
                made = Path(name)
                save_tensors(state, made / "new.safetensors")
                head = replace(bundle.head, weights=made / "new.safetensors")
                write_bundle(replace(bundle, head=head), made / "bundle")  # and read it back
                manifest = json.loads((made / "bundle" / MANIFEST).read_text("utf-8"))
                for role in ("visual", "audio", "head"):
                    if "package" not in manifest[role]:
                        manifest[role]["file"] = self._keep(made / "bundle", manifest[role], role)
                with written_whole(self.path / MANIFEST) as temporary:
                    text = json.dumps(manifest, indent=2, ensure_ascii=False)
                    temporary.write_text(text + "\n", encoding="utf-8")
        except (OSError, SafetensorError) as error:
            raise TeachError(f"{self.path} cannot be written ({error})") from error
        return load_bundle(self.path)

    def _keep(self, made: Path, entry: dict[str, str], role: str) -> str:
        """Take a file over under a name that says what is in it; return the name."""
        source = made / entry["file"]
        name = f"{role}-{entry['sha256'][:12]}{source.suffix}"
        target = self.path / name
        if not target.is_file() or sha256_of(target) != entry["sha256"]:
            shutil.move(source, target)
        return name
