"""A bundle's test on held-out files: whole sounds, and windows composed of both senses.

Place in the flow: `mafnet test --bundle … --data …`, on features that `python -m extractors
test-features` prepared. Every share is a count over a count with its 95 % interval; a file and a
window are right when the strongest of all labels is theirs.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.attention import SOUND
from mafnet.compose import ComposeConfig, FeatureBank, WindowComposer
from mafnet.errors import FeaturesError
from mafnet.metrics import wilson_interval
from mafnet.model import MAFnet
from mafnet.starter_bank import MERGED, load_bank
from mafnet.window_answers import decide_windows

SPLIT = "test"
LENGTHS = (1, 4, 10)
BOTH = ComposeConfig(no_picture=0.0, no_sound=0.0, gap=0.0)
CASES = {
    "both": BOTH,
    "heard and seen": dataclasses.replace(BOTH, matching=1.0, contrary=0.0),
    "sound only": dataclasses.replace(BOTH, no_picture=1.0),
    "picture only": dataclasses.replace(BOTH, no_sound=1.0),
}
"""What is there. In the event windows of "both" the picture shows the event, nothing in particular
or another label, as in training; in those of "heard and seen" it shows the event (where its label
has any). Where nothing happens, both have pictures of a label that is not heard."""
N_FILES = 16  # a batch of whole files
N_CLIPS = 200  # a batch of windows holds about as many clips
SEED = 5

Report = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many were right, of how many."""

    n_right: int
    n: int

    def as_json(self) -> dict[str, Any]:
        """Return the share with its 95 % interval (Wilson); None of nothing."""
        if not self.n:
            return {"n": 0, "right": None, "low": None, "high": None}
        low, high = wilson_interval(self.n_right, self.n)
        return {
            "n": self.n,
            "right": round(self.n_right / self.n, 4),
            "low": round(low, 4),
            "high": round(high, 4),
        }


def examine_bundle(
    model: MAFnet, labels: tuple[str, ...], folder: Path, n_windows: int, report: Report
) -> dict[str, Any]:
    """Measure a head on a prepared folder.

    Args:
        model: In evaluation mode.
        labels: Of its outputs.
        folder: What `extractors test-features` wrote.
        n_windows: Windows of each case.
        report: Told how many windows are done, and of how many.

    Returns:
        `files` (sound only, whole files), `trunk` (the sound trunk alone, by a linear probe;
        None where that was not prepared),
        `windows` (by case: over all labels, over those with both senses, over Background).

    Raises:
        FeaturesError: The folder is not whole, or its labels are not the head's.
    """
    try:
        bank = load_bank(folder, SPLIT)
        probe_path = folder / "trunk_probe.json"
        probe = json.loads(probe_path.read_text()) if probe_path.is_file() else None
        files = whole_files(model, labels, folder)
    except (OSError, ValueError, KeyError) as error:
        raise FeaturesError(
            f"{folder} is no whole folder of `python -m extractors test-features` ({error}): "
            "delete it and run this again"
        ) from error
    if set(bank.labels) != set(labels):
        only = sorted(set(bank.labels) ^ set(labels))
        raise FeaturesError(
            f"the table's labels are not the bundle's (not in both: {', '.join(only[:5])}): "
            "give the data that the bundle is for"
        )
    bank = dataclasses.replace(bank, labels=labels)  # in the order of the head's outputs
    windows: dict[str, Any] = {}
    n_all = n_windows * len(CASES) * len(LENGTHS)
    for place, (name, n_clips) in enumerate((name, n) for name in CASES for n in LENGTHS):
        windows[f"{name}, T={n_clips}"] = composed(
            model,
            bank,
            CASES[name],
            n_clips,
            n_windows,
            lambda done, before=place * n_windows: report(before + done, n_all),  # type: ignore[misc]  # one argument is given
        )
    trunk = None
    if probe is not None:
        share = Share(n_right=probe["n_right"], n=probe["n"]).as_json()
        trunk = {"n_labels": probe["n_labels"], **share}
    return {"files": files, "trunk": trunk, "windows": windows}


@torch.inference_mode()
def whole_files(model: MAFnet, labels: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Name whole sound files by a window of their loudest seconds, the picture masked.

    A file whose label the head has not, and that is no Background either, counts as wrong over
    the table's labels and is left out over the head's.
    """
    about = json.loads((folder / f"files_{SPLIT}.json").read_text())
    names: list[str] = about["names"]
    maps = np.load(folder / f"files_{SPLIT}.npy", mmap_mode="r")
    owners = np.array(about["owners"])
    targets = [MERGED.get(names[k], names[k]) for k in about["labels"]]
    right = np.zeros(len(targets), dtype=np.bool_)
    n_most = int(np.bincount(owners).max())
    for first in range(0, len(targets), N_FILES):
        part = range(first, min(first + N_FILES, len(targets)))
        audio = torch.zeros(len(part), n_most, *maps.shape[1:])
        present = torch.zeros(len(part), n_most, 2, dtype=torch.bool)
        for k, file in enumerate(part):
            own = maps[owners == file].astype(np.float32)
            audio[k, : len(own)] = torch.from_numpy(own)
            present[k, : len(own), SOUND] = True
        visual = torch.zeros(len(part), n_most, model.config.visual_dim)
        said = model(visual, audio, present).logits.argmax(dim=1).tolist()
        right[first : first + len(part)] = [
            labels[s] == targets[file] for s, file in zip(said, part, strict=True)
        ]
    has = np.array([target in labels for target in targets])
    of_name = np.array(about["labels"])
    return {
        "all": {"n_labels": len(set(of_name.tolist())), **_share(right)},
        "the head's labels": {"n_labels": len(set(of_name[has].tolist())), **_share(right[has])},
        "per_label": {names[k]: _share(right[of_name == k]) for k in sorted(set(of_name.tolist()))},
    }


@torch.inference_mode()
def composed(
    model: MAFnet,
    bank: FeatureBank,
    config: ComposeConfig,
    n_clips: int,
    n_windows: int,
    report: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Name composed windows of one length.

    Args:
        model: In evaluation mode.
        bank: Features of held-out files.
        config: What they show.
        n_clips: T.
        n_windows: How many.
        report: Told how many are done.

    Returns:
        Shares over all windows, over events whose label has real pictures and sounds, and over
        windows in which nothing happens.
    """
    composer = WindowComposer(bank, config, SEED)
    n_batch = max(1, N_CLIPS // n_clips)
    said: list[int] = []
    truth: list[int] = []
    for step, first in enumerate(range(0, n_windows, n_batch)):
        windows = composer.draw(min(n_batch, n_windows - first), step, n_clips)
        of_windows, _ = decide_windows(model, windows)
        said += of_windows.logits.argmax(dim=1).tolist()
        truth += windows.labels.tolist()
        report(len(said))
    right, target = np.array(said) == np.array(truth), np.array(truth)
    nothing = bank.labels.index(bank.background)
    both = [k for k, name in enumerate(bank.labels) if has_both_senses(bank, name)]
    return {
        "all": _share(right),
        "labels with both senses": _share(right[np.isin(target, both)]),
        "Background": _share(right[target == nothing]),
    }


def has_both_senses(bank: FeatureBank, name: str) -> bool:
    """Tell whether a label has held-out sounds and pictures that tell it (a face tells none)."""
    return name in bank.pictures and name not in bank.silent and len(bank.rows[name]) > 0


def _share(right: NDArray[np.bool_] | Sequence[bool]) -> dict[str, Any]:
    return Share(n_right=int(np.sum(right)), n=len(right)).as_json()
