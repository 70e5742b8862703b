"""Changes to a batch of clips that a label must survive: room, band, noise, level, second event.

Place in the flow: before training only, between `sound_corpus` and the log-mel. The recordings
give themselves away by bandwidth (8 and 11 kHz sources), level and length; a net that may read
those learns the source instead of the event. Everything runs on the whole batch at once, mostly
in one spectrum.
"""

import dataclasses

import torch
from torch import Tensor

from extractors.log_mel import SAMPLE_RATE

N_FFT = 2 * SAMPLE_RATE  # room for the reverberation's tail: the product of spectra is circular
FREQUENCY = torch.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)[None]
LN_1000 = 6.9  # a room's RT60 is the time of a 60 dB decay
QUIET = 0.02  # RMS of a clip, loud level 1, under which there is no event to blend


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundAugment:
    """How often and how far a clip is changed; shares are probabilities.

    Attributes:
        reverb: Share of clips put in a synthetic room.
        low_pass: Share of clips that lose their upper band.
        high_pass: Share of clips that lose their lower band.
        tilt: Share of clips with a random slope and a random wide bell.
        noise: Share of clips with coloured noise under them.
        snr_db: Lowest and highest level of the event over that noise.
        level_db: Lowest and highest RMS of the result, full scale 0 dB.
        floor_db: Lowest and highest level of the microphone's own noise.
        blend: Share of clips that hold two events.
    """

    reverb: float = 0.35
    low_pass: float = 0.4
    high_pass: float = 0.2
    tilt: float = 0.6
    noise: float = 0.5
    snr_db: tuple[float, float] = (0.0, 35.0)
    level_db: tuple[float, float] = (-48.0, -10.0)
    floor_db: tuple[float, float] = (-95.0, -55.0)
    blend: float = 0.4

    def apply(
        self, clips: Tensor, targets: Tensor, beds: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Args:
            clips: Events `(B, 16000)` float32, loud level about 1.
            targets: Label shares `(B, n_labels)`.
            beds: Background recordings `(B, 16000)`, loud level about 1; zeros where there is none.
            generator: Source of every random choice, on the CPU.

        Returns:
            Waveforms `(B, 16000)` in [-1, 1] and their targets.
        """
        dice = _Dice(len(clips), generator)
        clips = _filtered(clips, _room(dice, self.reverb))
        clips, targets = _blended(clips, targets, dice, self.blend)
        noise = _filtered(dice.normal(SAMPLE_RATE), (FREQUENCY + 20) ** dice.uniform(-1.1, 0.2))
        under = _unit(noise) * dice.chosen(0.6) + _unit(beds) * dice.uniform(0, 1)
        quieter = 10 ** (-dice.uniform(*self.snr_db) / 20) * dice.chosen(self.noise)
        clips = clips + _unit(under) * quieter * _rms(clips)
        clips = _filtered(clips, self._band(dice))
        clips = _unit(clips) * 10 ** (dice.uniform(*self.level_db) / 20)
        floor = dice.normal(SAMPLE_RATE) * 10 ** (dice.uniform(*self.floor_db) / 20)
        return (clips + floor).clamp(-1, 1), targets

    def _band(self, dice: "_Dice") -> Tensor:
        octave = torch.log2(FREQUENCY.clamp_min(20.0))
        cutoff = dice.uniform(10.6, 12.9)  # log2 of 1.5 to 7.6 kHz
        top = torch.sigmoid((cutoff - octave) * dice.uniform(2.0, 12.0))
        bottom = torch.sigmoid((octave - dice.uniform(5.5, 8.6)) * dice.uniform(2.0, 8.0))
        bell = dice.uniform(-9, 9) * torch.exp(-((octave - dice.uniform(6.5, 12.5)) ** 2))
        slope_db = dice.uniform(-2.5, 2.5) * (octave - 10.0)  # about 1 kHz
        colour = 10 ** ((bell + slope_db).clamp(-15, 15) / 20)
        gain = torch.ones(1)
        for part, share in (
            (top, self.low_pass),
            (bottom, self.high_pass),
            (colour, self.tilt),
        ):
            gain = gain * torch.where(dice.chosen(share) > 0, part, torch.ones(1))
        return gain


def mask_log_mel(log_mel: Tensor, generator: torch.Generator) -> Tensor:
    """SpecAugment: hide one band of mels and one stretch of time of each example behind its mean.

    Args:
        log_mel: `(B, 1, n_frames, n_mels)`.
        generator: Source of every random choice.

    Returns:
        A changed copy.
    """
    n_clips, _, n_frames, n_mels = log_mel.shape
    dice = _Dice(n_clips, generator)
    mean = log_mel.mean(dim=(1, 2, 3), keepdim=True)
    hidden = torch.zeros(n_clips, 1, n_frames, n_mels, dtype=torch.bool)
    for size, most, view in (
        (n_frames, n_frames // 6, (n_clips, 1, -1, 1)),
        (n_mels, n_mels // 6, (n_clips, 1, 1, -1)),
    ):
        width = dice.uniform(0, most)
        first = dice.uniform(0, 1) * (size - width)
        at = torch.arange(size)[None]
        hidden |= ((at >= first) & (at < first + width)).view(view)
    return torch.where(hidden, mean, log_mel)


class _Dice:
    """One random number a clip, from one generator, as a column."""

    def __init__(self, n_clips: int, generator: torch.Generator) -> None:
        self.n_clips = n_clips
        self.generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        return torch.rand(self.n_clips, 1, generator=self.generator) * (high - low) + low

    def chosen(self, share: float) -> Tensor:
        return (torch.rand(self.n_clips, 1, generator=self.generator) < share).float()

    def normal(self, n_samples: int) -> Tensor:
        return torch.randn(self.n_clips, n_samples, generator=self.generator)

    def order(self) -> Tensor:
        return torch.randperm(self.n_clips, generator=self.generator)


def _filtered(clips: Tensor, response: Tensor) -> Tensor:
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(clips, n=N_FFT) * response, n=N_FFT)
    return filtered[:, :SAMPLE_RATE]


def _rms(clips: Tensor) -> Tensor:
    return clips.square().mean(dim=1, keepdim=True).sqrt()


def _unit(clips: Tensor) -> Tensor:
    return clips / _rms(clips).clamp_min(1e-3)


def _blended(clips: Tensor, targets: Tensor, dice: _Dice, blend: float) -> tuple[Tensor, Tensor]:
    one = torch.ones(1)
    share = torch.where(dice.chosen(blend) > 0, dice.uniform(0.5, 1.0), one)
    other = dice.order()
    # Both audible or neither: a share of silence would be a wrong label.
    audible = (_rms(clips) > QUIET) & (_rms(clips[other]) > QUIET)
    share = torch.where(audible, share, one)
    mixed = _unit(clips) * share + _unit(clips[other]) * (1 - share)
    clips = torch.where(share < 1, mixed, clips)
    return clips, targets * share + targets[other] * (1 - share)


def _room(dice: _Dice, share: float) -> Tensor:
    n_tail = SAMPLE_RATE // 2
    time_s = torch.arange(n_tail)[None] / SAMPLE_RATE
    decay = torch.exp(-LN_1000 * time_s / dice.uniform(0.1, 0.9))
    tail = dice.normal(n_tail) * decay
    tail = tail / tail.square().sum(1, keepdim=True).sqrt() * dice.uniform(0.1, 1.2)
    tail[:, 0] = 1.0  # the direct sound
    response = torch.fft.rfft(tail, n=N_FFT)
    return torch.where(dice.chosen(share) > 0, response, torch.ones_like(response))
