"""The simulated pool: what it replays costs what it says, and the dead lose their streams."""

import math

import pytest

import realtime.scheduler
from benchmarks.pool_costs import Costs
from benchmarks.pool_simulation import simulate

COSTS = Costs(
    name="test",
    frames_ms={1: 5.0, 2: 8.0, 4: 14.0},
    sounds_ms={1: 2.0, 2: 3.0, 4: 5.0},
    head_ms={1: 3.0, 2: 4.0, 4: 6.0},
)


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime.scheduler, "MAX_EARLY_FRAMES", realtime.scheduler.MAX_EARLY_FRAMES)


def test_costs_lie_between_what_was_measured_and_go_on_beyond() -> None:
    assert COSTS.frames_ns(0) == 0
    assert COSTS.frames_ns(3) == 11_000_000
    assert COSTS.frames_ns(6) == 20_000_000
    assert COSTS.clips_ns(2) == 7_000_000


def test_actor_with_little_to_do_decides_at_every_hop() -> None:
    result = simulate(COSTS, n_streams=2, n_actors=1, most_frames=4)

    assert result.share_asked == pytest.approx(1, abs=0.03)
    assert 20 < result.latency_ms[0] < 45  # the network's way, and a clip's 5 ms and 5 more
    assert 0.05 < result.busy < 0.25
    assert result.level == 0
    assert all(math.isnan(each) for each in result.gap_s)


def test_streams_of_the_dead_go_on_elsewhere_within_three_seconds() -> None:
    result = simulate(COSTS, n_streams=12, n_actors=6, most_frames=4)

    assert result.moves[0] == 2
    assert result.moves[1] >= 6  # of the node's three others, and what they had taken
    assert all(1 < each < 3 for each in result.gap_s)


def test_actor_with_too_much_to_do_gives_up_pictures_and_stays_on_time() -> None:
    result = simulate(COSTS, n_streams=60, n_actors=1, most_frames=4)

    assert result.level > 0
    assert result.busy > 0.8
