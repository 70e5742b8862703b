"""A sound device through PortAudio: any rate, any channel count, dated block by block.

PortAudio's callback runs in its own time-critical thread: it looks at the status, copies and puts
into a bounded queue without waiting, and nothing else. The reader's step takes from there; its
first forgets what was queued while the models loaded.

Dating. PortAudio says when a block's first sample met the converter, but on some hosts that time
is zero, constant or from another clock (portaudio#171, #850). It is believed only while the age
that it implies is possible; else a block is dated by its arrival less its length and the device's
latency. The fitted clock of the ring takes out what jitter is left.
"""

from __future__ import annotations

import logging
import math
import queue
from typing import TYPE_CHECKING, Any, NamedTuple

from extractors.decoding.limits import MAX_RATE, MIN_RATE
from realtime.clock import NS_PER_S
from realtime.errors import SourceError
from realtime.sources.base import SourceSenses
from realtime.sources.identity import DeviceIdentity, without_card
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

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from realtime.clock import Clock
    from realtime.sources.audio_intake import AudioIntake
    from realtime.sources.base import Inlet

logger = logging.getLogger(__name__)

DEFAULT_DEVICE = "default"
BLOCK_S = 0.02
MAX_CHANNELS = 8  # of an array microphone; who claims more, up to 128, makes them up as asked
VIRTUAL_CHANNELS = 2  # of such a one, a sound server's: it mixes what it has down itself
_QUEUE_BLOCKS = 250  # 5 s of 20 ms blocks, while the reader is kept from the processor
_GET_S = 0.25
_MAX_AGE_NS = NS_PER_S  # an older block is a lie


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


class BlockDating:
    """When a block's first sample was heard, from its arrival and what PortAudio claims.

    Args:
        sample_rate: Hz.
        latency_s: The device's latency as PortAudio tells it.
    """

    def __init__(self, sample_rate: int, latency_s: float) -> None:
        self._sample_rate = sample_rate
        self._latency_ns = min(_MAX_AGE_NS, max(0, round(latency_s * NS_PER_S)))
        self.believes_device = True

    def first_sample_ns(self, n_samples: int, arrived_ns: int, age_s: float) -> int:
        """Return the capture time of the block's first sample, on the run's clock.

        Args:
            n_samples: The block's length.
            arrived_ns: When the callback got it, on the run's clock.
            age_s: How old PortAudio says its first sample was then.
        """
        length_ns = n_samples * NS_PER_S // self._sample_rate
        if self.believes_device:
            age_ns = age_s * NS_PER_S
            if 0 < age_ns <= length_ns + _MAX_AGE_NS:
                return arrived_ns - max(length_ns, round(age_ns))  # PulseAudio's fall short
            self.believes_device = False  # for good: two ways of dating would jump between them
        return arrived_ns - max(length_ns, self._latency_ns)


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
