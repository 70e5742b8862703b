"""What the page is told of what happened, and what it says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from realtime.web.past import DAY_MS
from web_site import CLIP, OUTSIDE, STARTED_MS, Site, visit


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def visitor(site: Site) -> TestClient:
    return visit(site.app())


def ids(visitor: TestClient, query: str) -> list[str]:
    answer = visitor.get(f"/api/events{query}")
    assert answer.status_code == 200, answer.text
    return [event["id"] for event in answer.json()["events"]]


def test_pages_follow_one_another_without_gap_or_repeat(site: Site, visitor: TestClient) -> None:
    found: list[str] = []
    before = ""
    while page := ids(visitor, f"?limit=5{before}"):
        found += page
        before = f"&before={page[-1]}"
    assert found == site.ids[::-1]
    answer = visitor.get(f"/api/events?limit=5&before={site.ids[9]}").json()
    assert (len(answer["events"]), answer["total"]) == (5, 9)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("?label=Siren", [12, 8, 4]),
        ("?label=siren&source=hall", []),
        ("?label=Bark&label=Siren&confidence=0.7", [8, 7, 4]),
        ("?source=hall&limit=2", [11, 9]),
        (f"?since={STARTED_MS + 100_000}", [12, 11, 10]),
        (f"?until={STARTED_MS + 20_000}", [1]),
        ("?reviewed=1", []),
    ],
)
def test_filters_hold_together(
    site: Site, visitor: TestClient, query: str, wanted: list[int]
) -> None:
    assert ids(visitor, query) == [site.ids[n - 1] for n in wanted]


@pytest.mark.parametrize(
    "query",
    [
        "?limit=x", "?limit=201", "?limit=-1", "?confidence=2", "?confidence=nan", "?since=1e3",
        "?until=999999999999999999", "?reviewed=yes", "?unknown=1", "?limit=٣",
        f"?before={'x' * 301}",
        "?" + "&".join(["label=a"] * 65), f"?label={'x' * 301}",
    ],
)  # fmt: skip
def test_question_that_nobody_can_answer_is_a_sentence(visitor: TestClient, query: str) -> None:
    answer = visitor.get(f"/api/events{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_event_has_its_evidence_and_says_whether_it_has_a_clip(
    site: Site, visitor: TestClient
) -> None:
    event = visitor.get(f"/api/events/{site.ids[0]}").json()
    assert (event["label"], event["source"]) == ("Male speech, man speaking", "hall")
    assert (event["picture"], event["sound"], event["pre_roll_s"]) == (0.25, 0.75, 5.0)
    assert (event["has_clip"], event["is_recording"]) == (True, False)
    running = visitor.get(f"/api/events/{site.ids[4]}").json()
    assert (running["has_clip"], running["is_recording"]) == (False, True)
    assert "recording" not in event  # where it lies is nobody's business
    assert visitor.get("/api/events/none").status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        (None, 200, CLIP),
        ("bytes=0-", 206, CLIP),
        ("bytes=100-199", 206, CLIP[100:200]),
        ("bytes=-10", 206, CLIP[-10:]),
        (f"bytes={len(CLIP)}-", 416, b""),
        ("bytes=9-3", 400, None),
        ("pages=1-2", 400, None),
    ],
)
def test_clip_is_sent_whole_or_in_part(
    site: Site, visitor: TestClient, asked: str | None, status: int, content: bytes | None
) -> None:
    headers = {} if asked is None else {"range": asked}
    answer = visitor.get(f"/api/events/{site.ids[0]}/clip", headers=headers)
    assert answer.status_code == status
    if content is not None:
        assert answer.content == content
    if status in (200, 206):
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_no_clip_lies_outside_of_the_folder_whatever_the_history_says(
    site: Site, visitor: TestClient, n: int
) -> None:
    answer = visitor.get(f"/api/events/{site.ids[n - 1]}/clip")
    assert answer.status_code == 404
    assert OUTSIDE not in answer.content


def test_time_line_has_each_label_s_day(site: Site, visitor: TestClient) -> None:
    site.rows("UPDATE events SET offset_ms = onset_ms + 3600000 WHERE id = ?", site.ids[3])
    visitor.post(f"/api/events/{site.ids[7]}/verdict", json={"verdict": "wrong"})
    until_ms = STARTED_MS + DAY_MS // 2
    day = visitor.get(f"/api/time-line?until={until_ms}").json()
    assert day["since_ms"] == until_ms - DAY_MS
    by_label = {row["label"]: row for row in day["labels"]}
    siren = by_label["Siren"]  # 4 and 12; 8 was wrong
    assert siren["events"] == 2
    assert len(siren["bins"]) == DAY_MS // day["bin_ms"] == 96
    assert siren["bins"][48:53] == [2, 1, 1, 1, 1]  # 4 lasts an hour
    assert sum(siren["bins"]) == 6
    today = visitor.get("/api/time-line").json()
    assert today["labels"] == []
    assert today["until_ms"] % day["bin_ms"] == 0  # filters know minutes
    assert visitor.get("/api/time-line?until=-1").status_code == 400


def test_verdicts_are_kept_and_taken_back(site: Site, visitor: TestClient) -> None:
    place = f"/api/events/{site.ids[0]}/verdict"
    assert visitor.post(place, json={"verdict": "right"}).status_code == 200
    other = {"verdict": "other", "label": "Kettle"}
    assert visitor.post(place, json=other).json() == {"verdict": "other", "corrected": "Kettle"}
    event = visitor.get(f"/api/events/{site.ids[0]}").json()
    assert (event["verdict"], event["corrected"]) == ("other", "Kettle")
    assert ids(visitor, "?label=Kettle") == ids(visitor, "?reviewed=1") == [site.ids[0]]
    assert "Kettle" in visitor.get("/api/names").json()["labels"]
    assert visitor.delete(place).json() == {"taken_back": True}
    assert visitor.get(f"/api/events/{site.ids[0]}").json()["verdict"] == "right"
    assert visitor.delete(place).json() == {"taken_back": True}
    assert visitor.delete(place).json() == {"taken_back": False}


@pytest.mark.parametrize(
    "said",
    [
        {}, {"verdict": "maybe"}, {"verdict": "other"}, {"verdict": "right", "label": "Kettle"},
        {"verdict": ["right"]}, {"verdict": "other", "label": 3},
        {"verdict": "other", "label": " "}, {"verdict": "other", "label": "x" * 301},
        {"verdict": "other", "label": "\ud800"},
        {"verdict": "other", "label": "a\nb"}, {"verdict": "other", "label": "\u202eevil"},
        [], 3,
    ],
)  # fmt: skip
def test_verdict_that_is_none_is_refused(site: Site, visitor: TestClient, said: object) -> None:
    headers = {"content-type": "application/json"}
    body = json.dumps(said)  # in ASCII: half a character is escaped
    answer = visitor.post(f"/api/events/{site.ids[0]}/verdict", content=body, headers=headers)
    assert answer.status_code == 400
    assert site.rows("SELECT * FROM corrections") == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 4000, b"\xff\xfe", b'{"verdict":"right"}' * 900]
)
def test_body_that_is_no_small_json_is_refused(
    site: Site, visitor: TestClient, body: bytes
) -> None:
    headers = {"content-type": "application/json"}
    answer = visitor.post(f"/api/events/{site.ids[0]}/verdict", content=body, headers=headers)
    assert answer.status_code in (400, 413)


def test_nothing_is_said_of_an_event_that_there_is_not(site: Site, visitor: TestClient) -> None:
    answer = visitor.post("/api/events/none/verdict", json={"verdict": "right"})
    assert answer.status_code == 400
    assert "no event none" in answer.json()["error"]
    assert visitor.delete("/api/events/none/verdict").status_code == 400


def test_history_that_is_gone_is_a_sentence_and_not_made_anew(
    site: Site, visitor: TestClient
) -> None:
    site.history.unlink()
    for path in ("/api/events", "/api/names", "/api/time-line", f"/api/events/{site.ids[0]}"):
        answer = visitor.get(path)
        assert (answer.status_code, "no history" in answer.json()["error"]) == (503, True)
    place = f"/api/events/{site.ids[0]}/verdict"
    assert visitor.post(place, json={"verdict": "right"}).status_code == 503
    assert not site.history.exists()
