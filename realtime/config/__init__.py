"""One frozen dataclass a stage, checked when it is made; nothing below the command line reads more.

Times are in seconds here and only here; each stage turns them into nanoseconds or counts.
"""

from realtime.config.outputs import (
    DEFAULT_BIND,
    HistoryConfig,
    MqttConfig,
    PublisherConfig,
    RecordConfig,
    WebConfig,
)
from realtime.config.rules import ProfileConfig, RuleConfig, RulesConfig, shown_place
from realtime.config.run import (
    EVENT_SETTINGS,
    LOG_FORMATS,
    MAX_SOURCES,
    MAX_WINDOW_CLIPS,
    RunConfig,
    WindowConfig,
)
from realtime.config.source import MAX_NAME_LENGTH, MIN_READ_TIMEOUT_S, TRANSPORTS, SourceConfig

__all__ = [
    "DEFAULT_BIND",
    "EVENT_SETTINGS",
    "LOG_FORMATS",
    "MAX_NAME_LENGTH",
    "MAX_SOURCES",
    "MAX_WINDOW_CLIPS",
    "MIN_READ_TIMEOUT_S",
    "TRANSPORTS",
    "HistoryConfig",
    "MqttConfig",
    "ProfileConfig",
    "PublisherConfig",
    "RecordConfig",
    "RuleConfig",
    "RulesConfig",
    "RunConfig",
    "SourceConfig",
    "WebConfig",
    "WindowConfig",
    "shown_place",
]
