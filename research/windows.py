"""Draws ten-second windows of sound out of labelled and unlabelled files.

Place in the flow: sound corpus → **windows** → listeners → training. Windows are events over a
bed, several sounds at once, sounds that nobody named, and nothing at all, in other rooms, bands and
levels. It refuses to say what is heard beyond what the files' own labels say: teachers do that.
"""

import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from extractors.log_mel import SAMPLE_RATE
from research.noise import SMOOTHING_HZ, noise_like
from research.sound_corpus import Samples, SoundCorpus, block_levels
from research.sound_pauses import GO_ON, longest_pause, mirrored
from research.synth_sounds import SYNTHESISED_BACKGROUND, SYNTHESISED_EVENTS
from research.vocabulary import Vocabulary

WINDOW_S = 10
N_SAMPLES = WINDOW_S * SAMPLE_RATE
BEDS = ("Background", "Air conditioner", "Traffic noise, roadway noise", "Crowd", "Rain", "Wind")
N_EMPTY = 2  # of these, the first, are no label
UNNAMED = "Unlabelled"
LEVEL_DB = (-50.0, -10.0)  # RMS of a window with something in it, full scale 0 dB
NOTHING_DB = (-80.0, -15.0)  # of one with nothing
AUDIBLE = 0.1  # of an event's loud level (-20 dB): below it a second does not count as the event
N_FFT = N_SAMPLES + SAMPLE_RATE // 2  # the window and a room's tail
_FREQUENCY = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE).astype(np.float32)
_OCTAVE = np.log2(np.maximum(_FREQUENCY, 20.0))


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """One window.

    Attributes:
        waveform: `(160000,)` float32 in [-1, 1].
        heard: `(10, n_labels)`: how loud each label's own files are in each second, over all
            else, as a share of the second's power; 0 where none is audible. A bed that is a label
            (rain) is heard where it is a bed of nothing.
        kind: `events`, `unnamed` or `nothing`.
        files: Numbers of the files that went into it.
    """

    waveform: Samples
    heard: NDArray[np.float32]
    kind: str
    files: frozenset[int]


class WindowSource:
    """Draws windows of one split; a seed fixes a window.

    Args:
        corpus: All sounds.
        vocabulary: The labels.
        split: `train`, `val` or `test`.
        shares: Of events, unnamed and nothing.
    """

    def __init__(
        self,
        corpus: SoundCorpus,
        vocabulary: Vocabulary,
        split: str,
        shares: tuple[float, float, float] = (0.52, 0.18, 0.3),
    ) -> None:
        self._corpus = corpus
        self._vocabulary = vocabulary
        self._shares = np.cumsum(shares)
        files = corpus.files(split).tolist()
        self._pools: dict[str, dict[str, list[int]]] = {}
        for k in files:
            name = corpus.names[int(corpus.labels[k])]
            self._pools.setdefault(name, {}).setdefault(corpus.sources[k], []).append(int(k))
        self._named = sorted(name for name in self._pools if vocabulary.index(name) is not None)
        weights = [sum(map(len, self._pools[name].values())) ** 0.5 for name in self._named]
        self._weights = np.array(weights) / sum(weights)
        self._beds = [name for name in BEDS if name in self._pools]
        self._all = files
        self._used: set[int] = set()
        self._spectra = [k for k in files if corpus.names[int(corpus.labels[k])] not in GO_ON]
        named = [
            k
            for k in self._spectra
            if vocabulary.index(corpus.names[int(corpus.labels[k])]) is not None
        ]
        self._pauses: list[tuple[int, slice]] = []  # rooms, between the events of a recording
        for k in named:
            pause = longest_pause(corpus.waveform(k), float(corpus.levels[k]))
            if pause is not None:
                self._pauses.append((k, slice(*pause)))

    def draw(self, seed: int) -> Window:
        """Draw the window of a seed."""
        rng = np.random.default_rng(seed)
        self._used.clear()
        heard = np.zeros((WINDOW_S, len(self._vocabulary.labels)), np.float32)
        kind = ("events", "unnamed", "nothing")[
            min(2, int(np.searchsorted(self._shares, rng.random())))
        ]
        if kind == "nothing":
            wave, level_db = self._nothing(rng, heard), float(rng.uniform(*NOTHING_DB))
        else:
            wave = self._events(rng, heard) if kind == "events" else self._unnamed(rng)
            level_db = float(rng.uniform(*LEVEL_DB))
        wave = _elsewhere(wave, rng)
        wave = _unit(wave) * np.float32(10 ** (level_db / 20))
        floor = rng.standard_normal(N_SAMPLES) * 10 ** (rng.uniform(-95, -60) / 20)
        wave = np.clip(wave + floor, -1, 1).astype(np.float32)
        return Window(wave, heard, kind, frozenset(self._used))

    def _events(self, rng: np.random.Generator, heard: NDArray[np.float32]) -> Samples:
        n_events = 1 + int(rng.random() < 0.4) + int(rng.random() < 0.15)
        parts: list[tuple[int, Samples]] = []
        for _ in range(n_events):
            name = str(rng.choice(self._named, p=self._weights))
            label = self._vocabulary.index(name)
            assert label is not None
            gain = np.float32(10 ** (rng.uniform(-12, 0) / 20)) if parts else np.float32(1)
            parts.append((label, self._placed(name, rng) * gain))
        wave: Samples = np.sum([part for _, part in parts], axis=0)
        bed = self._bed(rng, self._beds)
        snr_db = float(rng.uniform(0, 35))
        wave = wave + bed * np.float32(10 ** (-snr_db / 20))
        power = np.square(wave).reshape(WINDOW_S, -1).mean(axis=1)
        for label, part in parts:
            own = np.square(part).reshape(WINDOW_S, -1).mean(axis=1)
            loud = np.array([block_levels(second).max() for second in part.reshape(WINDOW_S, -1)])
            share = np.where(loud > AUDIBLE * max(loud.max(), 1e-6), own / (power + 1e-12), 0.0)
            heard[:, label] = np.maximum(heard[:, label], np.clip(share, 0, 1))
        return wave

    def _placed(self, name: str, rng: np.random.Generator) -> Samples:
        """Several of a label's files one after the other, from somewhere in the window on."""
        wave = np.zeros(N_SAMPLES, np.float32)
        at = int(rng.uniform(-3, 8) * SAMPLE_RATE)
        until = at + int(rng.choice([1.0, 2.5, 5.0, 10.0, 14.0]) * SAMPLE_RATE)
        while at < min(until, N_SAMPLES):
            if name in SYNTHESISED_EVENTS and rng.random() < 0.2:
                part = SYNTHESISED_EVENTS[name](int(rng.uniform(1, 4) * SAMPLE_RATE), rng)
            else:
                part = self._faster(self._waveform(name, rng), rng, 0.12)
            first, last = max(0, at), min(N_SAMPLES, at + len(part), until)
            if last > first:
                wave[first:last] += part[first - at : last - at]
            at += len(part) + int(rng.exponential(0.3) * SAMPLE_RATE)
        return wave

    def _unnamed(self, rng: np.random.Generator) -> Samples:
        """Anything at all, half of the time things that nobody named."""
        wave = np.zeros(N_SAMPLES, np.float32)
        for _ in range(1 + int(rng.random() < 0.6) + int(rng.random() < 0.3)):
            if rng.random() < 0.6 and UNNAMED in self._pools:
                part = self._placed(UNNAMED, rng)
            else:
                k = int(rng.choice(self._all))
                part = self._placed(self._corpus.names[int(self._corpus.labels[k])], rng)
            wave += part * np.float32(10 ** (rng.uniform(-15, 0) / 20))
        return wave + self._bed(rng, self._beds) * np.float32(10 ** (-rng.uniform(5, 40) / 20))

    def _nothing(self, rng: np.random.Generator, heard: NDArray[np.float32]) -> Samples:
        chance = rng.random()
        if chance < 0.3 and self._pauses:
            return self._rooms(rng)
        if chance < 0.45 and self._beds:
            name = str(rng.choice(self._beds))
            label = self._vocabulary.index(name)
            if label is not None:
                heard[:, label] = 1.0
            return self._recorded(name, rng)
        empty = self._beds[:N_EMPTY]
        wave = self._bed(rng, empty, certain=True)
        if rng.random() < 0.4:
            wave = wave + self._bed(rng, empty) * np.float32(10 ** (-rng.uniform(0, 12) / 20))
        return wave

    def _rooms(self, rng: np.random.Generator) -> Samples:
        """One or two rooms one after the other, each from the pause of a recording."""
        wave = np.zeros(N_SAMPLES, np.float32)
        cut = int(rng.integers(0, N_SAMPLES)) if rng.random() < 0.6 else 0
        for first, last in ((0, cut), (cut, N_SAMPLES)):
            number, part = self._pauses[int(rng.integers(0, len(self._pauses)))]
            pause = self._faster(self._file(number)[part], rng, 0.2)
            level = np.float32(10 ** (rng.uniform(-12, 0) / 20))
            wave[first:last] = (_unit(mirrored(pause, N_SAMPLES)) * level)[: last - first]
        return wave

    def _bed(
        self, rng: np.random.Generator, names: Sequence[str], certain: bool = False
    ) -> Samples:
        chance = rng.random()
        if chance < 0.15 and not certain:
            return np.zeros(N_SAMPLES, np.float32)
        if chance < 0.45 and names:
            among = names[:N_EMPTY] if rng.random() < 0.6 else names
            return self._recorded(str(rng.choice(among)), rng)
        if chance < 0.7:
            k = int(rng.choice(self._spectra))
            part = np.resize(self._file(k), N_SAMPLES).astype(np.float32)
            return noise_like(part, float(rng.uniform(*SMOOTHING_HZ)), rng)
        kind = SYNTHESISED_BACKGROUND[int(rng.integers(0, len(SYNTHESISED_BACKGROUND)))]
        return _unit(kind(N_SAMPLES, rng))

    def _recorded(self, name: str, rng: np.random.Generator) -> Samples:
        part = self._faster(self._waveform(name, rng), rng, 0.4)
        there_and_back = mirrored(part[::-1] if rng.random() < 0.4 else part, N_SAMPLES)
        return _unit(there_and_back[:N_SAMPLES])

    def _waveform(self, name: str, rng: np.random.Generator) -> Samples:
        sources = self._pools[name]
        roots = np.array([len(files) ** 0.5 for files in sources.values()])
        source = str(rng.choice(list(sources), p=roots / roots.sum()))
        wave = self._file(int(rng.choice(sources[source])))
        return wave if len(wave) else np.zeros(1, np.float32)

    def _file(self, number: int) -> Samples:
        self._used.add(number)
        return self._corpus.waveform(number)

    def _faster(self, wave: Samples, rng: np.random.Generator, most: float) -> Samples:
        factor = float(np.exp(rng.uniform(-most, most)))
        at = np.arange(0, len(wave) - 1, factor) if len(wave) > 1 else np.zeros(1)
        return np.asarray(np.interp(at, np.arange(len(wave)), wave), np.float32)


def seed_of(split: str, number: int) -> int:
    """Return the seed of a split's window, another for each split."""
    return zlib.crc32(split.encode()) * 1_000_003 + number


def _unit(wave: Samples) -> Samples:
    return wave / np.float32(max(float(np.sqrt(np.square(wave).mean())), 1e-4))


def _elsewhere(wave: Samples, rng: np.random.Generator) -> Samples:
    """Another room, band and colour, in one spectrum."""
    gain: NDArray[np.float64] = np.ones(len(_FREQUENCY))
    if rng.random() < 0.3:
        gain = gain / (1 + np.exp((_OCTAVE - rng.uniform(10.8, 12.9)) * rng.uniform(2, 12)))
    if rng.random() < 0.2:
        gain = gain / (1 + np.exp((rng.uniform(5.5, 8.6) - _OCTAVE) * rng.uniform(2, 8)))
    if rng.random() < 0.5:
        bell = rng.uniform(-8, 8) * np.exp(-((_OCTAVE - rng.uniform(6.5, 12.5)) ** 2))
        tilt = np.clip(bell + rng.uniform(-2, 2) * (_OCTAVE - 10), -15, 15)
        gain = gain * 10 ** (tilt / 20)
    spectrum = fft.rfft(wave, N_FFT) * gain.astype(np.float32)
    if rng.random() < 0.35:
        time_s = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
        tail = rng.standard_normal(len(time_s)) * np.exp(-6.9 * time_s / rng.uniform(0.1, 0.9))
        tail *= rng.uniform(0.1, 1.2) / np.sqrt(np.square(tail).sum())
        tail[0] = 1.0
        spectrum = spectrum * fft.rfft(tail.astype(np.float32), N_FFT)
    return np.asarray(fft.irfft(spectrum, N_FFT)[:N_SAMPLES], np.float32)
