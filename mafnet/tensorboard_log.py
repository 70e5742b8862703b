"""A run's curves for TensorBoard, beside `metrics.csv`; off unless it is asked for.

Needs the extra `tensorboard`, which `torch.utils.tensorboard` writes with. Nothing is served or
sent: event files lie in the run's folder.
"""

from pathlib import Path
from types import TracebackType

from mafnet.errors import MafnetError
from mafnet.run_folder import EpochRow, RunState
from mafnet.train import Watcher

FOLDER = "tensorboard"  # in the run's folder
_CURVES = {
    "loss/train": "train_loss",
    "loss/validation": "val_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/validation": "val_accuracy",
    "lr": "lr",
    "seconds": "seconds",
}


class TensorBoardLog:
    """Hears of epochs, writes their figures and passes all on.

    Args:
        folder: Where the event files go.
        inner: Who is told as well.

    Raises:
        MafnetError: The package is missing.
    """

    def __init__(self, folder: Path, inner: Watcher) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MafnetError(
                "--tensorboard needs the package: pip install 'mafnet-live[tensorboard]'"
            ) from error
        self._make_writer = SummaryWriter
        self._writer: SummaryWriter | None = None
        self._folder = folder
        self._inner = inner

    def __enter__(self) -> "TensorBoardLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Pass it on."""
        self._inner.on_step(epoch, step, n_steps)

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        """Write the epoch's figures; what a run that was stopped wrote beyond it is put aside."""
        try:
            if self._writer is None:
                self._writer = self._make_writer(str(self._folder), purge_step=row.epoch)
            for curve, name in _CURVES.items():
                self._writer.add_scalar(curve, getattr(row, name), row.epoch)
            self._writer.flush()
        except OSError as error:
            raise MafnetError(f"cannot write {self._folder} ({error.strerror})") from error
        self._inner.on_epoch(row, state)
