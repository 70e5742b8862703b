"""`recognize`: sources in, events out, as an iterator that cleans up after itself.

Place in the flow: a `Pipeline` in the background, its event messages through a bounded mailbox to
whoever iterates. Nothing is opened before the first event is asked for, or `with` is entered. All
is closed when the stream ends, when the block is left, when an exception comes out of the iterator
(Ctrl-C too), and when the iterator is forgotten: a loop that is left early forgets it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from realtime.api.options import Source, make_run_config
from realtime.api.wanted import Wanted
from realtime.event import Event
from realtime.pipeline import Pipeline
from realtime.threads.mailbox import Mailbox, Policy

if TYPE_CHECKING:
    from realtime.config import RunConfig
    from realtime.outputs.output import Output
    from realtime.outputs.wire import Message

logger = logging.getLogger(__name__)

CAPACITY = 1000  # events that wait for a slow loop; then a live stream loses the oldest
POLL_S = 0.1
CLOSE_S = 10.0  # a step of large trunks, a driver


def recognize(
    source: Source | Sequence[Source] | None = None,
    *,
    camera: int | str | None = None,
    microphone: int | str | None = None,
    labels: Iterable[str] = (),
    phases: str | Iterable[str] = ("onset",),
    config: str | os.PathLike[str] | RunConfig | None = None,
    bundle: str | os.PathLike[str] | None = None,
    device: str | None = None,
    backend: str | None = None,
    precision: str | None = None,
    hop_s: float | None = None,
    n_clips: int | None = None,
    on: float | None = None,
    off: float | None = None,
    per_label: Mapping[str, tuple[float, float]] | None = None,
    duration_s: float | None = None,
    pace: bool | None = None,
    loop: bool | None = None,
    wait: bool | None = None,
    record: str | os.PathLike[str] | None = None,
    record_labels: Sequence[str] = (),
    history: str | os.PathLike[str] | None = None,
    publish: str | None = None,
    mqtt: str | None = None,
    web: str | None = None,
    outputs: Sequence[Output] = (),
) -> Recognition:
    """Recognize one source or several, and iterate over what is told.

    Unless asked to, it publishes nothing, records nothing and draws nothing.

    Args:
        source: A file, a URL, `"demo"` (the built-in scene) or a `SourceConfig`; a list of them for
            several streams in one run.
        camera: Index, device path or URL, in place of a source.
        microphone: Number, part of its name or `"default"`. With a `camera` alone nothing is heard.
        labels: Only events with these labels, in any case; none means all.
        phases: Which messages of an event: of `onset`, `update` and `offset`, or `"all"`. By
            default each event comes once, as soon as it began; with `"offset"` it comes once when
            it is over and its `offset_s` is known.
        config: A settings file (docs/reference/settings.md), over which the keywords win; or a
            `RunConfig` in place of all keywords.
        bundle: `starter` (the default), `ave` or a bundle's folder.
        device: `auto`, `cpu`, `cuda` or `mps`.
        backend: `auto`, `torch` or `openvino`.
        precision: `auto`, `float32`, `bfloat16` or `float16`.
        hop_s: Time between decisions: a multiple of 1/16 s, up to 1 s.
        n_clips: Seconds in the window.
        on: Score at which an event starts, for all labels; default: the bundle's.
        off: Score under which it ends.
        per_label: `{label: (on, off)}` for single labels.
        duration_s: End after so much stream.
        pace: Play a file at its own speed instead of as fast as possible.
        loop: Repeat the demo.
        wait: Look for a source that is not there at the start, rather than fail.
        record: A folder: each event is recorded there as an MP4.
        record_labels: Record these alone.
        history: A database that keeps what happened; of recordings `history.db` in their folder.
        publish: Endpoint of an event socket, such as `tcp://127.0.0.1:5556`.
        mqtt: `HOST[:PORT]` of a broker that is told (docs/guide/mqtt.md).
        web: `HOST:PORT` of a page in the browser (docs/guide/web.md); the port 0 is a free one.
        outputs: Of one's own, beside it (docs/guide/extending.md).

    Returns:
        What to iterate over; also a context manager.

    Raises:
        UsageError: The arguments cannot work, or a label is not the bundle's.
        ModelError: The bundle cannot be used.
    """
    run = make_run_config(
        source,
        config,
        camera=camera,
        microphone=microphone,
        bundle=None if bundle is None else os.fspath(bundle),
        device=device,
        backend=backend,
        precision=precision,
        hop=hop_s,
        window=n_clips,
        on=on,
        off=off,
        per_label=per_label,
        duration=duration_s,
        pace=pace,
        loop=loop,
        wait=wait,
        record=record,
        record_labels=record_labels,
        history=history,
        publish=publish,
        mqtt=mqtt,
        web=web,
    )
    return Recognition(run, labels=labels, phases=phases, outputs=outputs)


class Recognition:
    """The events of a run, told while it goes on; for one thread at a time.

    A live run never waits for its reader: beyond a thousand events that nobody took the oldest are
    lost, with one warning. A file's run waits and loses nothing.

    Args:
        config: The run.
        labels: As of `recognize`.
        phases: As of `recognize`.
        outputs: As of `recognize`.

    Raises:
        UsageError: A label is not the bundle's, or a phase is none.
        ModelError: The bundle cannot be used.
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        labels: Iterable[str] = (),
        phases: str | Iterable[str] = ("onset",),
        outputs: Sequence[Output] = (),
    ) -> None:
        self._run = _Run(config, labels, phases, outputs)
        self._finalizer = weakref.finalize(self, self._run.forget)  # at the interpreter's end too

    @property
    def labels(self) -> tuple[str, ...]:
        """What the bundle can name."""
        return self._run.labels

    def __enter__(self) -> Recognition:
        """Open the sources, load the networks and start; a live stream begins here.

        Raises:
            RecognizerError: Something cannot be opened; what was open is closed again.
        """
        self._run.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Recognition:
        return self

    def __next__(self) -> Event:
        """Wait for the next event.

        Raises:
            StopIteration: The stream is over, or this was closed.
            RecognizerError: The run failed. A damaged file fails at its end, once all that could be
                read of it was told.
        """
        event = self._run.next()
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Stop all threads and close all that is open. May be called again."""
        self._finalizer.detach()
        self._run.close()


class _Run:
    """What the iterator owns; no thread holds the iterator itself, so that it can be forgotten."""

    def __init__(
        self,
        config: RunConfig,
        labels: Iterable[str],
        phases: str | Iterable[str],
        outputs: Sequence[Output],
    ) -> None:
        self._pipeline = Pipeline(config, tell=self._tell, outputs=outputs)
        bundle = self._pipeline.bundle
        self.labels = bundle.labels
        self._wanted = Wanted(labels, phases, bundle)
        self._inbox: Mailbox[Event] | None = None
        self._closed = threading.Event()
        self._n_lost = 0

    def start(self) -> None:
        if self._inbox is not None or self._closed.is_set():
            return
        try:
            self._pipeline.open()
            policy = Policy.DROP_OLDEST if self._pipeline.live else Policy.WAIT
            self._inbox = Mailbox(CAPACITY, policy)
            self._pipeline.start()
        except BaseException:
            self.close()
            raise

    def next(self) -> Event | None:
        try:
            self.start()
            while not self._closed.is_set() and self._inbox is not None:
                is_over = self._pipeline.wait(0.0)
                event = self._inbox.get(0.0 if is_over else POLL_S)
                self._say_losses(self._inbox)
                if event is not None:
                    return event
                if is_over:
                    self.close()
                    self._pipeline.raise_failure()
        except BaseException:
            self.close()
            raise
        return None

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        if self._inbox is not None:
            self._inbox.close()
        deadline_s = time.monotonic() + CLOSE_S
        survivors = self._pipeline.close(CLOSE_S)
        while survivors and time.monotonic() < deadline_s:  # networks that are still loading
            threading.Event().wait(POLL_S)
            survivors = self._pipeline.close(POLL_S)
        if survivors:
            logger.warning("closed without waiting for %s", ", ".join(survivors))

    def forget(self) -> None:
        """Close for an iterator that is gone; whoever collects garbage calls it.

        That may be a thread of the run itself, all of which are daemons: it cannot wait for its own
        end.
        """
        if threading.current_thread().daemon:
            threading.Thread(target=self.close, name="close").start()
        else:
            self.close()

    def _tell(self, message: Message) -> None:
        """Take a message; the recognize thread's."""
        if message.body["type"] != "event" or self._inbox is None:
            return
        event = Event.from_message(message.body)
        if self._wanted.wants(event):
            while not (self._closed.is_set() or self._inbox.put(event, POLL_S)):
                pass

    def _say_losses(self, inbox: Mailbox[Event]) -> None:
        n_lost = inbox.n_dropped
        if n_lost and not self._n_lost:
            logger.warning("this loop is slower than the stream: its oldest events are lost")
        self._n_lost = n_lost
