"""Keywords of `recognize` to a `RunConfig`: defaults < config file < keywords.

Two defaults differ from the command line's. Nothing is published and nothing drawn, for a program
that asks for events gets them; and a camera brings no microphone unless one is named.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from realtime.command_line.config_file import read_config_file
from realtime.command_line.flags import make_parser
from realtime.command_line.settings import make_config
from realtime.config import RunConfig, SourceConfig
from realtime.errors import UsageError

Source = str | os.PathLike[str] | SourceConfig
_NOTHING = (
    'nothing to watch or hear: recognize("clip.mp4"), recognize("rtsp://host/stream"), '
    'recognize(camera=0, microphone="default"), or a config file with a source'
)


def make_run_config(
    source: Source | Sequence[Source] | None,
    config: str | os.PathLike[str] | RunConfig | None,
    *,
    camera: int | str | None = None,
    microphone: int | str | None = None,
    per_label: Mapping[str, tuple[float, float]] | None = None,
    publish: str | None = None,
    record: str | os.PathLike[str] | None = None,
    record_labels: Sequence[str] = (),
    history: str | os.PathLike[str] | None = None,
    **flags: Any,
) -> RunConfig:
    """Join the keywords with a config file.

    Args:
        source: One or several; see `realtime.api.recognition.recognize`, also for the others.
        config: A TOML file, or a finished `RunConfig`, with which nothing else may be given.
        camera: A device; None for none, or the file's.
        microphone: Likewise.
        per_label: `(on, off)` of single labels.
        publish: Endpoint of an event socket.
        record: Folder for recordings.
        record_labels: What is recorded; none means all.
        history: Database of what happened.
        **flags: Of `realtime.command_line.flags` by their destinations; None is not given.

    Raises:
        UsageError: They contradict one another or cannot work.
    """
    sources = _as_list(source)
    given = {name: value for name, value in flags.items() if value is not None}
    devices = {"camera": camera, "microphone": microphone}
    given |= {name: value for name, value in devices.items() if value is not None}
    if isinstance(config, RunConfig):
        extra = [*given, *(["source"] if sources else [])]
        others: dict[str, object] = {
            "per_label": per_label,
            "publish": publish,
            "record": record,
            "record_labels": record_labels or None,
            "history": history,
        }
        extra += [name for name, value in others.items() if value is not None]
        if extra:
            raise UsageError(f"a RunConfig says all; change it instead of giving {extra[0]}")
        return config
    file = {} if config is None else read_config_file(Path(config).expanduser())
    if not sources and camera is None and microphone is None and "source" not in file:
        raise UsageError(_NOTHING)
    arguments = make_parser().parse_args([])
    arguments.source = [_as_text(each) for each in sources] or None
    arguments.camera = None if camera is None else str(camera)
    arguments.mic = None if microphone is None else str(microphone)
    arguments.no_mic = microphone is None and camera is not None and "source" not in file
    arguments.bind = publish
    arguments.no_publish = publish is None and not isinstance(file.get("publisher"), dict)
    arguments.record = None if record is None else os.fspath(record)
    arguments.record_labels = list(record_labels) or None
    arguments.history = None if history is None else os.fspath(history)
    for name, value in given.items():
        if name not in devices:
            setattr(arguments, name, value)
    run = make_config(arguments, file)
    if per_label is not None:
        pairs = {label: {"on": on, "off": off} for label, (on, off) in per_label.items()}
        run = replace(run, events={**run.events, "per_label": pairs})
    if any(isinstance(each, SourceConfig) for each in sources):
        whole = [
            each if isinstance(each, SourceConfig) else named
            for each, named in zip(sources, run.sources, strict=True)
        ]
        run = replace(run, source=whole[0], more_sources=tuple(whole[1:]))
    return run


def _as_list(source: Source | Sequence[Source] | None) -> list[Source]:
    if source is None:
        return []
    if isinstance(source, str | os.PathLike | SourceConfig):
        return [source]
    sources = list(source)
    if not sources:
        raise UsageError(_NOTHING)
    return sources


def _as_text(source: Source) -> str:
    """Return what `--source` would be given; a path is a file, whatever it is called."""
    if isinstance(source, SourceConfig):
        return "demo"  # holds its place
    if isinstance(source, str):
        return source
    return os.path.abspath(os.fspath(source))  # noqa: PTH100 - Path would make another of "a//b"
