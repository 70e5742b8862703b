"""Which of PortAudio's inputs a user means, and how it is opened."""

from __future__ import annotations

from typing import Any

from extractors.decoding.limits import MAX_RATE, MIN_RATE
from realtime.errors import SourceError
from realtime.sources.identity import without_card
from realtime.sources.portaudio import query_devices

DEFAULT_DEVICE = "default"
MAX_CHANNELS = 8  # of an array microphone; who claims more, up to 128, makes them up as asked
VIRTUAL_CHANNELS = 2  # of such a one, a sound server's: it mixes what it has down itself


def find_input(sounddevice: Any, device: str) -> dict[str, Any]:
    """Return PortAudio's description of one sound input.

    Args:
        sounddevice: The module.
        device: Number, part of a name (any case), or `default`.

    Raises:
        SourceError: None or several are meant, or PortAudio cannot list them.
    """
    return choose_input(*query_devices(sounddevice), device)


def choose_input(
    devices: list[dict[str, Any]], default: int, device: str, name: str | None = None
) -> dict[str, Any]:
    """Choose one of PortAudio's devices.

    Args:
        devices: All of them.
        default: Number of the default input.
        device: What the user asked for: number, part of a name (any case), or `default`.
        name: PortAudio's name of the device that was open before; that one is meant then.

    Raises:
        SourceError: None or several are meant.
    """
    inputs = [d for d in devices if d["max_input_channels"] > 0]
    if not inputs:
        raise SourceError(
            "no sound input exists here; plug a microphone in, or go without sound: --mic none"
        )
    if name is not None:
        known = [d for d in inputs if d["name"] == name]
        known = known or [d for d in inputs if without_card(d["name"]) == without_card(name)]
        if known:
            return dict(known[0])
        raise SourceError(f"microphone {name!r} is not there")
    if device == DEFAULT_DEVICE:
        return next((d for d in inputs if d["index"] == default), inputs[0])
    if device.isdigit():
        found = [d for d in inputs if d["index"] == int(device)]
    else:
        found = [d for d in inputs if d["name"].lower() == device.lower()]
        found = found or [d for d in inputs if device.lower() in d["name"].lower()]
    if len(found) == 1:
        return dict(found[0])
    named = ", ".join(f"{d['index']} {d['name']!r}" for d in found or inputs)
    what = "fits several inputs" if found else "is no sound input"
    raise SourceError(f"microphone {device!r} {what}; give a number: {named}")


def device_form(info: dict[str, Any]) -> tuple[int, int]:
    """Return rate and channel count at which a device is opened.

    Raises:
        SourceError: It tells a rate that no sound has.
    """
    n_channels = info["max_input_channels"]
    if n_channels > MAX_CHANNELS:
        n_channels = VIRTUAL_CHANNELS
    rate_hz = info["default_samplerate"]
    if not MIN_RATE <= rate_hz <= MAX_RATE:
        raise SourceError(
            f"microphone {info['name']!r} tells a rate of {rate_hz:g} Hz; rates from {MIN_RATE} to "
            f"{MAX_RATE} Hz are read, so set it to 48000 Hz in the sound system"
        )
    return round(rate_hz), n_channels
