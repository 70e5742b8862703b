"""The outputs that a run's settings ask for, each loaded only where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realtime.version import program_version

if TYPE_CHECKING:
    from realtime.clock import Clock
    from realtime.config import RunConfig
    from realtime.outputs.output import Output
    from realtime.stats import Stats


def asked_outputs(config: RunConfig, clock: Clock, stats: Stats) -> list[Output]:
    """Return the history and the broker's output, as far as they are asked for; none is open."""
    outputs: list[Output] = []
    if config.history is not None:
        from realtime.outputs.history.output import History

        folder = None if config.record is None else Path(config.record.directory)
        outputs.append(History(config.history, folder, clock, stats))
    if config.mqtt is not None:
        from realtime.outputs.mqtt.output import MqttOutput

        outputs.append(MqttOutput(config.mqtt, program_version(), stats))
    return outputs
