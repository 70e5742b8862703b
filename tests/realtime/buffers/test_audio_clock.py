import numpy as np
import pytest

from realtime.buffers.audio_clock import FAR_INDEX, NS_PER_SAMPLE, AudioClock
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.packets import SAMPLE_RATE

BLOCK = 320  # 20 ms


def test_exact_clock_goes_there_and_back_when_a_file_is_read() -> None:
    clock = AudioClock.exact(5 * NS_PER_S)

    assert clock.ready
    assert clock.time_at(16_000) == 6 * NS_PER_S
    assert clock.index_at(6 * NS_PER_S) == 16_000
    assert clock.index_at(5 * NS_PER_S - NS_PER_SAMPLE) == -1
    assert clock.drift_ppm == 0.0


def test_every_time_lies_ahead_when_nothing_was_observed() -> None:
    clock = AudioClock()

    assert clock.index_at(0) == FAR_INDEX
    with pytest.raises(ValueError, match="no sound"):
        clock.time_at(0)


def test_nominal_rate_is_used_when_there_is_little_to_go_by() -> None:
    clock = AudioClock()
    clock.observe(BLOCK, 1_000 * NS_PER_MS)

    assert clock.time_at(0) == 980 * NS_PER_MS
    assert clock.index_at(1_980 * NS_PER_MS) == SAMPLE_RATE
    assert clock.drift_ppm == 0.0


@pytest.mark.parametrize("drift_ppm", [-300.0, 0.0, 300.0, 900.0])
@pytest.mark.parametrize("jitter", ["exponential", "bursty"])
def test_error_stays_under_10_ms_when_the_device_drifts_and_delivers_late(
    drift_ppm: float, jitter: str
) -> None:
    rng = np.random.default_rng(1)
    clock = AudioClock()
    errors_ms = []
    n_blocks = 60 * SAMPLE_RATE // BLOCK
    truth_ns = 7 * NS_PER_S + np.arange(1, n_blocks + 1) * BLOCK * NS_PER_SAMPLE * (
        1 + drift_ppm * 1e-6
    )
    late_ns = rng.exponential(8 * NS_PER_MS, n_blocks)
    if jitter == "bursty":  # four blocks are handed over together, and sometimes a long stall
        late_ns = (3 - np.arange(n_blocks) % 4) * 20.0 * NS_PER_MS
        late_ns += rng.exponential(3 * NS_PER_MS, n_blocks)
        late_ns += (rng.random(n_blocks) < 0.01) * 400.0 * NS_PER_MS
    for block in range(n_blocks):
        end = (block + 1) * BLOCK
        clock.observe(end, round(truth_ns[block] + late_ns[block]))
        if end >= 10 * SAMPLE_RATE:
            errors_ms.append(abs(clock.time_at(end) - truth_ns[block]) / NS_PER_MS)

    assert np.percentile(errors_ms, 95) <= 10.0
    assert clock.drift_ppm == pytest.approx(drift_ppm, abs=60.0)


def test_drift_is_clamped_when_observations_are_absurd() -> None:
    clock = AudioClock()
    for block in range(2000):
        clock.observe((block + 1) * BLOCK, block * 25 * NS_PER_MS)  # a clock 25 % slow

    assert clock.drift_ppm == pytest.approx(1000.0)


def test_line_moves_down_when_all_before_was_late() -> None:
    clock = AudioClock()
    for block in range(1, 500):
        late = 500 * NS_PER_MS if block < 300 else 0
        clock.observe(block * BLOCK, block * 20 * NS_PER_MS + late)

    assert clock.time_at(500 * BLOCK) == pytest.approx(10 * NS_PER_S, abs=5 * NS_PER_MS)


def test_line_is_fitted_anew_when_a_device_comes_back() -> None:
    clock = AudioClock()
    for second in range(1, 60):  # 500 ppm slow
        clock.observe(second * SAMPLE_RATE, round(second * NS_PER_S * 1.0005))
    assert clock.drift_ppm == pytest.approx(500, abs=1)
    index = clock.index_at(300 * NS_PER_S)

    clock.restart(index, 300 * NS_PER_S)

    assert clock.time_at(index) == 300 * NS_PER_S
    assert clock.drift_ppm == 0.0
    for second in range(1, 30):  # another one, 200 ppm fast
        end = index + second * SAMPLE_RATE
        clock.observe(end, round((300 + second * 0.9998) * NS_PER_S))
    assert clock.drift_ppm == pytest.approx(-200, abs=5)


def test_files_clock_does_not_restart() -> None:
    with pytest.raises(ValueError, match="exact"):
        AudioClock.exact(0).restart(0, 0)
