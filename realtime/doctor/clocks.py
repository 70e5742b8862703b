"""The wall clock, which dates events: whether the system keeps it right."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime

from realtime.doctor.finding import Finding, good, warning

_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
_ASK_S = 5.0


def check_clock() -> Finding:
    """Look at the date, and ask systemd whether the clock is synchronised."""
    now = datetime.now(UTC)
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC, {time.strftime('%Z')} here"
    if now < _EARLIEST:
        return warning("clock", f"{said}, which has been; set it, for it dates events")
    synchronised = _ask()
    if synchronised is None:
        return good("clock", f"{said}; whether it is synchronised cannot be told here")
    if not synchronised:
        return warning(
            "clock", f"{said}, not synchronised; run `timedatectl set-ntp true`, or chrony"
        )
    return good("clock", f"{said}, synchronised")


def _ask() -> bool | None:
    """Return whether the system says that its clock is synchronised; None if it does not say."""
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())
