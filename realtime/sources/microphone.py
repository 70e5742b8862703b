"""A sound device through PortAudio: any rate, any channel count, dated block by block.

PortAudio's callback runs in its own time-critical thread: it looks at the status, copies and puts
into a bounded queue without waiting, and nothing else. The reader's step takes from there; its
first forgets what was queued while the models loaded.
"""

from __future__ import annotations

import logging
import math
import queue
from typing import TYPE_CHECKING, Any, NamedTuple

from realtime.errors import SourceError
from realtime.sources.base import SourceSenses
from realtime.sources.block_dating import BlockDating
from realtime.sources.identity import DeviceIdentity
from realtime.sources.portaudio import (
    import_sounddevice,
    look_from_outside,
    note_closed,
    note_open,
    portaudio_calls,
    query_devices,
    quiet_stderr,
    start_anew,
    without_chatter,
)
from realtime.sources.sound_inputs import choose_input, device_form, find_input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from realtime.clock import Clock
    from realtime.sources.audio_intake import AudioIntake
    from realtime.sources.base import Inlet

logger = logging.getLogger(__name__)

BLOCK_S = 0.02
_QUEUE_BLOCKS = 250  # 5 s of 20 ms blocks, while the reader is kept from the processor
_GET_S = 0.25


class _Block(NamedTuple):
    samples: NDArray[np.float32]
    arrived_ns: int
    age_s: float  # PortAudio's: the callback's time less the first sample's
    overflowed: bool


class MicrophoneReader:
    """Reads one sound input; see `realtime.sources.base.Reader`.

    Args:
        device: Number, part of a name, or `default`.
        inlet: Where sound goes.
        identity: Remembers which device it was, for the next reader of the same microphone.
    """

    def __init__(self, device: str, inlet: Inlet, identity: DeviceIdentity | None = None) -> None:
        self.name = "capture-audio"
        self.senses = SourceSenses(picture=False, sound=True)
        self._device = device
        self._inlet = inlet
        self._identity = identity or DeviceIdentity()
        self._blocks: queue.Queue[_Block] = queue.Queue(_QUEUE_BLOCKS)
        self._n_lost = 0
        self._begun = False
        self._sounddevice: Any = None
        self._stream: Any = None
        self._audio: AudioIntake | None = None
        self._dating: BlockDating | None = None
        self._description = f"microphone {device}"

    def open(self) -> None:
        """Find the device and start it at its own rate."""
        self._identity.n_attempts += 1
        if self._identity.n_attempts == 1:
            self._sounddevice = import_sounddevice()
            with portaudio_calls(), quiet_stderr():
                info = find_input(self._sounddevice, self._device)
                self._start(info)
        else:
            choose_input(*look_from_outside(), self._device, self._identity.name)
            with portaudio_calls(), without_chatter():
                self._sounddevice = import_sounddevice()
                start_anew(self._sounddevice)
                found = query_devices(self._sounddevice)
                info = choose_input(*found, self._device, self._identity.name)
                self._start(info)
        self._identity.name = self._identity.name or info["name"]
        sample_rate, n_channels = device_form(info)
        self._audio = self._inlet.audio_intake(sample_rate, n_channels)
        self._dating = BlockDating(sample_rate, self._latency_s())
        channels = f"{n_channels} channel{'' if n_channels == 1 else 's'}"
        self._description = f"{info['name']}, {sample_rate} Hz, {channels}"

    def _start(self, info: dict[str, Any]) -> None:
        sample_rate, n_channels = device_form(info)
        try:
            self._stream = self._sounddevice.InputStream(
                samplerate=sample_rate,
                channels=n_channels,
                device=info["index"],
                dtype="float32",
                blocksize=round(BLOCK_S * sample_rate),
                latency="high",  # the room in the driver; blocks come as soon as before
                callback=self._callback,
            )
            note_open(self._stream)
            self._stream.start()
        except (self._sounddevice.PortAudioError, OSError, ValueError) as error:
            self._stop()
            raise SourceError(
                f"microphone {info['name']!r} cannot be opened: {error}; another program may hold "
                "it; --list-devices shows the others"
            ) from error

    def step(self) -> bool:
        """Date and hand on one block."""
        if self._audio is None or self._dating is None:
            raise ValueError("open the reader first")
        if not self._begun:
            self._begun = True
            self._forget_queued_blocks()
        try:
            block = self._blocks.get(timeout=_GET_S)
        except queue.Empty:
            if not self._is_active():
                raise SourceError(f"{self._description}: stopped; was it unplugged?") from None
            return True
        if block.overflowed:
            self._inlet.stats.count("audio_overflows")
        if self._n_lost:
            self._inlet.stats.count("dropped_blocks", self._n_lost)
            self._n_lost = 0
        time_ns = self._dating.first_sample_ns(len(block.samples), block.arrived_ns, block.age_s)
        self._audio.append(block.samples, time_ns)
        return True

    def close(self) -> None:
        """Stop the device."""
        self._audio = None
        if self._stream is None:
            return
        try:
            with portaudio_calls():
                self._stop()
        except SourceError as error:  # the stream is left to PortAudio
            logger.warning("%s is not closed: %s", self._description, error)

    def describe(self) -> str:
        """Return name, rate and channels."""
        return self._description

    def _stop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            stream.close(ignore_errors=True)
        except (self._sounddevice.PortAudioError, OSError) as error:
            logger.warning("%s is not closed as it should be: %s", self._description, error)
        finally:
            note_closed(stream)

    def _forget_queued_blocks(self) -> None:
        """Begin with the next block; only as many as are there, the callback goes on putting."""
        for _ in range(self._blocks.qsize()):
            self._blocks.get_nowait()
        self._n_lost = 0

    def _latency_s(self) -> float:
        """Return what PortAudio says of the device's latency, 0 where it says nothing."""
        try:
            latency_s = float(self._stream.latency)
        except (self._sounddevice.PortAudioError, TypeError, ValueError):
            return 0.0
        return latency_s if math.isfinite(latency_s) else 0.0

    def _is_active(self) -> bool:
        try:
            return self._stream is not None and bool(self._stream.active)
        except self._sounddevice.PortAudioError:
            return False

    def _callback(
        self, samples: NDArray[np.float32], n_frames: int, time: Any, status: Any
    ) -> None:
        block = _Block(
            samples.copy(),
            self._clock.now_ns(),
            time.currentTime - time.inputBufferAdcTime,
            bool(status.input_overflow),
        )
        try:
            self._blocks.put_nowait(block)
        except queue.Full:
            self._n_lost += 1

    @property
    def _clock(self) -> Clock:
        return self._inlet.clock
