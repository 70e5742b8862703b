"""Another bundle for a run that goes on: loaded beside it, taken over between two rounds.

What cannot be loaded, or does not fit the trunks that run, is said in one sentence, and the bundle
in use goes on. Streams, windows, thresholds of the run's settings and events carry over: a label
keeps its states by its name (`realtime.events.tracker`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from realtime.bundle_settings import event_settings, find_bundle
from realtime.errors import RecognizerError, UsageError
from realtime.events.label_scores import places_of
from realtime.run_context import RunContext
from realtime.stream import Stream
from realtime.swap_state import SwapState

if TYPE_CHECKING:
    from realtime.recognition.batch import BatchRecognizer
    from realtime.recognition.models import Models

logger = logging.getLogger(__name__)

TAKEN_S = 10.0  # a round under load lasts seconds at most
Load = Callable[[RunContext, str], "tuple[RunContext, Models]"]


class BundleSwap:
    """Takes bundles; any thread may ask and look.

    Args:
        run: What the streams share.
        recognizer: Of all streams.
        streams: The run's.
        between_rounds: Has work done on the recognize thread, see `Scheduler`.
        adopted: Told the run with its new bundle, on that thread.
        load: Returns the run with the bundle of a name, and its networks; raises RecognizerError.
    """

    def __init__(
        self,
        run: RunContext,
        recognizer: BatchRecognizer,
        streams: Sequence[Stream],
        *,
        between_rounds: Callable[[Callable[[], None]], None],
        adopted: Callable[[RunContext], None],
        load: Load | None = None,
    ) -> None:
        self._run = run
        self._recognizer = recognizer
        self._streams = streams
        self._between_rounds = between_rounds
        self._adopted = adopted
        self._load: Load = self._load_head if load is None else load
        self._lock = threading.Lock()
        self._wanted: str | None = None  # asked for while another one was loaded
        self._state = SwapState(bundle=_name(run))

    def ask(self, name: str) -> None:
        """Have a bundle loaded and taken; of several that are asked for meanwhile, the last."""
        with self._lock:
            self._wanted = name
            if self._state.is_loading:
                return
            self._state = SwapState(bundle=self._state.bundle, is_loading=True)
        threading.Thread(target=self._work, name="load-bundle", daemon=True).start()

    def state(self) -> SwapState:
        """Return how it stands."""
        with self._lock:
            return self._state

    def _work(self) -> None:
        while (name := self._next()) is not None:
            fault = ""
            try:
                run, models = self._load(self._run, name)
            except RecognizerError as error:
                fault = str(error)
            except Exception as error:  # whatever it is, the run goes on with what it has
                logger.exception("the bundle %s could not be loaded", name)
                fault = f"{name} could not be loaded ({type(error).__name__})"
            if fault:
                logger.warning("%s; %s goes on", fault, self._state.bundle)
                self._note(fault)
                continue
            taken = threading.Event()
            self._between_rounds(partial(self._take, run, models, taken))
            taken.wait(TAKEN_S)
            self._note("" if taken.is_set() else "the run ended before it was taken")

    def _next(self) -> str | None:
        with self._lock:
            name, self._wanted = self._wanted, None
            if name is None:
                self._state = SwapState(bundle=self._state.bundle, fault=self._state.fault)
            return name

    def _note(self, fault: str) -> None:
        with self._lock:
            self._state = SwapState(bundle=_name(self._run), is_loading=True, fault=fault)

    def _take(self, run: RunContext, models: Models, taken: threading.Event) -> None:
        """Go over to it; the recognize thread, between two rounds."""
        places = places_of(self._run.bundle.labels, run.bundle.labels)
        self._recognizer.adopt(models, places)
        for stream in self._streams:
            stream.adopt(run)
        run.stamper.weigh(run.events.window_weight)
        self._run = run
        self._adopted(run)
        logger.info("the bundle %s is in use now", _name(run))
        taken.set()

    def _load_head(self, run: RunContext, name: str) -> tuple[RunContext, Models]:
        from realtime.recognition.models import with_head_of  # imports torch: only for a run

        if run.watch is not None:
            raise UsageError("a run with --explain keeps the bundle that it began with")
        bundle = find_bundle(name)
        events = event_settings(bundle, run.config.events)
        models = with_head_of(self._recognizer.models, run.bundle, bundle)
        return run.with_bundle(bundle, events), models


def _name(run: RunContext) -> str:
    return f"{run.bundle.name} {run.bundle.version}"
