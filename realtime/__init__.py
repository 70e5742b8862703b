"""The live recognizer: time, windows, threads, events and outputs around MAFnet.

    from realtime import recognize

    for event in recognize("clip.mp4"):
        print(event.label, event.onset_s)

The names of `__all__` are the public interface (docs/design/adr/0018-public-interface.md). Each is
loaded when it is first asked for, so that `import realtime` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime.api.push import Recognizer
    from realtime.api.recognition import Recognition, recognize
    from realtime.client.async_subscriber import AsyncSubscriber
    from realtime.client.subscriber import Received, Subscriber
    from realtime.config import (
        HistoryConfig,
        MqttConfig,
        PublisherConfig,
        RecordConfig,
        RunConfig,
        SourceConfig,
        WindowConfig,
    )
    from realtime.errors import (
        LibraryMissing,
        ModelError,
        OutputError,
        RecognizerError,
        SourceError,
        UsageError,
    )
    from realtime.event import Event, Evidence, Guess
    from realtime.outputs.output import Output
    from realtime.outputs.wire import Message
    from realtime.packets import Phase, Sense
    from realtime.pipeline import Pipeline
    from realtime.sources.base import Inlet, Reader
    from realtime.sources.registry import SourceKind, register_source

    __version__: str

__all__ = [
    "AsyncSubscriber",
    "Event",
    "Evidence",
    "Guess",
    "HistoryConfig",
    "Inlet",
    "LibraryMissing",
    "Message",
    "ModelError",
    "MqttConfig",
    "Output",
    "OutputError",
    "Phase",
    "Pipeline",
    "PublisherConfig",
    "Reader",
    "Received",
    "Recognition",
    "Recognizer",
    "RecognizerError",
    "RecordConfig",
    "RunConfig",
    "Sense",
    "SourceConfig",
    "SourceError",
    "SourceKind",
    "Subscriber",
    "UsageError",
    "WindowConfig",
    "__version__",
    "recognize",
    "register_source",
]

_HOMES = {
    "realtime.api.push": ("Recognizer",),
    "realtime.api.recognition": ("Recognition", "recognize"),
    "realtime.client.async_subscriber": ("AsyncSubscriber",),
    "realtime.config": (
        "HistoryConfig",
        "MqttConfig",
        "PublisherConfig",
        "RecordConfig",
        "RunConfig",
        "SourceConfig",
        "WindowConfig",
    ),
    "realtime.errors": (
        "LibraryMissing",
        "ModelError",
        "OutputError",
        "RecognizerError",
        "SourceError",
        "UsageError",
    ),
    "realtime.event": ("Event", "Evidence", "Guess"),
    "realtime.outputs.output": ("Output",),
    "realtime.outputs.wire": ("Message",),
    "realtime.packets": ("Phase", "Sense"),
    "realtime.pipeline": ("Pipeline",),
    "realtime.sources.base": ("Inlet", "Reader"),
    "realtime.sources.registry": ("SourceKind", "register_source"),
    "realtime.subscribe": ("Received", "Subscriber"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a name that there is not stays an error for type checkers

    def __getattr__(name: str) -> Any:
        """Load a public name when it is first asked for."""
        if name == "__version__":
            from realtime.version import program_version

            value: Any = program_version()
        elif name in _HOME_OF:
            value = getattr(import_module(_HOME_OF[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Name what is public, whether loaded or not."""
    return sorted({*globals(), *__all__})
