"""The `events` object of a bundle's manifest: read strictly, written back the same.

Thresholds, times, and which labels are related. What they mean stands in `EventSpec` and in the
event tracker.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from weights.bundle_spec import MAX_GROUP_LEVELS, MAX_SMOOTH, EventSpec
from weights.errors import BundleError
from weights.manifest import Fields

_MAX_SECONDS = 3600.0


def read_events(
    fields: Fields, labels: tuple[str, ...], background: object, where: str
) -> EventSpec:
    """Read the object.

    Args:
        fields: The object; nothing may be left over.
        labels: The bundle's.
        background: The label that is no event, or None.
        where: The manifest, for messages.

    Raises:
        BundleError: One sentence that says what is wrong.
    """
    on = fields.number("on", 0.0, 1.0, open_low=True)
    off = fields.number("off", 0.0, on, open_low=True)
    by_label = fields.nested("per_label")
    per_label = {}
    for label in by_label.keys():  # noqa: SIM118  Fields is no dict
        if label not in labels:
            raise BundleError(f"{where}: events: per_label: {label!r} is not one of the labels")
        pair = by_label.nested(label)
        own_on = pair.number("on", 0.0, 1.0, open_low=True)
        own_off = pair.number("off", 0.0, own_on, open_low=True)
        pair.end()
        per_label[label] = MappingProxyType({"on": own_on, "off": own_off})
    spec = EventSpec(
        on=on,
        off=off,
        per_label=MappingProxyType(per_label),
        min_duration_s=fields.number("min_duration_s", 0.0, _MAX_SECONDS),
        merge_gap_s=fields.number("merge_gap_s", 0.0, _MAX_SECONDS),
        cool_down_s=fields.number("cool_down_s", 0.0, _MAX_SECONDS),
        confirm=_confirm(fields),
        context=fields.number("context", 0.0, 1.0),
        smooth=fields.integer("smooth", 1, MAX_SMOOTH) if fields.has("smooth") else 1,
        kin=_kin(fields, labels) if fields.has("kin") else (),
        groups=_groups(fields, labels, background) if fields.has("groups") else {},
    )
    fields.end()
    return spec


def event_manifest(events: EventSpec) -> dict[str, object]:
    """Return the object that `read_events` reads back."""
    return {
        "on": events.on,
        "off": events.off,
        "per_label": {label: dict(pair) for label, pair in events.per_label.items()},
        "min_duration_s": events.min_duration_s,
        "merge_gap_s": events.merge_gap_s,
        "cool_down_s": events.cool_down_s,
        "confirm": list(events.confirm),
        "context": events.context,
        "smooth": events.smooth,
        "kin": [list(group) for group in events.kin],
        "groups": dict(events.groups),
    }


def _confirm(fields: Fields) -> tuple[int, int]:
    value = fields.take("confirm")
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(count, int) and not isinstance(count, bool) for count in value)
        or not 1 <= value[0] <= value[1] <= 1000
    ):
        raise fields.wrong("confirm", "[n, m] with 1 ≤ n ≤ m ≤ 1000", value)
    return (value[0], value[1])


def _kin(fields: Fields, labels: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    value = fields.take("kin")
    groups: list[Any] = value if isinstance(value, list) else [None]
    named = [label for group in groups if isinstance(group, list) for label in group]
    if (
        not all(isinstance(group, list) and len(group) >= 2 for group in groups)
        or not all(isinstance(label, str) and label in labels for label in named)
        or len(set(named)) != len(named)
    ):
        raise fields.wrong("kin", "lists of two labels or more, each label once", value)
    return tuple(tuple(group) for group in groups)


def _groups(fields: Fields, labels: tuple[str, ...], background: object) -> Mapping[str, str]:
    value = fields.take("groups")
    pairs: dict[str, Any] = value if isinstance(value, dict) else {"": None}
    known = set(labels) - {background}
    if not all(
        isinstance(label, str) and label in known for pair in pairs.items() for label in pair
    ):
        wanted = "an object from labels to the labels that they belong to, the background not"
        raise fields.wrong("groups", wanted, value)
    for child in pairs:
        above: str | None = child
        for _ in range(MAX_GROUP_LEVELS):
            above = pairs.get(above) if above is not None else None
        if above is not None:
            wanted = f"of up to {MAX_GROUP_LEVELS} levels, no label above itself"
            raise fields.wrong("groups", wanted, value)
    return MappingProxyType(pairs)
