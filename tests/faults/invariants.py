"""What must hold whatever was injected."""

from __future__ import annotations

from typing import Any

from faults.fault_layer import Fault
from faults.rig import LATENCY_BOUND_MS, RECOVERY_S, Told, Truth, scene

NEAR_S = 0.6  # how far a told time may lie from the truth: half a clip and a hop
CLIP_S = 1.0


def figures(told: Told, faults: list[Fault], length_s: float) -> dict[str, int]:
    """Return how many events the scene has, how many the faults leave alone, and what was lost."""
    truths = scene(length_s)
    alone = [t for t in truths if not _touches(t, faults)]
    return {
        "in_scene": len(truths),
        "beyond": len(alone),
        "told": sum(any(_is(e, t) for e in _ended(told)) for t in truths),
        "lost": sum(not any(_is(e, t) for e in _ended(told)) for t in alone),
    }


def check(told: Told, faults: list[Fault], length_s: float) -> None:
    """Assert all invariants."""
    assert told.alive, "recognition ended by itself"
    assert not told.notices, told.notices
    _check_order(told)
    _check_events(told.of_type("event"))
    _check_latency(told, faults)
    n_lost = _lost(told, faults, length_s)
    assert not n_lost, n_lost


def _ended(told: Told) -> list[dict[str, Any]]:
    return [event for event in told.of_type("event") if event["phase"] == "offset"]


def _touches(truth: Truth, faults: list[Fault]) -> bool:
    return _is_touched(truth.onset_s - CLIP_S, truth.offset_s + CLIP_S, faults, RECOVERY_S)


def _check_order(told: Told) -> None:
    ends = [body["end"]["t_s"] for body in told.of_type("prediction")]
    assert ends == sorted(set(ends)), "predictions go back"
    seqs = [body["seq"] for body in told.bodies]
    assert seqs == sorted(set(seqs))
    sent = [body["sent"]["t_s"] for body in told.bodies]
    assert sent == sorted(sent), "sending times go back"


def _check_events(events: list[dict[str, Any]]) -> None:
    """Onset and offset alternate for each label, and times never go back."""
    active: dict[str, dict[str, Any]] = {}
    ended_s: dict[str, float] = {}
    for event in events:
        label, phase = event["label"], event["phase"]
        if phase == "onset":
            assert label not in active, f"two onsets of {label}"
            assert event["onset"]["t_s"] >= ended_s.get(label, 0.0)
            active[label] = event
            continue
        assert active[label]["id"] == event["id"], f"{phase} of another event"
        assert event["onset"] == active[label]["onset"]
        if phase == "offset":
            assert event["offset"]["t_s"] >= event["onset"]["t_s"]
            ended_s[label] = event["offset"]["t_s"]
            del active[label]
    assert not active, "the stream ended and events did not"


def _check_latency(told: Told, faults: list[Fault]) -> None:
    """Every prediction that is due comes, and soon, from 3 s after the last fault on."""
    for body in told.of_type("prediction"):
        if not _is_touched(body["sent"]["t_s"], body["sent"]["t_s"], faults, RECOVERY_S):
            latency_ms = body["quality"]["latency_ms"]
            assert latency_ms <= LATENCY_BOUND_MS, (body["end"], latency_ms)


def _lost(told: Told, faults: list[Fault], length_s: float) -> list[str]:
    """Name what happened outside of every fault's span and was not told, and what was made up."""
    wrong = []
    events = _ended(told)
    for truth in scene(length_s):
        if _touches(truth, faults):
            continue
        if not any(_is(event, truth) for event in events):
            near = [
                (e["label"], e["onset"]["t_s"], e["offset"]["t_s"], e["reason"]) for e in events
            ]
            wrong.append(f"{truth} was not told: {near}")
    for event in events:
        onset, offset = event["onset"]["t_s"], event["offset"]["t_s"]
        if _is_touched(onset - CLIP_S, offset + CLIP_S, faults, RECOVERY_S):
            continue
        if not any(_is(event, truth) for truth in scene(length_s + 8)) and offset < length_s - 1.5:
            wrong.append(f"{event['label']} {onset}-{offset} never was")
    return wrong


def _is(event: dict[str, Any], truth: Truth) -> bool:
    return (
        event["label"] == truth.label
        and abs(event["onset"]["t_s"] - truth.onset_s) <= NEAR_S
        and abs(event["offset"]["t_s"] - truth.offset_s) <= NEAR_S
    )


def _is_touched(start_s: float, end_s: float, faults: list[Fault], beyond_s: float) -> bool:
    return any(f.start_s < end_s and start_s < f.end_s + beyond_s for f in faults)
