"""Synthesised sounds that recordings give too few of: sirens, horns, ticking clocks, nothing.

Place in the flow: before training only, a small share beside the recordings. Each call draws new
parameters from the generator that it is given, so a seed fixes the sound. Levels are relative
(loud level about 1): `sound_augment` sets the final level.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE

Samples = NDArray[np.float32]


def _time(n_samples: int) -> NDArray[np.float64]:
    return np.arange(n_samples) / SAMPLE_RATE


def _harmonics(
    frequency_hz: NDArray[np.float64], rng: np.random.Generator, n_most: int
) -> NDArray[np.float64]:
    phase = 2 * np.pi * np.cumsum(frequency_hz) / SAMPLE_RATE
    n_partials = int(rng.integers(1, n_most + 1))
    slope = rng.uniform(0.4, 2.0)
    tone = np.zeros_like(phase)
    for k in range(1, n_partials + 1):
        heard = k * frequency_hz < 0.45 * SAMPLE_RATE
        tone += heard * np.sin(k * phase + rng.uniform(0, 2 * np.pi)) / k**slope
    return tone


def siren(n_samples: int, rng: np.random.Generator) -> Samples:
    """A wail, a yelp or two alternating tones.

    Args:
        n_samples: Length at 16 kHz.
        rng: Source of every parameter.

    Returns:
        `(n_samples,)` float32.
    """
    t = _time(n_samples)
    low, high = rng.uniform(350, 800), rng.uniform(900, 1800)
    kind = rng.integers(0, 3)
    rate_hz = float(np.exp(rng.uniform(*np.log([(0.1, 0.6), (2.0, 6.0), (0.4, 2.0)][kind]))))
    cycle = (t * rate_hz + rng.random()) % 1.0
    if kind == 2:  # two-tone
        sweep = (cycle < 0.5).astype(np.float64)
        low = high / rng.uniform(1.15, 1.6)
    elif rng.random() < 0.5:
        sweep = 0.5 - 0.5 * np.cos(2 * np.pi * cycle)
    else:  # triangle, leaning to either side
        peak = rng.uniform(0.3, 0.9)
        sweep = np.where(cycle < peak, cycle / peak, (1 - cycle) / (1 - peak))
    return _loud(_harmonics(low + (high - low) * sweep, rng, 6))


def car_horn(n_samples: int, rng: np.random.Generator) -> Samples:
    """One to three honks of one or two steady tones with many harmonics.

    Args:
        n_samples: Length at 16 kHz.
        rng: Source of every parameter.

    Returns:
        `(n_samples,)` float32.
    """
    t = _time(n_samples)
    base = rng.uniform(280, 520)
    tones = [base] if rng.random() < 0.2 else [base, base * rng.uniform(1.15, 1.35)]
    wave = np.zeros(n_samples)
    for tone in tones:
        wave += _harmonics(np.full(n_samples, tone), rng, 14)
    if rng.random() < 0.4:
        gate = np.zeros(n_samples)
        for _ in range(int(rng.integers(1, 4))):
            onset, length = rng.uniform(-0.2, t[-1]), rng.uniform(0.15, 0.8)
            gate = np.maximum(gate, (t >= onset) & (t < onset + length))
        if gate.mean() > 0.1:
            smooth = np.ones(160) / 160  # 10 ms attack and release
            wave *= np.convolve(gate, smooth, mode="same")
    return _loud(wave)


def clock(n_samples: int, rng: np.random.Generator) -> Samples:
    """Ticks, one to five a second, as short decaying resonances; every other tick may differ.

    Args:
        n_samples: Length at 16 kHz.
        rng: Source of every parameter.

    Returns:
        `(n_samples,)` float32.
    """
    wave = np.zeros(n_samples)
    period_s = 1.0 / rng.choice([1.0, 2.0, 4.0, 5.0, rng.uniform(1.0, 5.0)])
    voices = [_tick(rng), _tick(rng)] if rng.random() < 0.6 else [_tick(rng)]
    at, count = rng.uniform(0, min(period_s, 0.6)), 0
    while at * SAMPLE_RATE < n_samples:
        start = int(at * SAMPLE_RATE)
        tick = voices[count % len(voices)][: n_samples - start]
        wave[start : start + len(tick)] += tick * rng.uniform(0.8, 1.0)
        at += period_s * rng.uniform(0.985, 1.015)
        count += 1
    return _loud(wave)


def _tick(rng: np.random.Generator) -> NDArray[np.float64]:
    # Thin and short: with deeper or longer ones drums and congas were named Clock.
    decay_s = float(np.exp(rng.uniform(np.log(0.0007), np.log(0.014))))
    t = _time(int(8 * decay_s * SAMPLE_RATE) + 16)
    tick = rng.uniform(0, 1.0) * np.diff(rng.standard_normal(len(t) + 1))  # without its bass
    for _ in range(int(rng.integers(1, 4))):
        tick += rng.uniform(0.2, 1.0) * np.sin(2 * np.pi * rng.uniform(1500, 7000) * t)
    decayed: NDArray[np.float64] = tick * np.exp(-t / decay_s)
    return decayed


def coloured_noise(n_samples: int, rng: np.random.Generator) -> Samples:
    """Stationary noise of a random colour, with or without a band and a slow swell.

    Args:
        n_samples: Length at 16 kHz.
        rng: Source of every parameter.

    Returns:
        `(n_samples,)` float32, loud level about 1.
    """
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    frequency = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE) + 20.0
    spectrum *= frequency ** rng.uniform(-1.2, 0.3)
    if rng.random() < 0.4:
        centre, width = np.exp(rng.uniform(np.log(150), np.log(4000))), rng.uniform(0.5, 3.0)
        spectrum *= 0.1 + np.exp(-0.5 * (np.log2(frequency / centre) / width) ** 2)
    noise = np.fft.irfft(spectrum, n_samples)
    if rng.random() < 0.3:
        noise *= 1 + rng.uniform(0, 0.7) * np.sin(
            2 * np.pi * rng.uniform(0.2, 2) * _time(n_samples) + rng.uniform(0, 6)
        )
    return _loud(noise)


def hum(n_samples: int, rng: np.random.Generator) -> Samples:
    """Mains or fan hum: steady low harmonics under some noise.

    Args:
        n_samples: Length at 16 kHz.
        rng: Source of every parameter.

    Returns:
        `(n_samples,)` float32, loud level about 1.
    """
    base = rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(40, 240)])
    wave = _loud(_harmonics(np.full(n_samples, base), rng, 8))
    return _loud(wave + rng.uniform(0.05, 1.0) * coloured_noise(n_samples, rng))


def handling(n_samples: int, rng: np.random.Generator) -> Samples:
    """A few dull knocks and rubs over noise: a microphone or its desk is touched.

    Args:
        n_samples: Length at 16 kHz.
        rng: Source of every parameter.

    Returns:
        `(n_samples,)` float32, loud level about 1.
    """
    wave = 0.15 * rng.random() * coloured_noise(n_samples, rng).astype(np.float64)
    for _ in range(int(rng.integers(1, 3))):
        length = int(rng.uniform(0.03, 0.35) * SAMPLE_RATE)
        start = int(rng.integers(0, max(1, n_samples - length)))
        rub = coloured_noise(length, rng) * np.hanning(length) ** rng.uniform(0.3, 2.0)
        wave[start : start + length] += rng.uniform(0.3, 1.0) * rub
    return _loud(wave)


def wind(n_samples: int, rng: np.random.Generator) -> Samples:
    """Wind on a microphone: low turbulence that comes in gusts.

    Args:
        n_samples: Length at 16 kHz.
        rng: Source of every parameter.

    Returns:
        `(n_samples,)` float32, loud level about 1.
    """
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    frequency = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE) + 10.0
    corner_hz = np.exp(rng.uniform(np.log(60), np.log(500)))
    spectrum *= 1.0 / (1.0 + (frequency / corner_hz) ** rng.uniform(1.2, 2.5))
    gusts = np.zeros(n_samples)
    for rate_hz in rng.uniform(0.3, 8.0, 4):
        gusts += np.sin(2 * np.pi * rate_hz * _time(n_samples) + rng.uniform(0, 6)) / 4
    noise = np.fft.irfft(spectrum, n_samples) * np.exp(rng.uniform(0, 2.5) * gusts)
    return _loud(noise)


def rustle(n_samples: int, rng: np.random.Generator) -> Samples:
    """Cloth, paper or leaves: many soft grains of upper-band noise; a fire's clicks are shorter.

    Args:
        n_samples: Length at 16 kHz.
        rng: Source of every parameter.

    Returns:
        `(n_samples,)` float32, loud level about 1.
    """
    noise = np.diff(coloured_noise(n_samples + 1, rng).astype(np.float64))
    envelope = np.full(n_samples, rng.uniform(0.0, 0.15))
    for _ in range(int(rng.uniform(4, 40))):
        grain = np.hanning(int(rng.uniform(0.02, 0.2) * SAMPLE_RATE)) * rng.uniform(0.1, 1.0)
        start = int(rng.integers(0, max(1, n_samples - len(grain))))
        part = envelope[start : start + len(grain)]
        np.maximum(part, grain[: len(part)], out=part)
    return _loud(noise * envelope)


SYNTHESISED_EVENTS: dict[str, Callable[[int, np.random.Generator], Samples]] = {
    "Siren": siren,
    "Car horn": car_horn,
    "Clock": clock,
}
SYNTHESISED_BACKGROUND: tuple[Callable[[int, np.random.Generator], Samples], ...] = (
    coloured_noise,
    hum,
    handling,
    wind,
    rustle,
)


def _loud(wave: NDArray[np.float64]) -> Samples:
    blocks = wave[: len(wave) // 320 * 320].reshape(-1, 320)
    level = np.percentile(np.sqrt((blocks**2).mean(axis=1)), 95) if len(blocks) else 1.0
    return (wave / max(float(level), 0.1 * float(np.abs(wave).max()), 1e-9)).astype(np.float32)
