"""A bundle by its name, and its event settings joined with those of a run. Torch-free."""

from __future__ import annotations

from realtime.config import TrackerConfig
from realtime.errors import ModelError, UsageError
from weights.bundle import Bundle, BundleError, load_bundle


def find_bundle(name: str) -> Bundle:
    """Return the bundle of this name or folder, its files checked.

    Raises:
        ModelError: There is none, or it is damaged.
    """
    try:
        return load_bundle(name)
    except BundleError as error:
        raise ModelError(str(error)) from error


def tracker_config(bundle: Bundle, overrides: dict[str, object]) -> TrackerConfig:
    """Join a bundle's event settings with those of the command line.

    Raises:
        UsageError: A setting does not exist or has no sensible value.
    """
    spec = bundle.events
    settings: dict[str, object] = {
        "on": spec.on,
        "off": spec.off,
        "per_label": {
            label: (float(pair["on"]), float(pair["off"])) for label, pair in spec.per_label.items()
        },
        "confirm_n": spec.confirm[0],
        "confirm_m": spec.confirm[1],
        "min_duration_s": spec.min_duration_s,
        "merge_gap_s": spec.merge_gap_s,
        "cool_down_s": spec.cool_down_s,
        "context": spec.context,
        "background": bundle.background,
        "smooth": spec.smooth,
        "kin": spec.kin,
        "groups": dict(spec.groups),
    }
    if {"on", "off"} & overrides.keys() and "per_label" not in overrides:
        settings["per_label"] = {}  # who sets a threshold by hand means it for all labels
    try:
        config = TrackerConfig(**{**settings, **overrides})  # type: ignore[arg-type]  # as checked
    except TypeError as error:
        raise UsageError(f"[events] has a setting that does not fit: {error}") from error
    named = {*config.per_label, *([] if config.background is None else [config.background])}
    named |= {label for group in config.kin for label in group}
    named |= {label for pair in config.groups.items() for label in pair}
    unknown = sorted(named - set(bundle.labels))
    if unknown:
        raise UsageError(
            f"[events] names labels that bundle {bundle.name} has not: {', '.join(unknown)}; "
            f"it has {', '.join(bundle.labels)}"
        )
    return config
