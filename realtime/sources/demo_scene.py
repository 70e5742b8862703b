"""The script of the demo scene and its sound: what happens when, synthesized from a fixed seed.

A quiet room; a siren passes; a car blows its horn; a clock ticks. Between them nothing happens.
The sounds follow how the things work (a rotor siren's sweep, a two-tone disc horn, an escapement's
double click), through the same small room, so that a model that learned from recordings knows
them. Labels are spelled as in AVE and the starter bundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from realtime.packets import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

DURATION_S = 40


class SceneEvent(NamedTuple):
    """What an observer would write down; `offset_s` is exclusive."""

    label: str
    onset_s: float
    offset_s: float


SCRIPT = (
    SceneEvent("Siren", 4.0, 12.0),
    SceneEvent("Car horn", 16.0, 20.0),
    SceneEvent("Clock", 25.0, 35.0),
)

_SEED = 20_211  # any; fixed so that every run hears the same
_HUM_HZ = 50.0  # mains
_HUM_LEVEL = 10 ** (-58 / 20)
_HISS_LEVEL = 10 ** (-56 / 20)
_WAIL_LOW_HZ, _WAIL_HIGH_HZ = 600.0, 1400.0  # a rotor siren's "wail"
_WAIL_PERIOD_S = 8 / 3  # three whole ones: the last half of one, dying away, is a cat's
_HORN_HZ = (420.0, 530.0)  # the two discs of a common car horn, a major third apart
_HORN_BLASTS_S = ((0.0, 1.1), (1.35, 2.2), (2.45, 4.0))  # start, end, from the onset
_TICKS_PER_S = 2.0
# A case rings for a few milliseconds; with longer tones, or louder, clicks are beeps.
_TICK_MODES_HZ = ((1850.0, 0.004), (3100.0, 0.003), (4700.0, 0.002), (6300.0, 0.0015))
_TICK_LEVEL = 0.15
_ROOM_S = 0.18  # decay to -60 dB
_ROOM_LEVEL = 0.25


def event_at(t_s: float) -> SceneEvent | None:
    """Return what goes on at scene time `t_s`, or None when it is quiet."""
    return next((e for e in SCRIPT if e.onset_s <= t_s < e.offset_s), None)


def render_sound() -> NDArray[np.float32]:
    """Return the whole scene, mono float32 `(DURATION_S * 16000,)` in [-1, 1]."""
    rng = np.random.default_rng(_SEED)
    waveform = np.zeros(DURATION_S * SAMPLE_RATE)
    voices = {"Siren": _siren, "Car horn": _car_horn, "Clock": _clock}
    for event in SCRIPT:
        n_samples = round((event.offset_s - event.onset_s) * SAMPLE_RATE)
        start = round(event.onset_s * SAMPLE_RATE)
        waveform[start : start + n_samples] += voices[event.label](n_samples, rng)
    waveform = _in_room(waveform, rng) + _quiet(len(waveform), rng)
    return np.clip(waveform, -1.0, 1.0).astype(np.float32)


def _times(n_samples: int) -> NDArray[np.float64]:
    return np.arange(n_samples) / SAMPLE_RATE


def _quiet(n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mains hum and the soft hiss of a room, louder towards the low end."""
    t = _times(n_samples)
    hum = sum(np.sin(2 * np.pi * _HUM_HZ * k * t) / k for k in (1, 2, 3, 4, 6))
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    f_hz = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE)
    hiss = np.fft.irfft(spectrum / np.sqrt(np.maximum(f_hz, 40.0)), n_samples)
    return np.asarray(_HUM_LEVEL * hum + _HISS_LEVEL * hiss / hiss.std())


def _siren(n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A wail: the pitch swings between two limits while the car comes, passes and goes."""
    t = _times(n_samples)
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * t / _WAIL_PERIOD_S)
    f_hz = _WAIL_LOW_HZ + (_WAIL_HIGH_HZ - _WAIL_LOW_HZ) * swing**0.8
    phase = 2 * np.pi * np.cumsum(f_hz) / SAMPLE_RATE
    tone = sum(np.sin(k * phase) / k**1.1 * (k * f_hz < 0.45 * SAMPLE_RATE) for k in range(1, 8))
    distance = 0.55 + 0.45 * np.sin(np.pi * t / t[-1])
    flutter = 1.0 + 0.04 * rng.standard_normal(n_samples // 400 + 1).repeat(400)[:n_samples]
    return np.asarray(0.22 * tone * distance * flutter * _edges(n_samples, 0.05, 0.25))


def _car_horn(n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Blasts of two discs, rich in harmonics as a struck plate is."""
    t = _times(n_samples)
    tone = np.zeros(n_samples)
    for f_hz in _HORN_HZ:
        for k in range(1, 16):
            if k * f_hz < 0.47 * SAMPLE_RATE:
                colour = 1.0 / (1.0 + ((k * f_hz - 2200.0) / 1500.0) ** 2) + 0.25 / k
                tone += colour * np.sin(2 * np.pi * (k * f_hz * t + rng.random()))
    out = np.zeros(n_samples)
    for start_s, end_s in _HORN_BLASTS_S:
        start, end = round(start_s * SAMPLE_RATE), min(n_samples, round(end_s * SAMPLE_RATE))
        out[start:end] = tone[start:end] * _edges(end - start, 0.015, 0.04)
    return np.asarray(0.5 * out / np.abs(out).max())


def _clock(n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Sharp double clicks that ring in the case; tick and tock differ a little."""
    out = np.zeros(n_samples + SAMPLE_RATE)
    t = _times(SAMPLE_RATE // 10)
    n_ticks = int(n_samples / SAMPLE_RATE * _TICKS_PER_S)
    for tick in range(n_ticks):
        pitch = 1.0 if tick % 2 == 0 else 0.9
        click = sum(
            np.exp(-t / decay_s) * np.sin(2 * np.pi * f_hz * pitch * t)
            for f_hz, decay_s in _TICK_MODES_HZ
        )
        click = click + 1.5 * np.exp(-t / 0.002) * rng.standard_normal(len(t))
        start = round(tick / _TICKS_PER_S * SAMPLE_RATE)
        for delay_s, level in ((0.0, 0.5), (0.012, 1.0), (0.021, 0.35)):
            first = start + round(delay_s * SAMPLE_RATE)
            out[first : first + len(t)] += level * click
    out = out[:n_samples]
    return np.asarray(_TICK_LEVEL * out / np.abs(out).max())


def _in_room(waveform: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Add a small room's echo: decaying noise, convolved by FFT."""
    t = _times(round(_ROOM_S * SAMPLE_RATE))
    echo = rng.standard_normal(len(t)) * np.exp(-6.9 * t / _ROOM_S)
    echo *= _ROOM_LEVEL / np.sqrt(np.sum(echo**2))
    n_fft = len(waveform) + len(echo)
    wet = np.fft.irfft(np.fft.rfft(waveform, n_fft) * np.fft.rfft(echo, n_fft), n_fft)
    return np.asarray(waveform + wet[: len(waveform)])


def _edges(n_samples: int, attack_s: float, release_s: float) -> NDArray[np.float64]:
    t = _times(n_samples)
    fade_out = (n_samples / SAMPLE_RATE - t) / release_s
    return np.asarray(np.clip(np.minimum(t / attack_s, fade_out), 0.0, 1.0))
