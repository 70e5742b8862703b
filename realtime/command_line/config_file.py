"""TOML to `RunConfig` and back: defaults < file < flags, every key checked by name and kind.

The tables mirror the dataclasses of `realtime.config`; each `[[source]]` is a stream, and one alone
may be written `[source]`.
`publisher = false` publishes nothing, `microphone = "none"` goes without one. Rules and profiles
are `[[rule]]` and `[[profile]]` tables; what is printed of a rule holds no address.
"""

from __future__ import annotations

import stat
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import tomli_w

from realtime.config import (
    EVENT_SETTINGS,
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
    shown_place,
)
from realtime.errors import UsageError
from weights.event_spec import EventSpec
from weights.near import did_you_mean
from weights.paths import as_text, shown
from weights.printable import toml_text

MAX_FILE_BYTES = 1 << 20
MAX_INTEGER = 1 << 63  # TOML asks for no more (its specification, section Integer)
NO_MICROPHONE = "none"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
TABLES: dict[str, type[Any]] = {  # [window] and the like
    "source": SourceConfig,
    "window": WindowConfig,
    "publisher": PublisherConfig,
    "record": RecordConfig,
    "history": HistoryConfig,
    "mqtt": MqttConfig,
    "web": WebConfig,
    "rules": RulesConfig,
    "events": EventSpec,
}
LISTS: dict[str, type[Any]] = {"rule": RuleConfig, "profile": ProfileConfig}  # [[rule]] tables
_IN_LISTS = ("rules", "profiles")  # what RulesConfig keeps of LISTS
_TEXTS = {  # lists of texts, each with an example
    "labels": '["Bark", "Siren"]',
    "hosts": '["cam.example"]',
    "sources": '["hall", "yard"]',
    "times": '["22:00-06:00"]',
    "weekdays": '["mon-fri"]',
    "profiles": '["away", "night"]',
    "notify": '["ntfy://localhost/hall"]',
    "run": '["/usr/local/bin/light", "on"]',
}
_MAY_BE_OFF = ("publisher", "history")
_TEXT_OR_NUMBER = {"camera", "microphone"}  # an index may stand without quotes


def read_config_file(path: Path) -> dict[str, Any]:
    """Read a TOML file into nested settings, names and kinds checked.

    Raises:
        UsageError: It cannot be read, is no TOML, or has a key or value that does not fit.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe may wait for ever, a device never end
            raise UsageError(f"--config wants an ordinary file, {path} is none; save it as one")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)  # whatever its size is said to be
        if len(content) > MAX_FILE_BYTES:
            raise UsageError(f"--config {path} is larger than 1 MiB; this is not a config file")
        text = content.decode("utf-8-sig")  # editors elsewhere begin a file with a mark
    except OSError as error:
        raise UsageError(f"--config {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        kind = " but UTF-16" if content[:2] in _UTF16_MARKS else ""
        raise UsageError(
            f"--config {path} is not UTF-8 text{kind}; save it as UTF-8 in your editor"
        ) from error
    try:
        settings = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of a number with 5,000 digits
        raise UsageError(f"--config {path} is not valid TOML: {error}") from error
    return check_settings(settings, str(path))


def check_settings(settings: dict[str, Any], where: str) -> dict[str, Any]:
    """Check names and kinds of nested settings.

    Returns:
        The same, with `source` as a table, or as a list of tables where there are several.

    Raises:
        UsageError: A key is unknown or a value is of the wrong kind.
    """
    checked = dict(settings)
    source = checked.get("source")
    if isinstance(source, list):
        if not source:
            raise UsageError(f"{where}: [[source]] wants at least one table, got none")
        tables = [check_settings({"source": table}, where)["source"] for table in source]
        rest = {key: value for key, value in checked.items() if key != "source"}
        return {**check_settings(rest, where), "source": tables[0] if len(tables) == 1 else tables}
    top = {
        f.name: str(f.type) for f in fields(RunConfig) if f.name not in (*TABLES, "more_sources")
    }
    plain = {k: v for k, v in checked.items() if k not in (*TABLES, *LISTS)}
    checked.update(_check_table(plain, top, where, (*TABLES, *LISTS)))
    for name, kind in LISTS.items():
        if name in checked:
            checked[name] = _check_list(checked[name], name, kind, where)
    for table, kind in TABLES.items():
        if table not in checked or (table in _MAY_BE_OFF and checked[table] is False):
            continue
        if not isinstance(checked[table], dict):
            raise UsageError(f"{where}: [{table}] must be a table, got {checked[table]!r}")
        known = EVENT_SETTINGS if kind is EventSpec else _kinds(kind, without=_IN_LISTS)
        checked[table] = _check_table(checked[table], known, f"{where}: [{table}]")
    return checked


def format_config(config: RunConfig) -> str:
    """Return a configuration as TOML that `read_config_file` reads back."""
    settings = _without_none(asdict(config))
    # TOML has no None: what is off on purpose must not come back as a default.
    if config.publisher is None:
        settings["publisher"] = False
    if config.record is not None and config.history is None:
        settings["history"] = False
    tables = [settings["source"], *settings.pop("more_sources")]
    for source, table in zip(config.sources, tables, strict=True):
        if source.media is not None:
            table["media"] = as_text(source.media)
        if source.kind == "live" and source.microphone is None:
            table["microphone"] = NO_MICROPHONE
    if len(tables) > 1:
        settings["source"] = tables
    if config.rules is not None:
        rules = settings["rules"]
        settings["rule"], settings["profile"] = rules.pop("rules"), rules.pop("profiles")
        for rule, table in zip(config.rules.rules, settings["rule"], strict=True):
            table["notify"] = [shown_place(place) for place in rule.notify]
            if rule.post is not None:
                table["post"] = shown_place(rule.post)
    _check_text(settings)
    return toml_text(tomli_w.dumps(settings))


def _check_text(value: Any) -> None:
    """Refuse what TOML cannot hold, rather than print settings of another run."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            _check_text(item)
    elif isinstance(value, str) and shown(value) != value:
        raise UsageError(f"{shown(value)} is no UTF-8 text, which TOML wants; rename it")


def _kinds(table: type[Any], without: tuple[str, ...] = ()) -> dict[str, str]:
    return {f.name: str(f.type) for f in fields(table) if f.name not in without}


def _check_list(tables: Any, name: str, kind: type[Any], where: str) -> list[dict[str, Any]]:
    """Check `[[rule]]` tables and the like; each wants a name."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{where}: {name} is written as [[{name}]] tables, got {tables!r}")
    for table in tables:
        if "name" not in table:
            raise UsageError(f"{where}: each [[{name}]] wants a name")
    return [_check_table(table, _kinds(kind), f"{where}: [[{name}]]") for table in tables]


def _check_table(
    table: dict[str, Any], known: dict[str, str], where: str, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    checked = {}
    for key, value in table.items():
        if key not in known:
            all_names = sorted((*known, *also))
            raise UsageError(
                f"{where}: there is no setting {key!r}{did_you_mean(key, all_names)}; known are "
                f"{', '.join(all_names)}"
            )
        checked[key] = _check_value(key, value, known[key], where)
    return checked


def _check_value(key: str, value: Any, kind: str, where: str) -> object:
    if key == "per_label":
        return _thresholds(value, where)
    if key in _TEXTS:
        return _texts(key, value, _TEXTS[key], where)
    if key == "confusable":
        return _confusable(value, where)
    if key == "groups":
        return _groups(value, where)
    if key == "retry_s":
        return _waits(value, where)
    if key in _TEXT_OR_NUMBER and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    wanted: dict[str, tuple[type, ...]] = {
        "bool": (bool,),
        "int": (int,),
        "float": (int, float),
        "str": (str,),
    }
    types = wanted[kind.split(" ")[0]]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise UsageError(f"{where}: {key} must be {kind.split(' ')[0]}, got {value!r}")
    _check_size(value, key, where)
    return float(value) if float in types and isinstance(value, int) else value


def _check_size(value: Any, name: str, where: str) -> None:
    """Refuse an integer that no float holds and nobody wants to read in a message."""
    if isinstance(value, int) and abs(value) >= MAX_INTEGER:
        raise UsageError(f"{where}: {name} is too large a number")


def _texts(key: str, value: Any, example: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UsageError(f"{where}: {key} must be a list such as {example}, got {value!r}")
    return tuple(value)


def _confusable(value: Any, where: str) -> tuple[tuple[str, ...], ...]:
    groups = value if isinstance(value, list) else [value]
    if not all(
        isinstance(group, list) and all(isinstance(label, str) for label in group)
        for group in groups
    ):
        raise UsageError(
            f'{where}: confusable must be lists such as [["Bark", "Howl"]], got {value!r}'
        )
    return tuple(tuple(group) for group in groups)


def _groups(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(wider, str) for wider in value.values()):
        raise UsageError(
            f'{where}: groups must be a table such as {{ Piano = "Music" }}, got {value!r}'
        )
    return value


def _waits(value: Any, where: str) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else []
    if not numbers or not all(type(n) in (int, float) for n in numbers):
        raise UsageError(f"{where}: retry_s must be a list such as [1, 5, 20, 60], got {value!r}")
    return tuple(float(min(n, 1e9)) for n in numbers)  # who writes more is refused anyway


def _thresholds(value: Any, where: str) -> dict[str, dict[str, float]]:
    """Read `Bark = { on = 0.6, off = 0.4 }` (or a pair) for each label."""
    if not isinstance(value, dict):
        raise UsageError(f"{where}: per_label must be a table of labels, got {value!r}")
    thresholds = {}
    for label, pair in value.items():
        values = [pair.get("on"), pair.get("off")] if isinstance(pair, dict) else pair
        if (
            not isinstance(values, list)
            or len(values) != 2
            or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        ):
            raise UsageError(
                f"{where}: per_label.{label} must be {{ on = 0.6, off = 0.4 }}, got {pair!r}"
            )
        for threshold in values:
            _check_size(threshold, f"per_label.{label}", where)
        thresholds[label] = {"on": float(values[0]), "off": float(values[1])}
    return thresholds


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, tuple | list):
        return [_without_none(v) for v in value]
    return value
