"""Who gets an answer: names, other sites, sessions, tries at the password."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from realtime.clock import NS_PER_S
from realtime.web.guard import HEADERS, Hosts
from realtime.web.passwords import PasswordHash
from realtime.web.sessions import IDLE_NS, MAX_ADDRESSES, MAX_SESSIONS, LogInRate, Sessions
from web_site import COOKIE, PASSWORD, Site, visit


@pytest.fixture(scope="module")
def password() -> PasswordHash:
    return PasswordHash.of(PASSWORD)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def locked(site: Site, password: PasswordHash) -> TestClient:
    return visit(site.app(password=password))


def log_in(visitor: TestClient, password: str = PASSWORD) -> int:
    return visitor.post("/api/log-in", json={"password": password}).status_code


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_loopback_answers_for_its_own_names(site: Site, host: str) -> None:
    assert visit(site.app()).get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", "[::1", "127.0.0.1, evil", ""]
)
def test_another_name_that_leads_here_gets_nothing(site: Site, host: str) -> None:
    for path in ("/", "/api/live", "/api/events"):
        answer = visit(site.app()).get(path, headers={"host": host})
        assert answer.status_code == 403
        assert "Siren" not in answer.text


def test_two_hosts_are_none(site: Site) -> None:
    headers = [("host", "127.0.0.1"), ("host", "evil.example")]
    assert visit(site.app()).get("/", headers=headers).status_code == 403


def test_beyond_loopback_addresses_and_named_hosts_are_answered() -> None:
    hosts = Hosts("0.0.0.0", ("cam.example",))
    assert all(map(hosts.has, ["192.0.2.7:8080", "[2001:db8::1]", "cam.example", "localhost:1"]))
    assert not any(map(hosts.has, ["evil.example", "", "cam.example.evil.example"]))


@pytest.mark.parametrize("site_of", ["cross-site", "same-site"])
def test_a_page_of_another_site_reads_nothing_and_sends_nothing(site: Site, site_of: str) -> None:
    visitor = visit(site.app())
    headers = {"sec-fetch-site": site_of, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "video"}
    for path in ("/", "/live.js", "/api/live", f"/api/events/{site.ids[0]}/clip"):
        assert visitor.get(path, headers=headers).status_code == 403
    verdict = f"/api/events/{site.ids[0]}/verdict"
    assert visitor.post(verdict, json={"verdict": "right"}, headers=headers).status_code == 403
    assert visitor.post(verdict, content='{"verdict":"right"}').status_code == 415
    assert site.rows("SELECT * FROM corrections") == []


def test_a_link_from_another_site_leads_to_a_page_and_to_no_figures(site: Site) -> None:
    headers = {
        "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document",
    }  # fmt: skip
    visitor = visit(site.app())
    assert visitor.get("/events", headers=headers).status_code == 200
    assert visitor.get("/api/events", headers=headers).status_code == 403
    framed = {**headers, "sec-fetch-dest": "iframe"}
    assert visitor.get("/events", headers=framed).status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/live", "/nothing", "/api/events?limit=x"])
def test_every_answer_has_the_headers_that_keep_others_out(site: Site, path: str) -> None:
    answer = visit(site.app()).get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


def test_no_page_holds_a_script_or_a_style_of_its_own(site: Site) -> None:
    visitor = visit(site.app())
    for path in ("/", "/events", "/review"):
        text = visitor.get(path).text
        assert "<script>" not in text
        assert "<style" not in text
        assert "style=" not in text
        assert " on" not in "".join(part.split(">")[0] for part in text.split("<")[1:])


def test_nothing_without_the_password_but_the_way_in(locked: TestClient, site: Site) -> None:
    for path in ("/", "/events", "/review", f"/live.js?{site.ids[0]}"):
        answer = locked.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/log-in")
    for path in ("/api/live", "/api/live/stream", "/api/events", "/api/names"):
        assert locked.get(path).status_code == 401
    assert locked.get(f"/api/events/{site.ids[0]}/clip").status_code == 401
    assert locked.post(f"/api/events/{site.ids[0]}/verdict", json={}).status_code == 401
    assert locked.get("/api/session").json() == {"password": True, "in": False}
    for path in ("/log-in", "/log_in.js", "/page.js", "/style.css", "/icon.svg"):
        assert locked.get(path).status_code == 200


def test_who_knows_the_password_is_in_until_the_log_out(locked: TestClient) -> None:
    answer = locked.post("/api/log-in", json={"password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    token = locked.cookies[COOKIE]
    assert locked.get("/api/events").status_code == 200
    assert locked.get("/api/session").json() == {"password": True, "in": True}
    assert locked.post("/api/log-out", json={}).status_code == 200
    locked.cookies.set(COOKIE, token)  # kept by somebody
    assert locked.get("/api/events").status_code == 401


@pytest.mark.parametrize("wrong", ["", "correct horse", PASSWORD.upper(), "x" * 5000])
def test_wrong_password_lets_nobody_in(locked: TestClient, wrong: str) -> None:
    assert log_in(locked, wrong) == 403
    assert not locked.cookies
    assert locked.get("/api/events").status_code == 401


def test_a_made_up_cookie_lets_nobody_in(locked: TestClient) -> None:
    for cookie in (f"{COOKIE}=", f"{COOKIE}=" + "a" * 43, "x" * 4000, f"{COOKIE}=\xff", ";;==;"):
        headers = {"cookie": cookie.encode("latin-1")}
        assert locked.get("/api/events", headers=headers).status_code == 401


def test_the_password_may_be_tried_so_often(site: Site, password: PasswordHash) -> None:
    app = site.app(password=password)
    visitor = visit(app, address="192.0.2.1")
    assert [log_in(visitor, "wrong password") for _ in range(6)] == [403] * 5 + [429]
    answer = visitor.post("/api/log-in", json={"password": PASSWORD})  # also who knows it waits
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert log_in(visit(app, address="192.0.2.2")) == 200
    site.clock.advance(10 * NS_PER_S)
    assert log_in(visitor) == 200


def test_a_crowd_of_addresses_tries_no_oftener_than_all_together(site: Site) -> None:
    rate = LogInRate(site.clock)
    waits = [rate.wait_s(f"192.0.{n // 200}.{n % 200}") for n in range(100)]
    assert (waits[:30], min(waits[30:]) > 0) == ([0.0] * 30, True)


def test_addresses_of_one_home_are_one(site: Site) -> None:
    rate = LogInRate(site.clock)
    waits = [rate.wait_s(f"2001:db8::{n:x}") for n in range(1, 8)]
    assert waits[:5] == [0.0] * 5
    assert min(waits[5:]) > 0


def test_what_is_kept_of_visitors_is_bounded(site: Site) -> None:
    rate, sessions = LogInRate(site.clock), Sessions(site.clock)
    for n in range(MAX_ADDRESSES + 100):
        site.clock.advance(NS_PER_S)
        rate.wait_s(f"10.{n // 65536}.{n // 256 % 256}.{n % 256}")
    tokens = [sessions.begin() for _ in range(MAX_SESSIONS + 1)]
    assert len(rate._due_ns) == MAX_ADDRESSES
    assert [sessions.holds(token) for token in (tokens[0], tokens[1], tokens[-1])] == [
        False,
        True,
        True,
    ]


def test_session_ends_when_nobody_comes(site: Site) -> None:
    sessions = Sessions(site.clock)
    token = sessions.begin()
    for _ in range(3):
        site.clock.advance(IDLE_NS - 1)
        assert sessions.holds(token)
    site.clock.advance(IDLE_NS)
    assert not sessions.holds(token)
