"""The sound of a scene: beds and rooms at their levels, events where the scene has them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from research.sound_corpus import Samples
from research.streaming.material import Material
from research.streaming.render import BED_S, render_sound
from research.streaming.scene import SceneSettings, compose

SETTINGS = SceneSettings(minutes=1.0)


def noise(seconds: float) -> Samples:
    rng = np.random.default_rng(7)
    return rng.standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32)


def material(**parts: list[Samples]) -> Material:
    beds = {"beds": [noise(2)], "pauses": [noise(0.7)], "spectra": [noise(3)], **parts}
    return Material(sounds={"Bark": [noise(1)]}, pictures={}, scenes=[], faces=frozenset(), **beds)


def levels_db(waveform: NDArray[np.int16]) -> list[float]:
    """RMS in the middle of each part of the bed, dBFS."""
    starts = np.arange(0, len(waveform), round(BED_S * SAMPLE_RATE)) + SAMPLE_RATE
    parts = [waveform[at : at + 3 * SAMPLE_RATE] / 32768 for at in starts]
    return [float(10 * np.log10(np.square(part).mean())) for part in parts]


def shares_between(waveform: NDArray[np.int16], low_hz: int, high_hz: int) -> list[float]:
    """Share of each part's power that lies in a band."""
    starts = range(SAMPLE_RATE, len(waveform), round(BED_S * SAMPLE_RATE))
    shares = []
    for at in starts:
        power = np.square(np.abs(np.fft.rfft(waveform[at : at + SAMPLE_RATE].astype(np.float64))))
        shares.append(float(power[low_hz : high_hz + 1].sum() / power.sum()))
    return shares


@pytest.mark.parametrize(("kind", "level_db"), [("quiet", -65.0), ("noise", -30.0)])
def test_nothing_is_as_loud_as_the_settings_say(kind: str, level_db: float) -> None:
    levels = levels_db(render_sound(compose(kind, (), SETTINGS), material(), SETTINGS))

    assert len(levels) == 12
    assert levels == pytest.approx([level_db] * 12, abs=1.5)


def test_quiet_is_noise_of_every_colour_and_noise_has_recordings_too() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    for kind, most in (("quiet", 0), ("noise", 11)):
        sound = render_sound(compose(kind, (), SETTINGS), material(beds=[tone]), SETTINGS)
        n_tones = sum(share > 0.9 for share in shares_between(sound, 990, 1010))
        assert bool(n_tones) == bool(most)
        assert n_tones <= most


def test_rooms_are_pauses_and_noise_like_recordings() -> None:
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    pause, recording = (np.sin(2 * np.pi * hz * t).astype(np.float32) for hz in (1000, 3000))
    settings = SceneSettings(minutes=4.0)

    waveform = render_sound(
        compose("rooms", (), settings), material(pauses=[pause], spectra=[recording]), settings
    )

    pauses = [share > 0.9 for share in shares_between(waveform, 990, 1010)]
    noises = [share > 0.9 for share in shares_between(waveform, 2550, 3450)]
    themselves = [share > 0.6 for share in shares_between(waveform, 2990, 3010)]
    assert 10 < sum(pauses) < 38
    assert sum(pauses) + sum(noises) == len(pauses) == 48
    assert not any(themselves)


@pytest.mark.parametrize("missing", [(), ("pauses",), ("spectra",), ("pauses", "spectra")])
def test_rooms_differ_in_level_within_their_range(missing: tuple[str, ...]) -> None:
    without: dict[str, list[Samples]] = {name: [] for name in missing}

    levels = levels_db(render_sound(compose("rooms", (), SETTINGS), material(**without), SETTINGS))

    low, high = SETTINGS.rooms_db
    assert low - 1 < min(levels) < max(levels) - 6 < high - 6


def test_an_event_stands_over_its_bed_by_its_level() -> None:
    scene = compose("sound", ("Bark",), SETTINGS)

    waveform = render_sound(scene, material(), SETTINGS).astype(np.float64) / 32768

    for event in scene.events:
        assert event.snr_db is not None
        first, last = (round(t * SAMPLE_RATE) for t in (event.onset_s + 0.2, event.offset_s - 0.2))
        level = 10 * np.log10(np.square(waveform[first:last]).mean())
        over = 10 * np.log10(10 ** (event.snr_db / 10) + 1)
        assert level == pytest.approx(SETTINGS.bed_db + over, abs=1.5)
