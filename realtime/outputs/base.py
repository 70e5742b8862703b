"""What a screen is shown and what a screen is; the dashboard and the plain lines are screens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import TYPE_CHECKING, Protocol, TextIO

from realtime.errors import OutputError
from realtime.packets import Event, Prediction, Sense, SenseStatus
from realtime.stats import StatsSnapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECORDING_STOPPED = "recording stopped"  # how a recorder says that it cannot


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """What a person is shown of a stream at one moment.

    Attributes:
        labels: In the order of the prediction's probabilities; empty for the run's.
        t_s: How far it has come, stream seconds.
        prediction: The newest; None before the first.
        active: Events that go on.
        recent: Events that ended, oldest first.
        picture_share: The picture's share of the attention at an event's latest message, by the
            event's number; the rest is the sound's. An event that is not in it shows none.
        senses: How each sense is doing.
        load: What is given up to keep up, in words; empty for nothing.
    """

    t_s: float
    prediction: Prediction | None = None
    active: tuple[Event, ...] = ()
    recent: tuple[Event, ...] = ()
    picture_share: Mapping[int, float] = field(default_factory=dict)
    senses: tuple[SenseStatus, ...] = ()
    load: str = ""
    labels: tuple[str, ...] = ()

    def shares(self, number: int) -> tuple[float | None, float | None]:
        """Return the picture's and the sound's share in event `number`; None where unknown."""
        picture = self.picture_share.get(number)
        return (None, None) if picture is None else (picture, 1.0 - picture)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """What a person is shown of a run, the same all the time.

    Attributes:
        labels: In the order of the probabilities.
        background: The label that is no event.
        window_weight: `EventSpec.window_weight`: how the shown scores join window and newest clip.
        window_clips: T, the full window.
        bundle: Its name and version.
        backend: The device and what runs the trunks there.
    """

    labels: tuple[str, ...]
    background: str | None = None
    window_weight: float = 0.25
    window_clips: int = 10
    bundle: str = ""
    backend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSnapshot:
    """One stream at one moment; nobody changes it after it was made.

    Attributes:
        source: The stream's name.
        run: What is the same all the time.
        stream: What the stream has come to.
        stats: The stream's figures.
        elapsed_s: How long the run has lasted.
        endpoint: Where events are published, None if nowhere.
        n_subscribers: Who is connected there, None if nobody knows.
        recording: What is being recorded, or why nothing is; empty for nothing.
        warnings: Newest last.
        frames_hz: Captured frames a second, None while unknown.
        hops_hz: Decisions a second, likewise.
        others: The run's other streams; none of them has others.
        picture: The newest picture, RGB uint8 `(H, W, 3)`; None where none is shown.
    """

    source: str
    run: RunView
    stream: StreamView
    stats: StatsSnapshot
    elapsed_s: float
    endpoint: str | None = None
    n_subscribers: int | None = None
    recording: str = ""
    warnings: tuple[str, ...] = ()
    frames_hz: float | None = None
    hops_hz: float | None = None
    others: tuple[DashboardSnapshot, ...] = ()
    picture: NDArray[np.uint8] | None = None


class Screen(Protocol):
    """Shows snapshots; main thread only."""

    def show(self, snapshot: DashboardSnapshot) -> None:
        """Show the state of things; called a few times a second."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was. May be called again."""
        ...


def picture_share(prediction: Prediction) -> float:
    """Return the picture's part of a prediction's attention, 0 to 1."""
    return float(prediction.attention[:, list(Sense).index(Sense.PICTURE)].sum())


def never_fail_on_characters(stream: TextIO) -> TextIO:
    """Have a stream print `?` for what its encoding lacks, instead of raising; return it."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


@contextmanager
def writing(stream: TextIO) -> Iterator[None]:
    """Turn a full disk under `stream` into one sentence; a reader that has gone stays as it is.

    Raises:
        OutputError: It cannot be written.
        BrokenPipeError: The program at the other end of the pipe has gone.
    """
    try:
        yield
    except BrokenPipeError:
        silence(stream)
        raise
    except OSError as error:
        silence(stream)
        raise OutputError(f"the output cannot be written: {error.strerror}") from error


def silence(stream: TextIO) -> None:
    """Lead the stream to nowhere, or Python would complain again when it flushes at its exit."""
    try:
        number = stream.fileno()
    except OSError:  # a stream in memory has none
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
