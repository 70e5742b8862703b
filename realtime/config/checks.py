"""What all settings are checked with; each refusal is one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.errors import UsageError


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a value outside `low` to `high`.

    Raises:
        UsageError: It is.
    """
    if not low <= value <= high:
        raise UsageError(f"{name} must be from {low:g} to {high:g}, got {value:g}")


def check_choice(name: str, value: str, wanted: Sequence[str]) -> None:
    """Refuse what is none of several words.

    Raises:
        UsageError: It is none.
    """
    if value not in wanted:
        raise UsageError(f"{name} is one of {', '.join(wanted)}, got {value!r}")
