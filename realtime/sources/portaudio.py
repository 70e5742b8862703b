"""The one place that loads sounddevice, with PortAudio's and ALSA's chatter kept off the screen.

PortAudio asks every driver at the start, and ALSA prints a line on stderr for each that is absent.
What matters of it comes back as an exception, which is translated here.

PortAudio lists devices once, when it starts: to see one that is back it must be started anew, which
would cut every open stream of this process. And it waits for a sound server as long as that hangs.
So a child process looks first, which can be killed; PortAudio is started anew only when the child
has found the device and no stream is open. Its calls are one at a time: it is not thread-safe.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from realtime.errors import LibraryMissing, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_TIMEOUT_S = 8.0
_CALL_TIMEOUT_S = 2.0
_MOST_DEVICES = 256
_LOOK = f"""
import json, sounddevice as s
def ask(number):
    try:
        return s.query_devices(number)
    except UnicodeDecodeError:
        return None
found = []
try:
    found = list(s.query_devices())
except UnicodeDecodeError:
    try:
        for number in range({_MOST_DEVICES}):
            found.append(ask(number))
    except (s.PortAudioError, ValueError):
        pass
print(json.dumps([[d for d in found if d], s.default.device[0]]))
"""
_CHATTER = (b"ALSA ", b"Expression ", b"jack ", b"Jack", b"Cannot connect to server", b"connect(2)")
_calls = threading.Lock()
_open_streams: set[int] = set()  # ids of streams; PortAudio is not started anew while there are any


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

    One whose name is no text is left out: sounddevice can tell nothing of it.

    Raises:
        SourceError: PortAudio cannot list them.
    """
    try:
        return _devices(sounddevice), sounddevice.default.device[0]
    except (sounddevice.PortAudioError, OSError, ValueError) as error:
        raise SourceError(f"PortAudio cannot list the sound devices: {error}") from error


def _devices(sounddevice: Any) -> list[dict[str, Any]]:
    try:
        return list(sounddevice.query_devices())
    except UnicodeDecodeError:
        return list(_devices_one_by_one(sounddevice))


def _devices_one_by_one(sounddevice: Any) -> Iterator[dict[str, Any]]:
    for number in range(_MOST_DEVICES):
        try:
            yield sounddevice.query_devices(number)
        except UnicodeDecodeError:
            continue
        except (sounddevice.PortAudioError, ValueError):  # there is no such number
            return


def look_from_outside(timeout_s: float = LOOK_TIMEOUT_S) -> tuple[list[dict[str, Any]], int]:
    """Return what `query_devices` would if PortAudio were started now, asked in another process.

    Raises:
        SourceError: It cannot tell, or does not in time: the sound server hangs.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _LOOK],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=True,
        )
        devices, default = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise SourceError(
            f"the sound system has not answered for {timeout_s:g} s; does its server hang?"
        ) from error
    except (subprocess.CalledProcessError, OSError, ValueError) as error:
        raise SourceError("the sound system cannot be asked for its devices") from error
    return devices, default


@contextlib.contextmanager
def portaudio_calls() -> Iterator[None]:
    """Call PortAudio alone.

    Raises:
        SourceError: Another call has not returned for 2 s.
    """
    if not _calls.acquire(timeout=_CALL_TIMEOUT_S):
        raise SourceError("PortAudio hangs in an earlier call")
    try:
        yield
    finally:
        _calls.release()


def start_anew(sounddevice: Any) -> None:
    """Have PortAudio list its devices again, unless a stream is open; within `portaudio_calls`.

    Raises:
        SourceError: It does not start.
    """
    if _open_streams:
        return
    try:
        # sounddevice has no public way (its issue 130); these have been there since 0.3.
        if sounddevice._initialized:
            sounddevice._terminate()
        sounddevice._initialize()
    except (sounddevice.PortAudioError, AttributeError, OSError) as error:
        raise SourceError(f"PortAudio, which reads microphones, cannot start: {error}") from error


def note_open(stream: object) -> None:
    """Say that a stream was opened."""
    _open_streams.add(id(stream))


def note_closed(stream: object) -> None:
    """Say that it was closed."""
    _open_streams.discard(id(stream))


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Take ALSA's and PortAudio's lines out of stderr; what others write meanwhile comes after.

    For the midst of a run, when other threads log.
    """
    with tempfile.TemporaryFile() as kept:
        saved = os.dup(2)
        try:
            os.dup2(kept.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            kept.seek(0)
            for line in kept:
                if not line.startswith(_CHATTER):
                    os.write(saved, line)
            os.close(saved)


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
