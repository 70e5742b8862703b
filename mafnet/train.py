"""Training on features: epochs, validation, the best weights, and runs that resume exactly.

Place in the flow: extractors' features → **training** → `best.safetensors`, of which
`mafnet.run_bundle` makes a bundle. All randomness of epoch k is drawn from (seed, k), and the state
is saved whole after each epoch, so a resumed run ends with the weights of one that never stopped.
"""

import hashlib
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray

from mafnet import modern_recipe
from mafnet.authors_recipe import AuthorsRecipe
from mafnet.balance import balanced_order, label_weights, unrecognised
from mafnet.batches import in_order, load_batches
from mafnet.compute import Compute, MixedPrecision
from mafnet.errors import FeaturesError, RunError
from mafnet.feature_set import BACKGROUND, Batch, FeatureSet
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.modern_recipe import ModernRecipe, label_set_losses
from mafnet.norm import DECAY
from mafnet.run_folder import (
    EpochRow,
    RunState,
    Stateful,
    load_run,
    save_run,
    save_weights,
    write_csv,
    write_settings,
)
from mafnet.start import Start
from mafnet.train_config import TrainConfig

_CPU = Compute()
_N_VALIDATE = 16  # videos at once; with the statistics of evaluation the split does not matter


class Recipe(Stateful, Protocol):
    """How one step is taken."""

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""

    def step(self, batch: Batch, random: Generator) -> tuple[float, int]:
        """Train on a batch; return its loss and how many were named rightly."""


class Watcher(Protocol):
    """Who is told how a run goes."""

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Hear of a step done; ``step`` counts from 1."""

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        """Hear of an epoch done and saved."""


def train(
    folder: Path,
    training: FeatureSet,
    validation: FeatureSet,
    config: TrainConfig,
    watcher: Watcher,
    *,
    resume: bool = False,
    start: Start | None = None,
    compute: Compute = _CPU,
) -> RunState:
    """Train until the epochs or the patience are spent.

    Args:
        folder: Gets `settings.json`, `checkpoint.pt`, `metrics.csv` and `best.safetensors`.
        training: What is learnt.
        validation: What decides which epoch is best.
        config: Settings.
        watcher: Told of steps and epochs.
        resume: Go on from the folder's checkpoint; a run that has ended is left as it is, unless
            the config has more epochs, or more patience where that ran out.
        start: What fine-tuning begins with; None draws all weights from the seed.
        compute: The device, the precision, who loads batches, and who else trains: then all
            processes call this alike, and the first alone writes and tells the watcher.

    Returns:
        The run's last state. Where no epoch was saved (the authors' rule, and none beat the first),
        `best.safetensors` has the last one's weights.

    Raises:
        FeaturesError: The two splits do not fit together, or are too small.
        RunError: The folder has a run already, or none to resume, or one of other settings, or
            it cannot be written (the run can then be resumed after the last whole epoch), or the
            loss is not finite.
    """
    _check_splits(training, validation, config)
    if config.batch_size < compute.processes.n:
        raise RunError(
            f"{compute.processes.n} processes share batches of {config.batch_size}: start fewer, "
            "or give a larger --batch-size"
        )
    model = make_model(training, config)
    if start is not None:
        start.apply(model, training.labels)
    model.filmed_block.shares_repeats = True
    model.to(compute.device)
    n_steps = len(training) // config.batch_size
    recipe = make_recipe(model, config, n_steps, compute, training)
    identity = _identity(training, validation, config, start, compute)
    state = RunState()
    checkpoint = folder / "checkpoint.pt"
    if resume:
        state = load_run(checkpoint, identity, model, recipe)
        if config.n_epochs < state.n_epochs:
            raise RunError(
                f"{checkpoint}: the run there was begun with --epochs {state.n_epochs}: give as "
                "many or more, or choose another folder"
            )
        state.stopped = state.n_without > config.patience
    elif checkpoint.exists():
        raise RunError(f"{folder}: there is a run already: add --resume or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder {folder} ({error.strerror})") from error

    state.n_epochs = config.n_epochs
    while state.epoch < config.n_epochs and not state.stopped:
        began = time.monotonic()
        loss, accuracy = _one_epoch(recipe, training, config, state.epoch, watcher, compute)
        val_loss, n_right = _validated(model, validation, compute)
        val_accuracy = int(n_right.sum()) / len(validation)
        saved = state.note(
            val_accuracy, val_loss, config.patience, as_authors=config.recipe == "authors"
        )
        row = EpochRow(
            epoch=state.epoch,
            train_loss=loss,
            train_accuracy=accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            seconds=round(time.monotonic() - began, 3),
            saved=saved,
            lr=recipe.lr,
        )
        state.rows.append(row)
        if saved or state.best_epoch is None:
            n_each = validation.n_of_labels()
            state.unrecognised = unrecognised(validation.labels, n_right, n_each)
        if saved:
            state.best_epoch = state.epoch
            save_weights(model, folder / "best.safetensors")
        state.epoch += 1
        save_run(checkpoint, identity, model, recipe, state)
        write_settings(folder, asdict(config))
        write_csv(folder / "metrics.csv", state.rows)
        watcher.on_epoch(row, state)
    if state.best_epoch is None:
        save_weights(model, folder / "best.safetensors")
    return state


def make_model(training: FeatureSet, config: TrainConfig) -> MAFnet:
    """Draw a network for these features from the seed alone."""
    decay = modern_recipe.NORM_DECAY if config.recipe == "modern" else DECAY
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return MAFnet(
            MAFnetConfig(
                visual_dim=training.visual_dim,
                n_labels=len(training.labels),
                sound_map=training.sound_map,
                norm_decay=decay,
                film=config.film,
                attention=config.attention,
                activation="softmax" if training.label_sets is None else "sigmoid",
            )
        )


def make_recipe(
    model: MAFnet,
    config: TrainConfig,
    n_steps: int,
    compute: Compute = _CPU,
    training: FeatureSet | None = None,
) -> Recipe:
    """Make the recipe that a config names, for epochs of ``n_steps`` steps.

    Args:
        model: On its device.
        config: Settings.
        n_steps: Steps of an epoch.
        compute: The device, and the precision.
        training: What labels' weights are counted on, where the config wants them.
    """
    rate = {} if config.lr is None else {"lr": config.lr}
    mixed = MixedPrecision(compute.device.type, compute.precision)
    rates = dict(config.rates)
    if config.recipe == "authors":
        return AuthorsRecipe(model, mixed=mixed, rates=rates, processes=compute.processes, **rate)
    weights = None
    if config.balance == "weights" and training is not None:
        counted = label_weights(training.target, len(training.labels))
        weights = torch.from_numpy(counted).to(compute.device)
    n_all = n_steps * config.n_epochs
    return ModernRecipe(
        model,
        n_all,
        mixed=mixed,
        rates=rates,
        label_weights=weights,
        processes=compute.processes,
        **rate,
    )


def validate(model: MAFnet, features: FeatureSet, compute: Compute = _CPU) -> tuple[float, float]:
    """Measure loss and accuracy over a whole set, in float32, with the statistics of evaluation."""
    loss, n_right = _validated(model, features, compute)
    return loss, int(n_right.sum()) / len(features)


@torch.inference_mode()
def _validated(
    model: MAFnet, features: FeatureSet, compute: Compute
) -> tuple[float, NDArray[np.int64]]:
    """Return the mean loss, and how many videos of each label were named rightly."""
    model.eval()
    loss, n_right = 0.0, np.zeros(len(features.labels), np.int64)
    processes = compute.processes
    own = in_order(len(features), _N_VALIDATE)[processes.rank :: processes.n]
    for batch in load_batches(features, own, compute):
        logits = model(batch.visual, batch.audio, batch.present).logits
        said = logits.argmax(dim=1)
        if batch.label_sets is None:
            loss += float(F.cross_entropy(logits, batch.target, reduction="sum"))
            is_right = said == batch.target
        else:
            loss += float(label_set_losses(logits, batch.label_sets).sum())
            is_right = batch.label_sets.gather(1, said[:, None])[:, 0] > 0
        right = said[is_right]
        n_right += np.bincount(right.cpu().numpy(), minlength=len(n_right))
    loss, *of_labels = processes.total(loss, *n_right.tolist())
    return loss / len(features), np.array(of_labels).astype(np.int64)


def _one_epoch(
    recipe: Recipe,
    training: FeatureSet,
    config: TrainConfig,
    epoch: int,
    watcher: Watcher,
    compute: Compute,
) -> tuple[float, float]:
    random = np.random.default_rng((config.seed, epoch))
    if config.balance == "sampling":
        order = balanced_order(training.target, random)
    else:
        order = random.permutation(len(training))
    n_steps = len(training) // config.batch_size
    loss, n_right = 0.0, 0
    rows = np.split(order[: n_steps * config.batch_size], n_steps)
    for k, batch in enumerate(load_batches(training, rows, compute)):
        step_loss, step_right = compute.processes.total(*recipe.step(batch, random))
        if not math.isfinite(step_loss):
            raise RunError(
                f"the loss of epoch {epoch + 1}, step {k + 1} is {step_loss}: --lr is too high, or "
                "the features are too large"
            )
        loss += step_loss
        n_right += int(step_right)
        if compute.processes.is_first:
            watcher.on_step(epoch, k + 1, n_steps)
    return loss / n_steps, n_right / (n_steps * config.batch_size)


def _check_splits(training: FeatureSet, validation: FeatureSet, config: TrainConfig) -> None:
    if training.labels != validation.labels or training.visual_dim != validation.visual_dim:
        raise FeaturesError("the splits train and val differ in labels or in visual width")
    if (training.label_sets is None) != (validation.label_sets is None):
        raise FeaturesError("one of the splits train and val has several labels a video")
    if training.label_sets is not None and config.recipe == "authors":
        raise FeaturesError(
            "videos have several labels, the authors' recipe teaches one: use --recipe modern"
        )
    if training.label_sets is not None and config.balance != "none":
        raise FeaturesError("--balance is for one label a video, these have several: leave it out")
    if training.sound_map != validation.sound_map:
        raise FeaturesError("the splits train and val differ in their sound maps")
    if np.count_nonzero(training.n_of_labels()) < 2:
        raise FeaturesError(
            "the training videos have one label alone, so there is nothing to tell apart: add "
            f"others, or a label {BACKGROUND} of everything else"
        )
    if len(training) < config.batch_size:
        raise FeaturesError(
            f"{len(training)} videos are fewer than a batch of {config.batch_size}: "
            "give --batch-size"
        )


def _identity(
    training: FeatureSet,
    validation: FeatureSet,
    config: TrainConfig,
    start: Start | None,
    compute: Compute,
) -> str:
    # What must be the same for a resumed run to be the same run. Another device is another
    # rounding, not another run.
    settings = {**asdict(config), "precision": compute.precision}
    del settings["n_epochs"], settings["patience"]  # a run may be made longer
    digest = hashlib.sha256(repr(sorted(settings.items())).encode())
    digest.update(start.identity.encode() if start is not None else b"")
    for features in (training, validation):
        digest.update(repr((features.labels, features.visual.shape)).encode())
        digest.update(features.target.tobytes())
        digest.update(b"" if features.label_sets is None else features.label_sets.tobytes())
        digest.update(np.ascontiguousarray(features.visual[0]).tobytes())
    return digest.hexdigest()
