import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.packets import SAMPLE_RATE
from source_builders import make_stream, tone

RATES = [4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 384_000]


@pytest.mark.parametrize("rate", RATES)
def test_a_click_stays_where_it_was_when_resampled(rate: int) -> None:
    stream = make_stream()
    intake = stream.inlet.audio_intake(rate, 1)
    waveform = np.zeros(rate, np.float32)
    waveform[rate // 2 : rate // 2 + max(1, rate // 8000)] = 1.0
    for start in range(0, rate, 777):
        intake.append(waveform[start : start + 777], start * NS_PER_S // rate)
    intake.end()

    sound = stream.sound()
    assert abs(len(sound) - SAMPLE_RATE) <= 1
    assert abs(int(np.abs(sound).argmax()) - SAMPLE_RATE // 2) <= 3


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=30),
    rate=st.sampled_from([8_000, 16_000, 44_100]),
)
def test_blocks_of_any_size_give_the_same_sound(sizes: list[int], rate: int) -> None:
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, sum(sizes)).astype(np.float32)
    outcomes = []
    for cuts in (sizes, [sum(sizes)]):
        stream = make_stream()
        intake = stream.inlet.audio_intake(rate, 1)
        start = 0
        for n in cuts:
            intake.append(waveform[start : start + n], start * NS_PER_S // rate)
            start += n
        intake.end()
        outcomes.append(stream.sound())

    np.testing.assert_allclose(outcomes[0], outcomes[1], atol=1e-6)


def test_channels_are_averaged_when_there_are_several() -> None:
    stream = make_stream()
    intake = stream.inlet.audio_intake(SAMPLE_RATE, 3)
    intake.append(np.array([[0.3, 0.6, 0.0], [-0.3, 0.0, 0.0]], np.float32), 0)

    np.testing.assert_allclose(stream.sound(), [0.3, -0.1], atol=1e-6)


@pytest.mark.parametrize("live", [False, True])
def test_channels_that_cancel_are_heard_and_it_is_said_once(
    live: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stream = make_stream(live=live)
    left = tone(1.0, SAMPLE_RATE)
    samples = np.stack([left, -left], axis=1)

    for _ in range(1 + live):  # a device is lost and comes back
        intake = stream.inlet.audio_intake(SAMPLE_RATE, 2)
        for start in range(0, SAMPLE_RATE, 320):
            time_ns = start * NS_PER_S // SAMPLE_RATE
            intake.append(samples[start : start + 320], time_ns)

    np.testing.assert_allclose(stream.sound()[:SAMPLE_RATE], left, atol=1e-6)
    assert stream.stats.snapshot().sound_level_db == pytest.approx(-9.0, abs=0.5)
    assert sum("cancel one another" in record.message for record in caplog.records) == 1


def test_what_is_no_number_becomes_silence_and_is_counted() -> None:
    stream = make_stream()
    intake = stream.inlet.audio_intake(SAMPLE_RATE, 1)
    intake.append(np.array([0.5, np.nan, np.inf, -np.inf, 3.0], np.float32), 0)

    np.testing.assert_array_equal(stream.sound(), [0.5, 0.0, 0.0, 0.0, 1.0])
    assert stream.count("bad_samples") == 3


def test_sound_from_before_the_stream_is_cut_off() -> None:
    stream = make_stream()
    stream.timeline.start(NS_PER_S)
    intake = stream.inlet.audio_intake(SAMPLE_RATE, 1)
    intake.append(np.arange(320, dtype=np.float32) / 1000, NS_PER_S - 10 * NS_PER_MS)

    assert stream.sounds.first_index == 0
    np.testing.assert_allclose(stream.sound(), np.arange(160, 320) / 1000, atol=1e-6)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_jump_of_a_files_time_stamps_becomes_a_gap(rate: int) -> None:
    stream = make_stream()
    intake = stream.inlet.audio_intake(rate, 1)
    intake.append(tone(1.0, rate), 0)
    intake.append(tone(1.0, rate), 3 * NS_PER_S)
    intake.end()

    span = stream.sounds.read(0, 4 * SAMPLE_RATE)
    assert span.n_gap == pytest.approx(2 * SAMPLE_RATE, abs=1)
    assert span.n_missing <= 1
    assert stream.sounds.end_index == pytest.approx(4 * SAMPLE_RATE, abs=1)


def test_time_stamps_that_wander_make_no_gap() -> None:
    stream = make_stream()
    intake = stream.inlet.audio_intake(44_100, 1)
    rng = np.random.default_rng(0)
    waveform = tone(5.0, 44_100)
    for start in range(0, len(waveform), 1024):  # one block's length either way, as files have it
        wander = int(rng.integers(-23, 24)) * NS_PER_MS
        intake.append(waveform[start : start + 1024], max(0, start * NS_PER_S // 44_100 + wander))
    intake.end()

    assert stream.count("audio_gap_samples") == 0
    assert stream.sounds.end_index == pytest.approx(5 * SAMPLE_RATE, abs=400)


def test_sound_that_comes_twice_is_taken_once() -> None:
    stream = make_stream()
    intake = stream.inlet.audio_intake(SAMPLE_RATE, 1)
    waveform = tone(2.0, SAMPLE_RATE)
    intake.append(waveform[:16_000], 0)
    intake.append(waveform[8_000:], NS_PER_S // 2)

    np.testing.assert_array_equal(stream.sound(), waveform)


def test_the_sound_goes_on_when_the_rate_changes_midway() -> None:
    stream = make_stream()
    intake = stream.inlet.audio_intake(44_100, 2)
    intake.append(np.repeat(tone(1.0, 44_100)[:, None], 2, axis=1), 0)
    intake.retune(8_000, 1)
    intake.append(tone(1.0, 8_000), NS_PER_S)
    intake.end()

    assert stream.sounds.end_index == pytest.approx(2 * SAMPLE_RATE, abs=2)
    assert stream.count("audio_gap_samples") == 0


def test_lost_samples_of_a_device_are_found_when_all_that_follows_is_late() -> None:
    stream = make_stream(live=True)
    intake = stream.inlet.audio_intake(48_000, 1)
    rng = np.random.default_rng(0)
    block = tone(0.02, 48_000)
    for i in range(500):
        lost_ns = 200 * NS_PER_MS if i >= 250 else 0
        late_ns = int(rng.exponential(5 * NS_PER_MS))
        intake.append(block, i * 20 * NS_PER_MS + lost_ns + late_ns)

    end_ns = 500 * 20 * NS_PER_MS + 200 * NS_PER_MS
    assert stream.count("audio_gap_samples") == pytest.approx(3_200, abs=160)
    assert stream.sounds.clock.index_at(end_ns) == pytest.approx(stream.sounds.end_index, abs=700)


def test_a_late_delivery_is_no_loss_when_it_is_made_up_for() -> None:
    stream = make_stream(live=True)
    intake = stream.inlet.audio_intake(SAMPLE_RATE, 1)
    for i in range(200):
        stall_ns = max(0, 240 - 20 * (i - 100)) * NS_PER_MS if i >= 100 else 0
        intake.append(tone(0.02, SAMPLE_RATE), i * 20 * NS_PER_MS + stall_ns)

    assert stream.count("audio_gap_samples") == 0


def test_the_level_is_shown_when_sound_comes() -> None:
    stream = make_stream()
    intake = stream.inlet.audio_intake(SAMPLE_RATE, 1)
    intake.append(tone(0.1, SAMPLE_RATE), 0)
    assert stream.stats.snapshot().sound_level_db == pytest.approx(-9.0, abs=0.1)
    intake.append(np.zeros(1600, np.float32), 100 * NS_PER_MS)
    assert stream.stats.snapshot().sound_level_db == -120.0


def test_a_block_of_another_shape_is_refused() -> None:
    intake = make_stream().inlet.audio_intake(SAMPLE_RATE, 2)
    with pytest.raises(ValueError, match=r"samples must be"):
        intake.append(np.zeros((4, 3), np.float32), 0)


@pytest.mark.parametrize("away_s", [0.3, 7.0, 90_000.0])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_click_is_dated_rightly_when_a_device_comes_back_after_a_gap(
    rate: int, away_s: float
) -> None:
    stream = make_stream(live=True)
    first = stream.inlet.audio_intake(16_000, 1)
    for k in range(100):  # 300 ppm fast: its line must not outlive it
        first.append(np.full(320, 0.01, np.float32), NS_PER_S + round(k * 19.994 * NS_PER_MS))
    end = stream.sounds.end_index
    back_ns = NS_PER_S + 2 * NS_PER_S + round(away_s * NS_PER_S)
    second = stream.inlet.audio_intake(rate, 2)
    waveform = np.zeros((3 * rate, 2), np.float32)
    waveform[2 * rate : 2 * rate + max(1, rate // 8000)] = 1.0
    for start in range(0, 3 * rate, rate // 50):
        block = waveform[start : start + rate // 50]
        second.append(block, back_ns + start * NS_PER_S // rate)

    ring = stream.sounds
    heard = ring.read(ring.end_index - 2 * SAMPLE_RATE, ring.end_index)
    click = ring.end_index - 2 * SAMPLE_RATE + int(heard.samples.argmax())
    assert abs(ring.clock.time_at(click) - (back_ns + 2 * NS_PER_S)) <= NS_PER_MS
    assert ring.clock.drift_ppm == 0.0
    gap_s = (ring.end_index - end) / SAMPLE_RATE - 3
    assert abs(gap_s - away_s) <= 0.06 + away_s * 1e-3
