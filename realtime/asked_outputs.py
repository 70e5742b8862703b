"""The outputs that a run's settings ask for, each loaded only where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realtime.version import program_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from realtime.clock import Clock
    from realtime.config import RunConfig
    from realtime.controls import Controls
    from realtime.outputs.explain.output import ExplainPage
    from realtime.outputs.output import Output
    from realtime.outputs.wire import Message
    from realtime.packets import GridFrame
    from realtime.stats import Stats
    from weights.bundle import Bundle
    from weights.event_spec import EventSpec


def asked_outputs(
    config: RunConfig,
    controls: Controls,
    labels: Sequence[str],
    newest_frame: Callable[[str], GridFrame | None],
    trace_of: Callable[[Mapping[str, Any]], bytes | None],
    levels: Callable[[], Mapping[str, float | None]],
    clock: Clock,
    stats: Stats,
) -> list[Output]:
    """Return the history, the broker's output and the rules, as far as they are asked for.

    Args:
        config: The run.
        controls: Its switches.
        labels: The bundle's.
        newest_frame: Returns a stream's newest picture by the stream's name; None without one.
        trace_of: Returns what an event rested on, for the history.
        levels: Returns the newest sound level of each source, dB of full scale.
        clock: The run's.
        stats: The run's figures.

    Returns:
        None of them is open.

    Raises:
        UsageError: A rule names a label that there is not.
    """
    outputs: list[Output] = []
    folder = None if config.record is None else Path(config.record.directory)
    if config.history is not None:
        from realtime.outputs.history.output import History

        outputs.append(History(config.history, folder, clock, stats, trace_of))
    if config.mqtt is not None:
        from realtime.outputs.mqtt.output import MqttOutput

        outputs.append(
            MqttOutput(
                config.mqtt,
                program_version(),
                stats,
                controls,
                records=config.record is not None,
                has_rules=config.rules is not None,
                levels=levels,
                clock=clock,
            )
        )
    if config.rules is not None and config.rules.rules:
        from realtime.outputs.rules.output import RulesOutput

        outputs.append(
            RulesOutput(
                config.rules,
                controls.profiles,
                live=config.live,
                labels=labels,
                recordings=folder,
                post_roll_s=0.0 if config.record is None else config.record.post_roll_s,
                newest_frame=newest_frame,
                clock=clock,
                stats=stats,
            )
        )
    return outputs


def recorded_events(
    config: RunConfig, controls: Controls
) -> Callable[[Message], Iterable[Message]] | None:
    """Return what says which messages a recorder gets; None where nothing is recorded."""
    if config.record is None:
        return None
    from realtime.outputs.rules.record_gate import RecordGate

    return RecordGate(config.rules, controls).pass_on


def explain_page(config: RunConfig, bundle: Bundle, events: EventSpec) -> ExplainPage | None:
    """Return what explains the run, not yet open; None where nobody asked."""
    if config.explain is None:
        return None
    from realtime.outputs.explain.output import ExplainPage

    return ExplainPage(
        Path(config.explain),
        config.source.name,
        bundle.labels,
        events.window_weight,
        f"{bundle.name} {bundle.version}",
    )
