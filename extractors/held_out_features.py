"""A folder of a bundle's features of held-out files: what is there is kept, what is not is made.

Place in the flow: evaluation only; `mafnet test --bundle … --data …` reads the folder. Another
trunk's features are thrown away, never mixed in. What is heard of whole files goes beside the
windows' features, and so does what a linear probe on the sound trunk alone names right.

Writes `sound_test.npy` with `.json` and `picture_test.npz` (as `starter_features` does),
`files_test.npy` with `.json` (maps of each file's loudest seconds), `trunk_probe.json`,
`pooled_{split}.npz`, and `made_by.json`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from extractors.encoders import SoundEncoder, load_encoders
from extractors.errors import DataSetError, StoreError
from extractors.linear_probe import fit_probe
from extractors.openvino_trunks import Precision
from extractors.pooled_sounds import PooledSounds, count_seconds, pool_sounds
from extractors.sound_corpus import SoundCorpus, load_corpus
from extractors.starter_features import picture_features, sound_features
from extractors.vggish import VGGishTrunk
from weights.bundle import Bundle
from weights.files import sha256_of, written_whole

Report = Callable[[int, int, str | None], None]
SPLIT = "test"


def prepare(
    bundle: Bundle,
    data: Path,
    cache: Path,
    to: Path,
    report: Report,
    *,
    share: float = 1.0,
    probe: bool = True,
    backend: str = "torch",
    precision: Precision = "float32",
) -> None:
    """Make what is missing in a folder.

    Args:
        bundle: Whose trunks.
        data: Folder of `sounds.csv` and `pictures.csv`.
        cache: Where decoded samples are kept.
        to: The folder.
        report: Told what is done, out of how much, and a sentence or None.
        share: Of the clips that are drawn by default.
        probe: Whether the sound trunk is probed too, which runs it over all training files.
        backend: What runs the trunks, see `load_encoders`.
        precision: Of OpenVINO.

    Raises:
        DataSetError: A table is missing.
        StoreError: The bundle's picture trunk is not the starter's, or the folder is not writable.
        ExtractorError: See `load_encoders`.
    """
    check_tables(data)
    if bundle.visual.trunk != "efficientnet_lite0":
        raise StoreError(
            f"this test is made for the picture trunk efficientnet_lite0, the bundle "
            f"{bundle.name} has {bundle.visual.trunk}: use `extract` and `mafnet test --features`"
        )
    try:
        encoders = load_encoders(bundle=bundle.path, backend=backend, precision=precision)
        assert encoders.picture is not None  # a bundle has both
        assert encoders.sound is not None
        backends = sorted({encoders.picture.backend, encoders.sound.backend})
        begin(to, bundle, data, share, f"{' and '.join(backends)} {precision}")
        corpus = load_corpus(data, cache)
        if not (to / f"picture_{SPLIT}.npz").is_file():
            report(0, 1, "pictures of the windows")
            picture_features(data, bundle.visual.weights, encoders.picture, to, (SPLIT,))
        if not (to / f"sound_{SPLIT}.json").is_file():
            report(0, 1, "sounds of the windows")
            sound_features(data, cache, encoders.sound, to, share, (SPLIT,))
        _file_maps(corpus, encoders.sound, to, report)
        if probe and not (to / "trunk_probe.json").is_file():
            _write_json(to / "trunk_probe.json", _probe(corpus, encoders.sound, to, report))
    except OSError as error:
        raise StoreError(f"cannot write {to}: {error.strerror or error}") from error


def check_tables(data: Path) -> None:
    """Refuse a folder without the tables.

    Raises:
        DataSetError: One is missing.
    """
    for name in ("sounds.csv", "pictures.csv"):
        if not (data / name).is_file():
            raise DataSetError(f"{data / name} is not there: --data names the folder of the tables")


def begin(
    to: Path,
    bundle: Bundle,
    data: Path,
    share: float | None = None,
    computed: str = "torch float32",
) -> None:
    """Claim a folder for a bundle's trunks and a data folder; features of others are removed.

    Args:
        to: The folder; made if it is missing.
        bundle: Whose trunks.
        data: Folder of the tables.
        share: Of the clips that are drawn; None for whatever is there.
        computed: By which backend, and in which precision.
    """
    made_by: dict[str, str | float] = {
        "sounds_sha256": sha256_of(data / "sounds.csv"),
        "pictures_sha256": sha256_of(data / "pictures.csv"),
        "visual_sha256": bundle.visual.sha256,
        "audio_sha256": bundle.audio.sha256,
        "computed": computed,
    }
    path = to / "made_by.json"
    there = json.loads(path.read_text()) if path.is_file() else {}
    made_by["share"] = there.get("share", 1.0) if share is None else share
    if there == made_by:
        return
    for name in (
        *(f"{kind}_{SPLIT}.{suffix}" for kind in ("sound", "files") for suffix in ("npy", "json")),
        f"picture_{SPLIT}.npz",
        "trunk_probe.json",
        "pooled_pictures.npz",
        *(f"pooled_{split}.npz" for split in ("train", "test")),
    ):
        (to / name).unlink(missing_ok=True)
    to.mkdir(parents=True, exist_ok=True)
    _write_json(path, made_by)


def pooled(
    corpus: SoundCorpus, split: str, encoder: SoundEncoder, to: Path, report: Report
) -> PooledSounds:
    """Pool the trunk's maps of a split's files, or read what an earlier call pooled."""
    path = to / f"pooled_{split}.npz"
    files = corpus.files(split)
    if path.is_file():
        with np.load(path) as kept:
            return PooledSounds(files=files, vectors=kept["vectors"], owners=kept["owners"])
    result = pool_sounds(
        corpus, files, encoder, progress=lambda done, total: report(done, total, None)
    )
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, vectors=result.vectors, owners=result.owners)
    return result


def _file_maps(corpus: SoundCorpus, encoder: SoundEncoder, to: Path, report: Report) -> None:
    if (to / f"files_{SPLIT}.json").is_file():
        return
    report(0, 1, "loudest seconds of the files")
    files = corpus.files(SPLIT)
    shape = (count_seconds(corpus, files), VGGishTrunk.dim, *VGGishTrunk.map_size)
    maps = np.lib.format.open_memmap(to / f"files_{SPLIT}.npy", "w+", np.float16, shape)
    result = pool_sounds(
        corpus, files, encoder, maps, lambda done, total: report(done, total, None)
    )
    maps.flush()
    with written_whole(to / f"pooled_{SPLIT}.npz") as temporary, temporary.open("wb") as file:
        np.savez(file, vectors=result.vectors, owners=result.owners)
    about = {
        "names": list(corpus.names),
        "labels": corpus.labels[files].tolist(),
        "owners": result.owners.tolist(),
    }
    _write_json(to / f"files_{SPLIT}.json", about)


def _probe(corpus: SoundCorpus, encoder: SoundEncoder, to: Path, report: Report) -> dict[str, Any]:
    report(0, 1, "a linear probe on the sound trunk")
    train = pooled(corpus, "train", encoder, to, report)
    test = pooled(corpus, SPLIT, encoder, to, report)
    labels = corpus.labels[train.files][train.owners]
    probe = fit_probe(train.vectors, labels, len(corpus.names))
    said = test.mean_of_files(probe.probabilities(test.vectors)).argmax(axis=1)
    right = said == corpus.labels[test.files]
    return {"n_labels": len(corpus.names), "n": len(right), "n_right": int(right.sum())}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
