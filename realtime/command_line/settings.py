"""Joins defaults, a config file and the flags into one `RunConfig`; a flag wins over the file."""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from realtime.addresses import at_home, is_network, is_port, require_brackets
from realtime.command_line.config_file import NO_MICROPHONE, read_config_file
from realtime.command_line.flags import PROFILES
from realtime.command_line.log_format import ANSWER
from realtime.config import (
    MAX_NAME_LENGTH,
    MAX_SOURCES,
    HistoryConfig,
    MqttConfig,
    ProfileConfig,
    PublisherConfig,
    RecordConfig,
    RuleConfig,
    RulesConfig,
    RunConfig,
    SourceConfig,
    WebConfig,
    WindowConfig,
)
from realtime.errors import UsageError
from realtime.redaction import redacted_location
from weights.paths import local_path, to_path
from weights.program import short_name

HISTORY_FILE = "history.db"  # in the folder of recordings

logger = logging.getLogger(__name__)

_MAX_DEFAULT_NAME = MAX_NAME_LENGTH - len(f"-{MAX_SOURCES}")  # a number may be put behind it


def make_config(arguments: argparse.Namespace, file: Mapping[str, Any] | None = None) -> RunConfig:
    """Join defaults, the config file and the flags.

    Args:
        arguments: As `realtime.command_line.flags` reads them.
        file: What `arguments.config` says, where it was read already.

    Raises:
        UsageError: They contradict one another or cannot work.
    """
    if file is None:
        file = {} if arguments.config is None else read_config_file(arguments.config)
    settings = dict(file)
    tables = settings.pop("source", {})
    sources = _sources(arguments, tables if isinstance(tables, list) else [tables])
    window = {**PROFILES.get(arguments.profile, {}), **settings.pop("window", {})}
    publisher = settings.pop("publisher", {})
    events = dict(settings.pop("events", {}))
    _replace(window, hop_s=arguments.hop, n_clips=arguments.window)
    _replace(events, on=arguments.on, off=arguments.off)
    for flag in ("bind", "curve"):
        if arguments.no_publish and getattr(arguments, flag) is not None:
            raise UsageError(f"--{flag} and --no-publish contradict each other")
    publishes = not arguments.no_publish and (
        publisher is not False or (arguments.bind, arguments.curve) != (None, None)
    )
    publisher = dict(publisher or {})
    _replace(publisher, bind=arguments.bind, curve=arguments.curve)
    _expand(publisher, "curve")
    if "bind" in publisher:
        publisher["bind"] = at_home(publisher["bind"])
    record = _record_config(arguments, dict(settings.pop("record", {})))
    history = settings.pop("history", {})
    mqtt = dict(settings.pop("mqtt", {}))
    web = _web_config(arguments, dict(settings.pop("web", {})))
    rules = rules_config(settings)
    _replace(
        settings,
        bundle=arguments.bundle,
        device=arguments.device,
        backend=arguments.backend,
        precision=arguments.precision,
        duration_s=arguments.duration,
        insecure=arguments.insecure,
        log_json=arguments.log_json,
        metrics=arguments.metrics,
        picture=arguments.picture,
        dashboard=False if arguments.no_dashboard else None,
        log_format=arguments.log_format,
        explain=arguments.explain,
    )
    _expand(settings, "bundle")
    _expand(settings, "explain")
    return RunConfig(
        source=sources[0],
        more_sources=tuple(sources[1:]),
        window=WindowConfig(**window),
        publisher=PublisherConfig(**publisher) if publishes else None,
        record=record,
        history=_history_config(arguments, history, record),
        mqtt=_mqtt_config(arguments, mqtt),
        web=web,
        rules=rules,
        events=events,
        **settings,
    )


def _record_config(arguments: argparse.Namespace, settings: dict[str, Any]) -> RecordConfig | None:
    """Return what is recorded: nothing unless a folder is named."""
    labels = arguments.record_labels  # which commas part two of them is known with the bundle
    _replace(settings, directory=arguments.record, labels=None if labels is None else (*labels,))
    if settings and "directory" not in settings:
        raise UsageError("to record, name a folder: --record DIR, or directory under [record]")
    _expand(settings, "directory")
    return RecordConfig(**settings) if settings else None


def _mqtt_config(arguments: argparse.Namespace, settings: dict[str, Any]) -> MqttConfig | None:
    """Return which broker is told: none unless one is named."""
    if arguments.mqtt is not None:
        require_brackets(arguments.mqtt)
        host, colon, port = arguments.mqtt.rpartition(":")
        if not (colon and is_port(port)):
            host, port = arguments.mqtt, ""
        settings["host"] = host.removeprefix("[").removesuffix("]")
        if port:
            settings["port"] = int(port)
    if settings and "host" not in settings:
        raise UsageError("to tell a broker, name it: --mqtt HOST, or host under [mqtt]")
    for name in ("password_file", "ca_file"):
        _expand(settings, name)
    return MqttConfig(**settings) if settings else None


def _history_config(
    arguments: argparse.Namespace, settings: dict[str, Any] | bool, record: RecordConfig | None
) -> HistoryConfig | None:
    """Return where events are kept: beside recordings unless a file is named, or it is off."""
    if settings is False and arguments.history is None:
        return None
    table = dict(settings) if isinstance(settings, dict) else {}
    _replace(table, file=arguments.history)
    if "file" not in table:
        if record is None:
            if table:
                raise UsageError("to keep a history, name a file: --history FILE, or file")
            return None
        table["file"] = str(Path(record.directory, HISTORY_FILE))
    _expand(table, "file")
    return HistoryConfig(**table)


def _web_config(arguments: argparse.Namespace, settings: dict[str, Any]) -> WebConfig | None:
    """Return where the page is: nowhere unless an address is named."""
    _replace(settings, bind=arguments.web, password_file=arguments.web_password_file)
    if settings and "bind" not in settings:
        raise UsageError("for a page, name an address: --web 127.0.0.1:8080, or bind under [web]")
    _expand(settings, "password_file")
    return WebConfig(**settings) if settings else None


def rules_config(settings: dict[str, Any]) -> RulesConfig | None:
    """Take the rules out of settings; None where they say nothing of any.

    Raises:
        UsageError: A rule cannot work.
    """
    shared = dict(settings.pop("rules", {}))
    _expand(shared, "chosen")
    rules = tuple(RuleConfig(**table) for table in settings.pop("rule", []))
    profiles = tuple(ProfileConfig(**table) for table in settings.pop("profile", []))
    if not (shared or rules or profiles):
        return None
    return RulesConfig(**shared, rules=rules, profiles=profiles)


def _sources(arguments: argparse.Namespace, tables: list[dict[str, Any]]) -> list[SourceConfig]:
    """Work out the streams of a file's tables and the flags; `--source` replaces the tables."""
    asked: list[str | None] = arguments.source or [None] * len(tables)
    if arguments.source is not None:  # one table's other settings hold for all
        shared = dict(tables[0]) if len(tables) == 1 else {}
        if len(asked) > 1:
            shared.pop("name", None)
        tables = [shared] * len(asked)
    if len(asked) > 1:
        devices = (arguments.camera, arguments.mic, arguments.no_mic or None)
        if arguments.source is None and devices != (None, None, None):
            raise UsageError(
                f"the settings have {len(asked)} sources; change a camera or microphone under its "
                "[[source]], or give --source"
            )
        if arguments.name is not None:
            raise UsageError(
                f"one name for {len(asked)} sources: give each its own under [[source]]"
            )
    named = [_source_settings(arguments, s, dict(t)) for s, t in zip(asked, tables, strict=True)]
    taken = {settings["name"].casefold() for settings in named if "name" in settings}
    for settings in named:
        if "name" not in settings:
            settings["name"] = name = _default_name(settings)[:_MAX_DEFAULT_NAME]
            number = 1
            while settings["name"].casefold() in taken:  # a name may be a folder's
                number += 1
                settings["name"] = f"{name}-{number}"
            taken.add(settings["name"].casefold())
    return [SourceConfig(**settings) for settings in named]


def _source_settings(
    arguments: argparse.Namespace, source: str | None, settings: dict[str, Any]
) -> dict[str, Any]:
    """Work out what a stream is, and its name if it was given one."""
    microphone = NO_MICROPHONE if arguments.no_mic else arguments.mic
    if arguments.no_mic and arguments.mic not in (None, NO_MICROPHONE):
        raise UsageError("--mic and --no-mic contradict each other")
    if source is not None and (arguments.camera, microphone) != (None, None):
        raise UsageError("--source stands alone: it brings its own sound and picture")
    if source is not None:
        for key in ("camera", "microphone", "media", "kind"):
            settings.pop(key, None)
        settings["kind"] = "demo" if source == "demo" else "media"
        if settings["kind"] == "media":
            settings["media"] = source
    elif arguments.camera is not None or microphone not in (None, NO_MICROPHONE):
        for key in ("media", "kind"):
            settings.pop(key, None)
    _replace(settings, camera=arguments.camera, microphone=microphone)
    named = bool({"camera", "media"} & settings.keys())
    named |= settings.get("microphone", NO_MICROPHONE) != NO_MICROPHONE
    if arguments.print_config and not named and settings.get("kind", "live") == "live":
        sentence = "no source given; these are the settings of --camera 0"
        logger.error("%s: %s", short_name(), sentence, extra=ANSWER)
        settings["camera"] = "0"
    if "camera" in settings:
        settings.setdefault("microphone", "default")
    if settings.get("microphone") == NO_MICROPHONE:
        del settings["microphone"]
    settings.setdefault("kind", "media" if "media" in settings else "live")
    if settings["kind"] == "live" and not {"camera", "microphone"} & settings.keys():
        raise UsageError(
            "nothing to watch or hear: give --camera 0, --mic default, --source FILE or "
            "--source demo (--help shows examples, --list-devices what is here)"
        )
    for key in ("media", "camera"):
        if key in settings:
            settings[key] = _as_path(str(settings[key]))
    _replace(settings, pace=arguments.pace, loop=arguments.loop, name=arguments.name)
    _replace(settings, wait=arguments.wait, transport=arguments.transport)
    _replace(settings, audio_track=arguments.audio_track, video_track=arguments.video_track)
    _replace(settings, reconnect=False if arguments.no_reconnect else None)
    return settings


def _as_path(location: str) -> str:
    """Return a local file as the system takes it; a network stream's URL."""
    if is_network(location):
        scheme, mark, rest = location.partition("://")
        return f"{scheme.lower()}{mark}{rest}"  # FFmpeg knows rtsp, not RTSP
    try:
        return local_path(location)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _default_name(settings: dict[str, Any]) -> str:
    """Name a stream after what it comes from."""
    if settings["kind"] == "demo":
        return "demo"
    if settings["kind"] == "media":
        media = redacted_location(str(settings.get("media", "")))
        if is_network(media):
            without_host = str(settings["media"]).partition(":///")[2]
            if without_host and "@" not in without_host:  # a path, in a scheme of somebody's own
                return _plain(Path(urlsplit(media).path or media).stem) or "stream"
            host = media.partition("://")[2]
            return _plain(re.split(r"[/:?]", host)[0]) or "stream"
        return _plain(Path(media).stem) or "file"
    camera = settings.get("camera")
    if camera is None:
        return "microphone"
    camera = redacted_location(str(camera))
    return "camera" if is_network(camera) else f"camera-{_plain(Path(camera).name)}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")


def _replace(settings: dict[str, Any], **flags: object) -> None:
    """Put the flags that were given over the settings of the file."""
    settings.update({name: value for name, value in flags.items() if value is not None})


def _expand(settings: dict[str, Any], key: str) -> None:
    """Put the home folder for `~` in a path, if there is one under `key`."""
    if key in settings:
        settings[key] = str(to_path(settings[key])) if settings[key] else settings[key]
