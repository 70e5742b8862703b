"""What the command line needs of a run, wherever it recognizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from realtime.config import RunConfig
    from realtime.outputs.base import DashboardSnapshot


class Running(Protocol):
    """A run; see `realtime.pipeline.Pipeline` for what each method does."""

    def open(self) -> None:
        """Open all that it needs."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Return whether it is over, at the latest after `timeout_s`."""
        ...

    def close(self) -> list[str]:
        """End; return what did not."""
        ...

    def raise_failure(self) -> None:
        """Raise what ended it, if it was an error."""
        ...

    def progress(self) -> dict[str, int]:
        """Return the steps of its threads."""
        ...

    def take_bundle(self) -> None:
        """Go on with its bundle, read anew."""
        ...

    def view(self, warnings: tuple[str, ...] = ()) -> DashboardSnapshot:
        """Return what a person is shown."""
        ...

    def newest_picture(self, source: str) -> NDArray[np.uint8] | None:
        """Return a stream's newest picture."""
        ...

    def record_now(self, source: str) -> str:
        """Begin or end a recording; say what became of it."""
        ...


MakeRun = Callable[["RunConfig", "TextIO | None"], Running]
