"""What is offered to somebody who asks for nothing: a choice of what is here, as a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from realtime.errors import SourceError


class Choice(NamedTuple):
    """One way to begin."""

    said: str
    flags: tuple[str, ...]


def choices() -> list[Choice]:
    """Return what may be begun with here, the richest first; opens no device."""
    from realtime.sources.devices import camera_numbers  # PortAudio
    from realtime.sources.portaudio import import_sounddevice, query_devices

    try:
        devices, _ = query_devices(import_sounddevice())
        hears = any(device["max_input_channels"] > 0 for device in devices)
    except SourceError:
        hears = False
    found = []
    for number in camera_numbers():
        if hears:
            said = f"camera {number} and the default microphone"
            found.append(Choice(said, ("--camera", number)))
        said = f"camera {number} alone"
        found.append(Choice(said, ("--camera", number, "--no-mic")))
    if hears:
        found.append(Choice("the default microphone alone", ("--mic", "default")))
    said = "the built-in demo: 40 s with a siren, a car horn and a clock"
    return [*found, Choice(said, ("--source", "demo", "--pace"))]


def offer(
    found: list[Choice], program: str, ask: Callable[[str], str], answer: Callable[[str], None]
) -> tuple[str, ...] | None:
    """Let a person choose; return the flags, or None where they want none.

    Args:
        found: From `choices`.
        program: How the command is called.
        ask: Prints a prompt and returns a line; raises EOFError at the input's end.
        answer: Prints text.
    """
    answer("Nothing was asked for. Here is what can be watched and heard:\n\n")
    for number, choice in enumerate(found, 1):
        answer(f"  {number}  {choice.said}\n")
    answer("\n--help shows files, streams and outputs; --doctor looks at what is wrong.\n")
    while True:
        try:
            line = ask("Which one, or q to quit [1]? ").strip() or "1"
        except EOFError:
            answer("\n")
            return None
        if line.lower() in ("q", "quit"):
            return None
        if line.isdecimal() and 1 <= int(line) <= len(found):
            flags = found[int(line) - 1].flags
            answer(f"\n$ {program} {' '.join(flags)}\n")
            return flags
        answer(f"a number from 1 to {len(found)} is wanted, or q\n")
