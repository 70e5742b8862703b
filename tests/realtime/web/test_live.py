"""What the page is told of what happens now."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from realtime.buffers.frame_ring import FrameRing
from realtime.buffers.signal import DataSignal
from realtime.clock import NS_PER_S, ManualClock
from realtime.outputs.base import DashboardSnapshot
from realtime.packets import SenseState
from realtime.threads.mailbox import Policy
from realtime.web.heard import Heard
from realtime.web.live import N_LIKELIEST, Live
from realtime.web.live_routes import MAX_WATCHERS, LiveRoutes
from snapshots import changed, make_snapshot
from web_site import no_frame, no_sound
from wire_samples import LABELS, PROBABILITIES, make_prediction


def told(snapshot: DashboardSnapshot | None) -> dict[str, object]:
    content: dict[str, object] = json.loads(Live(lambda: snapshot, no_frame, ManualClock()).text())
    return content


def test_source_says_all_that_is_shown_of_it() -> None:
    alone = np.zeros((2, 2, 5), np.float32)
    alone[1, :, 1] = 0.8
    prediction = replace(make_prediction(10), alone=alone)
    (source,) = told(make_snapshot(prediction=prediction, load="8 pictures a second"))["sources"]
    assert source["name"] == "camera-0"
    assert [sense["state"] for sense in source["senses"]] == ["ok", SenseState.STALE.value]
    assert (source["level_db"], source["load"]) == (-23.4, "8 pictures a second")
    assert source["lost"] == {"dropped_frames": 3}
    assert {event["label"] for event in source["running"]} == {LABELS[1], LABELS[2]}
    likeliest = source["likeliest"]
    assert len(likeliest) == N_LIKELIEST
    assert [row["score"] for row in likeliest] == sorted(PROBABILITIES, reverse=True)
    assert likeliest[0] == {
        "label": "Siren", "score": 0.91, "running": True, "picture": 0.0, "sound": 0.8,
    }  # fmt: skip
    assert source["attention"]["picture_share"] == 0.25
    assert len(source["attention"]["sound"]) == 10


def test_sense_that_is_missing_has_no_say() -> None:
    prediction = make_prediction(3)
    prediction.present[1:, 0] = False
    (source,) = told(make_snapshot(prediction=prediction))["sources"]
    assert source["attention"]["picture"][1:] == [None, None]
    assert source["likeliest"][0]["picture"] is None


def test_run_that_is_starting_has_no_source_and_one_without_a_decision_no_scores() -> None:
    assert told(None) == {"sources": []}
    (source,) = told(make_snapshot(prediction=None, active=()))["sources"]
    assert (source["likeliest"], source["attention"], source["running"]) == ([], None, [])


def test_all_streams_are_told() -> None:
    snapshot = make_snapshot()
    both = replace(snapshot, others=(replace(snapshot, source="yard"),))
    assert [source["name"] for source in told(both)["sources"]] == ["camera-0", "yard"]


def test_what_turns_a_line_around_is_not_told() -> None:
    text = Live(lambda: make_snapshot(backend="\u202egnp\x1b[2J"), no_frame, ManualClock()).text()
    assert text.isprintable()
    assert "\\u202e" not in text


def test_many_who_look_at_once_cost_one_snapshot() -> None:
    clock, n_made = ManualClock(), []

    def view() -> DashboardSnapshot:
        n_made.append(1)
        return make_snapshot()

    live = Live(view, no_frame, clock)
    for _ in range(100):
        live.text()
    assert len(n_made) == 1
    clock.advance(NS_PER_S)
    live.text()
    assert len(n_made) == 2


def test_picture_is_the_newest_and_recognition_gets_it_all_the_same() -> None:
    ring = FrameRing(4, 32, Policy.DROP_OLDEST, DataSignal())
    live = Live(make_snapshot, lambda source: ring.newest(), ManualClock())
    assert live.picture("hall") is None
    for slot, value in ((1, 10), (2, 200)):
        ring.append(slot, slot, np.full((32, 32, 3), value, np.uint8))
    jpeg = live.picture("hall")
    assert jpeg is not None
    picture = np.asarray(Image.open(io.BytesIO(jpeg)))
    assert picture.shape == (32, 32, 3)
    assert abs(float(picture.mean()) - 200) < 3
    assert live.picture("hall") is jpeg  # not made anew
    assert [frame.slot for frame in ring.read(0, 9)] == [1, 2]


async def watch(routes: LiveRoutes, snapshots: list[DashboardSnapshot]) -> list[str]:
    found = []
    stream = routes._pulses()
    while snapshots:
        found.append(await anext(stream))
        snapshots.pop(0)
    await stream.aclose()
    return found


@pytest.mark.timeout(60)
def test_stream_tells_each_change_and_lets_go() -> None:
    snapshots = [changed(make_snapshot(), t_s=float(n)) for n in range(3)]

    class Clock(ManualClock):
        def now_ns(self) -> int:
            self.advance(NS_PER_S)
            return super().now_ns()

    clock = Clock()
    live = Live(lambda: snapshots[0], no_frame, clock)
    routes = LiveRoutes(live, Heard(no_sound), clock)
    found = asyncio.run(watch(routes, snapshots))
    assert [json.loads(text.removeprefix("data: "))["sources"][0]["t_s"] for text in found] == [
        0.0, 1.0, 2.0,
    ]  # fmt: skip
    assert all(text.endswith("\n\n") for text in found)
    assert routes._n_watchers == 0
    assert MAX_WATCHERS > 0
