"""The one place that loads sounddevice, with PortAudio's and ALSA's chatter kept off the screen.

PortAudio asks every driver at the start, and ALSA prints a line on stderr for each that is absent.
What matters of it comes back as an exception, which is translated here.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from realtime.errors import LibraryMissing, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator


def import_sounddevice() -> Any:
    """Return the module `sounddevice`, PortAudio started.

    Raises:
        LibraryMissing: The package or PortAudio itself is absent.
        SourceError: PortAudio is there and cannot start.
    """
    try:
        with quiet_stderr():
            import sounddevice
    except OSError as error:
        raise LibraryMissing(
            "a microphone needs the system library PortAudio, which is not installed; "
            "run `apt-get install libportaudio2`"
        ) from error
    except ImportError as error:
        raise LibraryMissing(
            f"a microphone needs the package sounddevice, which cannot be loaded: {error}; "
            "run `pip install sounddevice`"
        ) from error
    except Exception as error:
        # The module starts PortAudio when it is loaded; its error's class cannot be named yet.
        if type(error).__name__ != "PortAudioError":
            raise
        raise SourceError(f"PortAudio, which reads microphones, cannot start: {error}") from error
    return sounddevice


def query_devices(sounddevice: Any) -> tuple[list[dict[str, Any]], int]:
    """Return all sound devices as PortAudio describes them and the default input's number.

    Raises:
        SourceError: PortAudio cannot list them.
    """
    try:
        return list(sounddevice.query_devices()), sounddevice.default.device[0]
    except sounddevice.PortAudioError as error:
        raise SourceError(f"PortAudio cannot list the sound devices: {error}") from error


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what C libraries write to file descriptor 2 nowhere, for a moment."""
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
