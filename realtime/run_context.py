"""What all streams of a run share."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from realtime.clock import NS_PER_S, Clock, WallClock
from realtime.config import RunConfig
from realtime.controls import Controls
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.packets import Clip, Prediction
from weights.bundle import Bundle, EventSpec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunContext:
    """Made before the first stream; nobody changes it. Another bundle makes another one.

    Attributes:
        config: The run, its sources as they turned out to be.
        bundle: Labels, and what is said of the weights.
        events: How scores become events: the bundle's settings under the run's.
        clock: The run's.
        wall: Dates what the clock says.
        stamper: Builds and numbers messages.
        emit: Hands a message to the outputs.
        observe: Told every prediction, before the events; evaluation keeps scores with it.
        watch: Told every clip of the first stream, with what was decided at its end.
        controls: The run's switches; None where there are none.
    """

    config: RunConfig
    bundle: Bundle
    events: EventSpec
    clock: Clock
    wall: WallClock
    stamper: MessageStamper
    emit: Callable[[Message], None]
    observe: Callable[[Prediction], None] | None = None
    watch: Callable[[Clip, Prediction | None], None] | None = None
    controls: Controls | None = None

    @classmethod
    def begin(
        cls,
        config: RunConfig,
        bundle: Bundle,
        events: EventSpec,
        *,
        clock: Clock,
        wall: WallClock,
        emit: Callable[[Message], None],
        observe: Callable[[Prediction], None] | None = None,
        watch: Callable[[Clip, Prediction | None], None] | None = None,
        controls: Controls | None = None,
    ) -> RunContext:
        """Give a new run its name, under which its messages are numbered; `wall` dates them."""
        stamper = MessageStamper(
            secrets.token_hex(4),
            clock,
            wall,
            window_clips=config.window.n_clips,
            window_weight=events.window_weight,
        )
        return cls(
            config=config,
            bundle=bundle,
            events=events,
            clock=clock,
            wall=wall,
            stamper=stamper,
            emit=emit,
            observe=observe,
            watch=watch,
            controls=controls,
        )

    def is_paused(self, source: str) -> bool:
        """Whether somebody has paused a source."""
        return self.controls is not None and self.controls.is_paused(source)

    def with_bundle(self, bundle: Bundle, events: EventSpec) -> RunContext:
        """Return the run with another bundle's labels and settings; its messages count on."""
        return replace(self, bundle=bundle, events=events)

    @property
    def until_t_ns(self) -> int | None:
        """Stream time at which each stream is over; None for the source's end."""
        duration_s = self.config.duration_s
        return None if duration_s is None else round(duration_s * NS_PER_S)
