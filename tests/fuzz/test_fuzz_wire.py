"""Whatever a socket may bring to a subscriber: passed over with a notice, or a printable line.

`FUZZ_S` sets how long the last test draws (`fuzz.budget`).
"""

from __future__ import annotations

import copy
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.budget import TIMEOUT_S, Budget
from fuzz.budget import damaged as damaged_bytes
from realtime.client.continuity import Continuity
from realtime.client.decoding import decode
from realtime.clock import ManualClock, WallClock
from realtime.outputs.health import Health
from realtime.outputs.socket.wanted_labels import WantedLabels
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.terminal.lines import message_line
from weights.printable import json_text

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(TIMEOUT_S)]

N_DAMAGED = 600
FIELDS = (
    "v", "type", "run", "seq", "topic_seq", "source", "sent", "id", "phase", "label", "confidence",
    "onset", "offset", "duration_s", "top", "evidence", "senses", "quality", "topics", "counters",
    "sources", "replay", "state", "latency_ms", "uptime_s", "t_s", "attention", "clip_end_t_s",
    "predictions", "detail", "bundle", "end", "probability",
)  # fmt: skip
KINDS = ("event", "prediction", "status", "heartbeat", "other", "")


class Client:
    """All that a subscriber does with what came, without its socket."""

    def __init__(self) -> None:
        self.continuity = Continuity(("event/", "prediction/", "status/", "heartbeat/"))
        self.health = Health()
        self.labels = WantedLabels(["Siren", "no such"])
        self.refusals: list[str] = []

    def take(self, frames: list[bytes]) -> bool:
        """Return whether it was taken for a message; only a `ValueError` may refuse one."""
        try:
            topic, body = decode(frames)
        except ValueError as error:
            self.refusals.append(str(error))
            return False
        verdict = self.continuity.check(topic, body)
        for notice in verdict.notices:
            assert len(str(notice)) < 1000
        line = message_line(body)
        assert line.isprintable()
        assert len(line) < 5_000
        self.health.observe(body)
        assert self.health.describe().isprintable()
        assert json_text(body).isprintable()
        missing = self.labels.missing(body)
        assert missing is None or missing.isprintable()
        assert self.labels.wants(body.get("label")) in (True, False)
        return True


def whole_messages() -> list[list[bytes]]:
    stamper = MessageStamper(
        "run1", ManualClock(), WallClock.fixed(datetime(2026, 1, 2, tzinfo=UTC))
    )
    beat = stamper.heartbeat({"predictions": 4}, {"event/door/": 3}, {"door": {"sound": "ok"}})
    moment = {"t_s": 3.5, "utc": "2026-01-02T00:00:03.500Z"}
    event: dict[str, Any] = {
        "v": 1, "type": "event", "run": "run1", "seq": 5, "topic_seq": 3, "source": "door",
        "sent": moment, "id": "run1-door-1", "phase": "offset", "label": "Siren",
        "confidence": 0.9, "score": 0.2, "onset": moment, "offset": moment, "duration_s": 0.0,
        "top": [{"label": "Siren", "probability": 0.9}], "reason": "quiet",
        "evidence": {"attention": [[0.5, 0.5]], "clip_end_t_s": [3.5], "picture": 0.5, "sound": 0.5,
                     "strongest": {"clip_end_t_s": 3.5, "sense": "sound", "share": 0.5}},
        "senses": ["picture", "sound"], "window_clips": 1, "short_window": True,
        "quality": {"latency_ms": 3.0, "av_skew_ms": None, "dropped_frames": 0},
    }  # fmt: skip
    prediction = {**event, "type": "prediction", "end": moment}
    status = {**event, "type": "status", "state": "running", "detail": "",
              "senses": {"picture": {"state": "ok"}, "sound": {"state": "lost"}}}  # fmt: skip
    topics = ("event/door/", "prediction/door/", "status/door/")
    bodies = zip(topics, (event, prediction, status), strict=True)
    messages = [[topic.encode(), json.dumps(body).encode()] for topic, body in bodies]
    return [*messages, [beat.topic.encode(), beat.payload()]]


def damaged(seed: int, wholes: list[list[bytes]]) -> list[bytes]:
    rng = random.Random(seed)
    topic, payload = wholes[seed % len(wholes)]
    kind = seed % 6
    if kind == 0:
        return [topic, payload[: rng.randrange(len(payload))]]
    if kind == 1:
        data = bytearray(payload)
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return [topic, bytes(data)]
    if kind == 2:
        return rng.choice(
            ([], [topic], [payload], [topic, payload, payload], [b"\xff\xfe", payload], [b"", b""])
        )
    if kind == 3:
        depth = rng.choice((10, 500, 100_000))
        return [topic, b"[" * depth + b"]" * depth]
    body = json.loads(payload)
    value = rng.choice(
        (None, True, -1, 10**30, 1e308, "", "x" * 5_000, "\x1b[2J", "a\nb", [], {}, [[]], {"a": 1})
    )
    if kind == 4:
        body[rng.choice(sorted(body))] = value
    else:
        del body[rng.choice(sorted(body))]
    return [topic, json.dumps(body).encode()]


def test_damaged_messages_are_passed_over_or_printed() -> None:
    client, wholes = Client(), whole_messages()
    assert all(client.take(frames) for frames in wholes)
    n_taken = sum(client.take(damaged(seed, wholes)) for seed in range(N_DAMAGED))

    assert 50 < n_taken < N_DAMAGED - 50
    assert all(refusal.isprintable() for refusal in client.refusals)  # a terminal would obey it


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=30),
        st.sampled_from(["event", "onset", "offset", "Siren", "ok", "\x1b]0;x\x07"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)
    ),
    max_leaves=20,
)


@settings(max_examples=300, derandomize=True)
@given(
    bodies=st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=12), max_size=3),
    kind=st.sampled_from(KINDS),
    numbers=st.tuples(st.integers(-5, 2**70), st.integers(-5, 2**70)),
    run=st.text(max_size=5),
)
def test_any_json_of_the_right_head_is_judged_and_printed(
    bodies: list[dict[str, Any]], kind: str, numbers: tuple[int, int], run: str
) -> None:
    client = Client()
    for body in bodies:
        head = {"v": 1, "type": kind, "run": run, "seq": numbers[0], "topic_seq": numbers[1]}
        payload = json.dumps({**body, **head}).encode()
        assert client.take([b"event/door/", payload])


@settings(max_examples=200, derandomize=True)
@given(frames=st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_are_no_message(frames: list[bytes]) -> None:
    client = Client()
    assert not client.take(frames)
    assert all(refusal.isprintable() for refusal in client.refusals)


VALUES = (
    None, True, -1, 10**30, -(10**23), 1e308, 0.1, "", "x" * 5_000, "\x1b[2J", "\x9b2J\u202e",
    "a\nb", "\ud800", [], {}, [[]], {"a": 1}, ["Siren"],
    {"event/door/": 10**24}, {"door": {"sound": []}},
)  # fmt: skip


def drawn(rng: random.Random, wholes: list[list[bytes]]) -> list[bytes]:
    """Damage a message as bytes, as JSON of other values in other places, or as frames."""
    topic, payload = rng.choice(wholes)
    kind = rng.randrange(4)
    if kind == 0:
        return [topic, damaged_bytes(payload, rng)]
    if kind == 1:
        return [damaged_bytes(topic, rng), payload]
    if kind == 2:
        frames = [topic, payload, b"", rng.randbytes(rng.randrange(40))]
        return [rng.choice(frames) for _ in range(rng.randrange(5))]
    body = json.loads(payload)
    for _ in range(rng.randint(1, 4)):
        place: Any = body
        while isinstance(place, dict) and place and rng.random() < 0.7:
            key = rng.choice([*place, rng.choice(FIELDS)])
            if not isinstance(place.get(key), dict) or rng.random() < 0.4:
                place[key] = copy.deepcopy(rng.choice(VALUES))
                break
            place = place[key]
    return [topic, json.dumps(body).encode()]


def test_messages_are_passed_over_or_printed_for_as_long_as_wanted() -> None:
    budget, wholes, n_taken = Budget("messages"), whole_messages(), 0
    client = Client()
    for rng in budget:
        n_taken += client.take(drawn(rng, wholes))
        assert all(refusal.isprintable() for refusal in client.refusals)
        client.refusals.clear()

    assert 0 < n_taken < budget.n_inputs
    assert budget.grown_mb < 50
