"""By which name a device is found again: not by its number, which a replug may change.

A camera is known by its link below /dev/v4l/by-id (maker, model, serial number; a laptop's without
a serial number by the socket it is in), or else by the name that its driver gives. A sound device
is known by PortAudio's name without the card number. `default` is looked up once: afterwards the
same device is meant, so that a camera in the hall does not go on with the desk's microphone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_LINKS = Path("/dev/v4l/by-id")
_SYSFS = Path("/sys/class/video4linux")
_CARD_NUMBER = re.compile(r"\s*\((plug)?hw:\d+,\d+\)$")  # PortAudio over ALSA appends it


@dataclass(slots=True)
class DeviceIdentity:
    """What is remembered of a device between two openings; one capture thread at a time uses it.

    Attributes:
        name: Its stable name; None before it was opened for the first time.
        n_attempts: How often somebody has tried to open it.
    """

    name: str | None = None
    n_attempts: int = 0


def device_path(camera: str) -> str:
    """Return `/dev/video0` for `0`, and a path as it is."""
    return f"/dev/video{camera}" if camera.isdigit() else camera


def stable_name(path: str, links: Path = _LINKS, sysfs: Path = _SYSFS) -> str | None:
    """Return by which name the camera at `path` is found again; None where it has none."""
    device = Path(path)
    if not device.exists():
        return None
    for link in sorted(links.glob("*")) if links.is_dir() else ():
        if link.resolve() == device.resolve():
            return str(link)
    return _driver_name(sysfs / device.resolve().name)


def find_camera(camera: str, name: str | None, sysfs: Path = _SYSFS) -> str:
    """Return which device to open now.

    Args:
        camera: What the user asked for.
        name: What `stable_name` said when it was open; None before that.
        sysfs: Where the kernel lists cameras.

    Returns:
        A path, or `camera` itself where nothing better is known.
    """
    if name is None:
        return camera
    if name.startswith("/"):
        return str(Path(name).resolve()) if Path(name).exists() else name
    if _driver_name(sysfs / Path(device_path(camera)).name) == name:
        return camera
    for folder in sorted(sysfs.glob("video*"), key=lambda p: (len(p.name), p.name)):
        if _read(folder / "index") in ("0", None) and _driver_name(folder) == name:
            return f"/dev/{folder.name}"
    return camera


def without_card(name: str) -> str:
    """Return a sound device's name without the card number at its end."""
    return _CARD_NUMBER.sub("", name)


def _driver_name(folder: Path) -> str | None:
    return _read(folder / "name")


def _read(path: Path) -> str | None:
    return path.read_text(errors="replace").strip() if path.is_file() else None
