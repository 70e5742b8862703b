"""What `--print-config` says beyond what was set: the values that hold where nothing else is said.

They are comments, so that the printed file still runs the same stream with another bundle: event
settings are the bundle's until a line is given in their place.
"""

from __future__ import annotations

from dataclasses import MISSING, fields

import tomli_w

from realtime.bundle_settings import event_settings, find_bundle
from realtime.config import HistoryConfig, RecordConfig, RunConfig
from realtime.errors import ModelError, UsageError
from weights.printable import toml_text


def in_force(config: RunConfig) -> str:
    """Return commented TOML: `[events]` and `[record]` as they are now, without what was set."""
    return toml_text(f"\n{_events(config)}\n{_record(config)}{_history(config)}")


def _events(config: RunConfig) -> str:
    try:
        bundle = find_bundle(config.bundle)
        events = event_settings(bundle, config.events)
    except (ModelError, UsageError) as error:
        return f"# [events] cannot be told: {error}\n"
    values = {field.name: getattr(events, field.name) for field in fields(events)}
    values["confirm_n"], values["confirm_m"] = values.pop("confirm")
    values = {key: value for key, value in values.items() if key not in config.events}
    thresholds, groups = values.pop("per_label", {}), values.pop("groups", {})
    lines = tomli_w.dumps({key: value for key, value in values.items() if value is not None})
    head = f"Events as the bundle {bundle.name} {bundle.version} has them; a line under [events]"
    text = f"# {head} takes its place.\n# [events]\n{_commented(lines)}"
    if thresholds:
        inline = "".join(
            f"{_key(label)} = {{ on = {pair['on']:g}, off = {pair['off']:g} }}\n"
            for label, pair in thresholds.items()
        )
        text += f"# [events.per_label]\n{_commented(inline)}"
    if groups:
        text += f"# [events.groups]\n{_commented(tomli_w.dumps(dict(groups)))}"
    return text


def _record(config: RunConfig) -> str:
    if config.record is not None:
        return ""  # all of it stands above
    values = {
        field.name: list(field.default) if isinstance(field.default, tuple) else field.default
        for field in fields(RecordConfig)
        if field.default is not MISSING
    }
    head = (
        "# Nothing is recorded; with a directory (--record DIR) it would be by these.\n# [record]\n"
    )
    return head + _commented('directory = "events"\n' + tomli_w.dumps(values))


def _history(config: RunConfig) -> str:
    if config.history is not None or config.record is not None:
        return ""  # all of it stands above
    head = (
        "\n# No history is kept; with a file (--history FILE) it would be by these.\n# [history]\n"
    )
    values = {"file": "history.db", "keep_events": HistoryConfig(file="history.db").keep_events}
    return head + _commented(tomli_w.dumps(values))


def _key(label: str) -> str:
    return tomli_w.dumps({label: 0}).partition(" = ")[0]


def _commented(lines: str) -> str:
    return "".join(f"# {line}\n" for line in lines.splitlines())
