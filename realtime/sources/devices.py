"""What `--list-devices` prints: cameras and sound inputs, each with the argument that picks it.

It always answers: what cannot be listed is one line with the reason. It loads neither torch nor
OpenCV, and opens no device.
"""

from __future__ import annotations

from pathlib import Path

from realtime.errors import SourceError
from realtime.sources.portaudio import import_sounddevice, query_devices

_V4L_ROOT = Path("/sys/class/video4linux")


def list_devices() -> str:
    """Return the list as lines of text."""
    return "\n".join(["Cameras", *_cameras(_V4L_ROOT), "", "Sound inputs", *_sound_inputs()])


def camera_numbers(root: Path = _V4L_ROOT) -> list[str]:
    """Return the numbers of V4L2 devices that give pictures, as `--camera` takes them.

    A camera's metadata node (index above 0) gives none.
    """
    folders = sorted(root.glob("video*"), key=lambda p: (len(p.name), p.name))
    return [f.name.removeprefix("video") for f in folders if _read(f / "index", "0") == "0"]


def _cameras(root: Path) -> list[str]:
    lines = [
        f"  --camera {number:<12} /dev/video{number}  {_read(root / f'video{number}' / 'name', '')}"
        for number in camera_numbers(root)
    ]
    return lines or ["  none found; a camera at a URL works too: --camera rtsp://…"]


def _sound_inputs() -> list[str]:
    try:
        devices, default = query_devices(import_sounddevice())
    except SourceError as error:
        return [f"  not listed: {error}"]
    lines = []
    for device in devices:
        if device["max_input_channels"] > 0:
            mark = "  (default)" if device["index"] == default else ""
            form = f"{device['default_samplerate']:g} Hz, {device['max_input_channels']} channels"
            lines.append(f"  --mic {device['index']!s:<15} {device['name']}, {form}{mark}")
    return lines or ["  none found"]


def _read(path: Path, otherwise: str) -> str:
    return path.read_text(errors="replace").strip() if path.is_file() else otherwise
