"""The moving log-mel: what is new comes once, in order, and what was missed is black."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.web.app import WebApp
from realtime.web.guard import Hosts
from realtime.web.heard import MAX_COLUMNS, Heard, NewestSound
from realtime.web.live import Live
from snapshots import make_snapshot
from web_site import COOKIE, Site, visit

RATE = 16_000


class Ring:
    """Sound that grows, of which the newest four seconds are there."""

    def __init__(self) -> None:
        self.samples: NDArray[np.float32] = np.zeros(0, np.float32)
        self.asked_from: list[int] = []

    def hear(self, seconds: float, level: float) -> None:
        noise = np.random.default_rng(1).uniform(-level, level, round(seconds * RATE))
        self.samples = np.concatenate([self.samples, noise.astype(np.float32)])

    def newest(self, source: str, from_index: int) -> NewestSound | None:
        if source != "hall" or not len(self.samples):
            return None
        self.asked_from.append(from_index)
        first = max(from_index, len(self.samples) - 4 * RATE)
        return NewestSound(first, self.samples[first:])


def columns_of(told: dict[str, Any] | None) -> NDArray[np.uint8]:
    assert told is not None
    flat = np.frombuffer(base64.b64decode(str(told["columns"])), np.uint8)
    return flat.reshape(-1, int(told["bands"]))


def test_what_is_new_comes_once_and_as_if_heard_whole() -> None:
    ring, whole = Ring(), Ring()
    heard = Heard(ring.newest)
    after, parts = 0, []
    for _ in range(10):
        ring.hear(0.3, 0.5)
        told = heard.since("hall", after)
        assert told is not None
        after = int(str(told["end"]))
        parts.append(columns_of(told))
    whole.samples = ring.samples
    at_once = columns_of(Heard(whole.newest).since("hall", 0))
    np.testing.assert_array_equal(np.concatenate(parts), at_once)
    assert len(columns_of(heard.since("hall", after))) == 0
    assert ring.asked_from[-1] > 2.9 * RATE  # nothing is computed twice


def test_a_second_page_gets_what_the_first_one_had() -> None:
    ring = Ring()
    ring.hear(2.0, 0.5)
    heard = Heard(ring.newest)
    np.testing.assert_array_equal(
        columns_of(heard.since("hall", 0)), columns_of(heard.since("hall", 0))
    )


def test_what_was_missed_between_two_looks_is_black_and_bounded() -> None:
    ring = Ring()
    heard = Heard(ring.newest)
    ring.hear(1.0, 0.5)
    first = heard.since("hall", 0)
    assert first is not None
    ring.hear(5.0, 0.5)  # four of them are there
    columns = columns_of(heard.since("hall", int(str(first["end"]))))
    is_black = columns.max(axis=1) == 0
    assert 95 <= is_black.sum() <= 105
    assert is_black[:90].all()
    ring.hear(500.0, 0.5)
    assert len(columns_of(heard.since("hall", 0))) == MAX_COLUMNS
    assert len(columns_of(heard.since("hall", 10**9))) == MAX_COLUMNS  # it asked another run


def test_page_is_told_and_nonsense_refused(tmp_path: Path) -> None:
    ring, site = Ring(), Site(tmp_path)
    app = WebApp(
        live=Live(make_snapshot, lambda source: None, site.clock),
        heard=Heard(ring.newest), past=None, known_labels=(), hosts=Hosts("127.0.0.1", ()),
        password=None, cookie=COOKIE, clock=site.clock,
    )  # fmt: skip
    visitor = visit(app)
    assert visitor.get("/api/sources/hall/log-mel").status_code == 404
    ring.hear(1.0, 0.5)
    assert len(columns_of(visitor.get("/api/sources/hall/log-mel").json())) == 98
    for nonsense in ("-1", "1e3", "x", "9" * 30, "²"):
        assert visitor.get(f"/api/sources/hall/log-mel?after={nonsense}").status_code == 400
    assert visitor.get("/api/sources/none/log-mel").status_code == 404
