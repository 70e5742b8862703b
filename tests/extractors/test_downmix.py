"""Channels are averaged, and where they cancel one another the loudest is taken."""

from __future__ import annotations

import logging
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from extractors.downmix import Downmix
from extractors.media import read_sound

RATE = 16_000


def _noise(level: float = 0.1, seed: int = 0, n: int = 1024) -> NDArray[np.float32]:
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@pytest.mark.parametrize("other", [-1.0, -0.9, -0.7, -1.1, -1.3])
def test_channel_alone_is_taken_when_the_other_is_its_inverse(other: float) -> None:
    samples = np.stack([_noise(), other * _noise()], axis=1)

    mono = Downmix().mix(samples)

    louder = 0 if abs(other) <= 1 else 1
    np.testing.assert_array_equal(mono, samples[:, louder])


@pytest.mark.parametrize(
    "channels",
    [
        [_noise(seed=1), _noise(seed=2)],
        [_noise(seed=1), np.zeros(1024, np.float32)],
        [_noise(seed=1), 0.2 * _noise(seed=2)],
        [_noise(), _noise()],
        [_noise(seed=1), *[np.zeros(1024, np.float32)] * 7],
        [_noise(seed=k) for k in range(8)],
        [_noise(0.00001), -_noise(0.00001)],
    ],
    ids=["two", "one alone", "one soft", "equal", "one of eight", "eight", "too soft to tell"],
)
def test_channels_are_averaged_when_they_do_not_cancel(channels: list[NDArray[np.float32]]) -> None:
    samples = np.stack(channels, axis=1)
    downmix = Downmix()

    np.testing.assert_array_equal(downmix.mix(samples), samples.mean(axis=1))
    assert downmix.channel is None


def test_offset_of_a_converter_hides_nothing() -> None:
    samples = np.stack([_noise() + 0.3, 0.3 - _noise()], axis=1)

    assert Downmix().mix(samples).std() == pytest.approx(0.1, rel=0.1)


def test_one_channel_is_kept_through_quiet_and_given_up_when_the_mean_sounds_again() -> None:
    downmix = Downmix()
    inverse = np.stack([_noise(), -_noise()], axis=1)
    downmix.mix(inverse)

    assert downmix.channel == 0
    downmix.mix(np.zeros((1024, 2), np.float32))
    assert downmix.channel == 0
    downmix.mix(np.stack([_noise(), _noise()], axis=1))
    assert downmix.channel is None
    assert downmix.n_cancelled == 2048


BLOCKS = st.tuples(st.integers(0, 50), st.integers(1, 6))


@given(arrays(np.float32, BLOCKS, elements=st.floats(-1.0, 1.0, width=32)))
def test_any_block_gives_the_mean_or_one_of_its_channels(samples: NDArray[np.float32]) -> None:
    mono = Downmix().mix(samples)

    choices = [samples.mean(axis=1, dtype=np.float32), *samples.T]
    assert any(np.array_equal(mono, choice) for choice in choices)


def test_file_whose_channels_cancel_is_heard_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "inverted.wav"
    left = (0.3 * 32767 * np.sin(np.arange(RATE) * 0.1)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.stack([left, -left], axis=1).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    with caplog.at_level(logging.WARNING):
        samples = np.concatenate(list(read_sound(path)))

    np.testing.assert_array_equal(samples, left / np.float32(32768))
    assert sum("cancel one another" in r.message for r in caplog.records) == 1
