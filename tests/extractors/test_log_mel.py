"""Parity with the authors' log-mel (reference/logmel, resampy 0.2.2), kept here and in shared."""

from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.log_mel import LOG_OFFSET, LogMel

KEPT = Path(__file__).with_name("log_mel_reference.npz")
SHARED = Path(__file__).parents[3] / "shared/reference/logmel/logmel_resampy022.npz"


def log_mel_of(wave_int16: np.ndarray) -> np.ndarray:
    waveform = torch.from_numpy(wave_int16.astype(np.float32) / 32768.0)
    return LogMel()(waveform[None])[0].numpy()


@pytest.mark.parametrize("name", ["i_16k_mono_tones", "iv_16k_silence", "v_16k_clipped_noise"])
def test_log_mel_equals_the_authors_when_sound_is_at_16_khz(name: str) -> None:
    with np.load(KEPT) as kept:
        wave, expected = kept[f"{name}|wave_int16"], kept[f"{name}|logmel"]

    actual = log_mel_of(wave)

    np.testing.assert_allclose(actual, expected, atol=1e-4, rtol=0)


@pytest.mark.skipif(not SHARED.exists(), reason="the reference arrays are not beside the checkout")
def test_log_mel_equals_the_authors_when_sound_was_resampled_by_them() -> None:
    compared = 0
    with np.load(SHARED) as shared:
        for key in shared.files:
            if not key.endswith("|resampled16k"):
                continue
            name = key.split("|")[0]
            waveform = torch.from_numpy(shared[key].astype(np.float32))[None]

            actual = LogMel()(waveform)[0].numpy()

            np.testing.assert_allclose(actual, shared[f"{name}|logmel"], atol=1e-4, rtol=0)
            compared += 1
    assert compared > 5


def test_log_mel_is_the_log_of_the_offset_when_sound_is_silent() -> None:
    log_mel = LogMel()(torch.zeros(2, 16_000))

    assert log_mel.shape == (2, 1, 96, 64)
    torch.testing.assert_close(log_mel, torch.full_like(log_mel, float(np.log(LOG_OFFSET))))


def test_log_mel_refuses_when_waveform_is_not_one_second() -> None:
    with pytest.raises(ValueError, match="waveform must be"):
        LogMel()(torch.zeros(1, 15_999))
