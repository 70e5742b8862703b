"""A machine that is suspended: its clock goes on, nothing comes, and then all goes on at once."""

from __future__ import annotations

from faults.invariants import _check_events, _check_order
from faults.rig import TICK_NS, Rig
from realtime.clock import NS_PER_S

ASLEEP_S, AWAKE_S, LENGTH_S = 8 * 3600, 21, 60.0


def test_recognition_goes_on_and_dates_rightly_when_the_machine_slept_for_eight_hours() -> None:
    rig = Rig([], LENGTH_S)
    rig.publisher.open()
    healthy = rig._subscribe(hwm=0)
    try:
        for k in range(1, round(LENGTH_S * NS_PER_S / TICK_NS) + 1):
            rig.clock.advance(TICK_NS)
            if k * TICK_NS == AWAKE_S * NS_PER_S:
                rig.clock.advance(ASLEEP_S * NS_PER_S)
            now_s = k * TICK_NS / NS_PER_S
            for sense, due in rig.due.items():
                while due and due[-1].at_s <= now_s:
                    delivery = due.pop()
                    slept_s = ASLEEP_S if delivery.dated_s >= AWAKE_S else 0
                    time_ns = round((delivery.dated_s + slept_s) * NS_PER_S)
                    if sense == "picture":
                        rig.video.append(time_ns, delivery.payload)
                    else:
                        rig.audio.append(delivery.payload, time_ns)
            rig._recognize()
            rig._publish(healthy)
        rig.stream.finish(None)
        rig._publish(healthy)
    finally:
        healthy.close(linger=0)
        rig.publisher.close()
        rig.context.term()

    _check_order(rig.told)
    events = rig.told.of_type("event")
    _check_events(events)
    ended = [event for event in events if event["phase"] == "offset"]
    flashes = [round(e["onset"]["t_s"] - ASLEEP_S) for e in ended if e["label"] == "Flash"]
    assert flashes[2:] == [22, 30, 38, 46, 54]
    (cut_off,) = [event for event in ended if event["reason"] == "no data"]
    assert cut_off["offset"]["t_s"] < AWAKE_S
    latencies = [body["quality"]["latency_ms"] for body in rig.told.of_type("prediction")]
    assert max(latencies) < 350
