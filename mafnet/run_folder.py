"""A training run's folder: the state that resumes it, its metrics, its best weights.

Place in the flow: `mafnet.train` calls this after each epoch. Everything lands whole or not at
all, and what cannot be written or read is one `RunError` sentence.
"""

import csv
import io
import json
import math
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError

from mafnet.architecture import architecture_metadata
from mafnet.errors import RunError
from mafnet.model import MAFnet
from weights.files import written_whole
from weights.printable import first_line
from weights.tensor_files import save_tensors

SETTINGS = "settings.json"
BETTER_BY = 1e-4  # authors' train.py: accuracy must rise by more than this to be saved
_FORMAT = 4
# What torch.load and the state's own readers raise on bytes that are not what was written.
_DAMAGE = (RuntimeError, EOFError, ValueError, LookupError, TypeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """One line of `metrics.csv`; `lr` is the rate of the epoch's last step."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    saved: bool
    lr: float


@dataclass(slots=True, kw_only=True)
class RunState:
    """Where a run stands between two epochs.

    Attributes:
        epoch: Epochs done.
        n_epochs: Epochs that the run was told to do.
        bar: The accuracy to beat, or None before the first epoch.
        bar_loss: The validation loss of the epoch that set the bar.
        n_without: Epochs in a row that were not saved.
        best_epoch: The epoch whose weights are in `best.safetensors`, or None: the last one's.
        rows: The metrics so far.
        stopped: Patience ran out.
        unrecognised: Labels of which those weights name no validation video rightly.
    """

    epoch: int = 0
    n_epochs: int = 0
    bar: float | None = None
    bar_loss: float = math.inf
    n_without: int = 0
    best_epoch: int | None = None
    rows: list[EpochRow] = field(default_factory=list)
    stopped: bool = False
    unrecognised: list[str] = field(default_factory=list)

    @property
    def saved(self) -> EpochRow:
        """The epoch whose weights `best.safetensors` holds once the run has ended."""
        return self.rows[-1 if self.best_epoch is None else self.best_epoch]

    def note(self, accuracy: float, loss: float, patience: int, *, as_authors: bool) -> bool:
        """Take an epoch's validation accuracy and loss; tell whether its weights are to be saved.

        Args:
            accuracy: Of the whole validation set.
            loss: Likewise.
            patience: Epochs in a row without a better one after which the run stops at the next.
            as_authors: Their rule: the first epoch only sets the bar, and of two equal ones the
                earlier stays. Otherwise the first is saved too, and the lower loss breaks a tie.
        """
        if self.bar is None:
            kept = not as_authors
        elif as_authors:
            kept = accuracy - self.bar > BETTER_BY
        else:
            kept = (accuracy, -loss) > (self.bar, -self.bar_loss)
        if kept or self.bar is None:
            self.bar, self.bar_loss = accuracy, loss
        self.n_without = 0 if kept else self.n_without + 1
        self.stopped = self.n_without > patience
        return kept


class Stateful(Protocol):
    """What can be laid down and taken up again: a recipe."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs, tensors and plain values only."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    # Of a full disk safetensors and torch say it with errors of their own.
    try:
        with written_whole(path) as temporary:
            yield temporary
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise RunError(
            f"cannot write {path} ({reason}): make room, then go on with --resume"
        ) from error


def save_weights(model: MAFnet, path: Path) -> None:
    """Write a network's weights as safetensors, with its architecture in the header.

    Raises:
        RunError: They cannot be written.
    """
    with _written(path) as temporary:
        state = {name: value.contiguous() for name, value in model.state_dict().items()}
        save_tensors(state, temporary, architecture_metadata(model))


def save_run(path: Path, identity: str, model: MAFnet, recipe: Stateful, state: RunState) -> None:
    """Write all that `load_run` needs to go on.

    Args:
        path: The file; what was there stays until the new one is whole.
        identity: Tells runs of other settings or features apart.
        model: With its weights.
        recipe: With its optimisers' state.
        state: Where the run stands.

    Raises:
        RunError: It cannot be written.
    """
    content = {
        "format": _FORMAT,
        "identity": identity,
        "model": model.state_dict(),
        "recipe": recipe.state_dict(),
        "state": {**asdict(state), "rows": [asdict(row) for row in state.rows]},
    }
    with _written(path) as temporary:
        torch.save(content, temporary)


def load_run(path: Path, identity: str, model: MAFnet, recipe: Stateful) -> RunState:
    """Take up a run where `save_run` left it; model and recipe are set in place.

    Raises:
        RunError: There is none, it is damaged, or its identity is another.
    """
    if not path.is_file():
        raise RunError(f"{path.parent}: there is no run to resume")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != _FORMAT:
            raise RunError(f"{path}: written by another version: start the run anew")
        if content["identity"] != identity:
            raise RunError(
                f"{path}: the run there has other settings or features: give the same, "
                "or choose another folder"
            )
        model.load_state_dict(content["model"])
        recipe.load_state_dict(content["recipe"])
        rows = [EpochRow(**row) for row in content["state"]["rows"]]
        return RunState(**{**content["state"], "rows": rows})
    except (OSError, pickle.UnpicklingError, *_DAMAGE) as error:
        raise RunError(f"{path}: damaged: start the run anew in another folder") from error


def write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write a run's settings as `settings.json`, for people and for `recorded_seed`.

    Raises:
        RunError: They cannot be written.
    """
    with _written(folder / SETTINGS) as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def recorded_seed(folder: Path) -> int | None:
    """Return the seed of the run in a folder; None where there is no run, or it tells none."""
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    seed = settings.get("seed") if isinstance(settings, dict) else None
    return seed if type(seed) is int else None


def write_csv(path: Path, rows: list[EpochRow]) -> None:
    """Write the metrics, a line an epoch.

    Raises:
        RunError: They cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(EpochRow.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    with _written(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
