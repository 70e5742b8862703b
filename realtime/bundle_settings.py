"""A bundle by its name, and its event settings joined with those of a run. Torch-free."""

from __future__ import annotations

import logging
from dataclasses import replace

from realtime.errors import ModelError, UsageError
from weights.bundle import Bundle, BundleError, EventSpec, load_bundle

logger = logging.getLogger(__name__)


def find_bundle(name: str) -> Bundle:
    """Return the bundle of this name or folder, its files checked.

    Raises:
        ModelError: There is none, or it is damaged.
    """
    try:
        bundle = load_bundle(name)
    except BundleError as error:
        raise ModelError(str(error)) from error
    for sentence in bundle.unverified:
        logger.warning("the bundle %s holds what is not verified: %s", bundle.name, sentence)
    return bundle


def grid_hz_of(bundle: Bundle, asked: int | None) -> int:
    """Return how many pictures a second are computed at most: no more than the bundle wants.

    Args:
        bundle: Whose picture trunk computes them.
        asked: `WindowConfig.grid_hz`.
    """
    own = bundle.visual.grid_hz
    return own if asked is None else min(own, asked)


def event_settings(bundle: Bundle, overrides: dict[str, object]) -> EventSpec:
    """Join a bundle's event settings with those of a run.

    Args:
        bundle: Whose `events` hold where nothing is said.
        overrides: `realtime.config.EVENT_SETTINGS`, their kinds checked.

    Raises:
        UsageError: A setting does not exist or has no sensible value.
    """
    own = dict(overrides)
    n, m = bundle.events.confirm
    own["confirm"] = (own.pop("confirm_n", n), own.pop("confirm_m", m))
    own.setdefault("background", bundle.background)
    if {"on", "off"} & own.keys():
        own.setdefault("per_label", {})  # who sets a threshold by hand means it for all labels
    try:
        events = replace(bundle.events, **own)  # type: ignore[arg-type]  # as checked
    except (TypeError, ValueError) as error:
        raise UsageError(f"[events] has a setting that does not fit: {error}") from error
    unknown = sorted(set(events.labels_named()) - set(bundle.labels))
    if unknown:
        raise UsageError(
            f"[events] names labels that bundle {bundle.name} has not: {', '.join(unknown)}; "
            f"it has {', '.join(bundle.labels)}"
        )
    return events
