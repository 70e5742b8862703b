"""The `events` object of a bundle's manifest: read strictly, written back the same.

Names, kinds and labels are checked here, values by `weights.event_spec.EventSpec`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from weights.errors import BundleError
from weights.event_spec import EventSpec
from weights.manifest import Fields


def read_events(
    fields: Fields, labels: tuple[str, ...], background: str | None, where: str
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
    by_label = fields.nested("per_label")
    per_label = {}
    for label in by_label.keys():  # noqa: SIM118  Fields is no dict
        pair = by_label.nested(label)
        own = {name: pair.number(name) for name in ("on", "off")}
        pair.end()
        per_label[label] = MappingProxyType(own)
    try:
        spec = EventSpec(
            on=fields.number("on"),
            off=fields.number("off"),
            per_label=MappingProxyType(per_label),
            min_duration_s=fields.number("min_duration_s"),
            merge_gap_s=fields.number("merge_gap_s"),
            cool_down_s=fields.number("cool_down_s"),
            confirm=_confirm(fields),
            window_weight=fields.number("context"),
            smooth=fields.integer("smooth", 1) if fields.has("smooth") else 1,
            confusable=_confusable(fields) if fields.has("kin") else (),
            groups=_groups(fields) if fields.has("groups") else {},
            background=background,
        )
    except ValueError as error:
        raise BundleError(f"{where}: events: {error}") from error
    fields.end()
    known = set(labels)
    for label in spec.labels_named():
        if label not in known:
            raise BundleError(f"{where}: events: {label!r} is not one of the labels")
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
        "context": events.window_weight,
        "smooth": events.smooth,
        "kin": [list(group) for group in events.confusable],
        "groups": dict(events.groups),
    }


def _confirm(fields: Fields) -> tuple[int, int]:
    value = fields.take("confirm")
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(count, int) and not isinstance(count, bool) for count in value)
    ):
        raise fields.wrong("confirm", "[n, m] with 1 ≤ n ≤ m", value)
    return (value[0], value[1])


def _confusable(fields: Fields) -> tuple[tuple[str, ...], ...]:
    value = fields.take("kin")
    if not isinstance(value, list) or not all(
        isinstance(group, list) and all(isinstance(label, str) for label in group)
        for group in value
    ):
        raise fields.wrong("kin", "lists of two labels or more, each label once", value)
    return tuple(tuple(group) for group in value)


def _groups(fields: Fields) -> Mapping[str, str]:
    value = fields.take("groups")
    if not isinstance(value, dict) or not all(isinstance(wider, str) for wider in value.values()):
        wanted = "an object from labels to the wider labels that they belong to"
        raise fields.wrong("groups", wanted, value)
    return MappingProxyType(value)
