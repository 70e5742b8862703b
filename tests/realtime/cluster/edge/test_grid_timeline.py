"""An edge's grid beside its pool's, while their clocks drift apart."""

from __future__ import annotations

from realtime.clock import NS_PER_S
from realtime.cluster.edge.grid_timeline import GridTimeline
from realtime.packets import SLOT_NS
from realtime.sources.video_intake import slot_of

DRIFT = -2e-4  # the edge is 200 ppm too fast
BEGIN_NS = 5 * NS_PER_S


def edge_time(pool_t_ns: int) -> int:
    return BEGIN_NS + round(pool_t_ns / (1 + DRIFT))


def slot(timeline: GridTimeline, time_ns: int) -> int:
    return slot_of(time_ns - timeline.start(time_ns))


def test_places_are_the_pools_after_an_hour_of_drift() -> None:
    timeline = GridTimeline()
    timeline.start(BEGIN_NS)
    for t_s in range(3600):
        t_ns = t_s * NS_PER_S
        timeline.follow(edge_time(t_ns), t_ns, DRIFT)
        middle_ns = t_ns + 4 * SLOT_NS
        assert slot(timeline, edge_time(middle_ns)) == slot_of(middle_ns)


def test_places_go_on_when_a_pool_begins_anew() -> None:
    timeline = GridTimeline()
    timeline.start(BEGIN_NS)
    timeline.follow(edge_time(0), 0, DRIFT)
    before = slot(timeline, edge_time(100 * NS_PER_S))
    late_ns = edge_time(100 * NS_PER_S)
    timeline.follow(late_ns, SLOT_NS // 4, DRIFT)  # another pool's time, which has just begun

    assert slot(timeline, late_ns + SLOT_NS) == before + 1


def test_time_is_its_own_before_a_pool_tells() -> None:
    timeline = GridTimeline()

    assert timeline.start(7) == 7
    assert timeline.start(SLOT_NS) == 7
