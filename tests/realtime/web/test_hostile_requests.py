"""Five hundred hostile requests over real sockets: no traceback, nothing told, nothing outside."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from realtime.web.passwords import write_password
from web_site import COOKIE, OUTSIDE, PASSWORD, Site

pytestmark = pytest.mark.timeout(280)

N_REQUESTS = 500
PATHS = [
    "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
    "/static/../server.py", "/live.js/../../server.py", "/%00", "/live.js%00.html", "/\\..\\..\\x",
    "/api/events/..%2f..%2foutside.mp4/clip", "/api/events/%2e%2e/clip", "/api/events/%00/clip",
    "/api/events/%ff%fe/clip", "/api/events/'%20OR%201=1--/clip", "/api/events//clip",
    "/api/events?label='%20OR%201=1--", "/api/events?label=%00", "/api/events?limit=99999999999999",
    "/api/events?confidence=inf", "/api/events?since=-1", "/api/events?before=%ff",
    "/api/events?" + "&".join(f"label={n}" for n in range(2000)), "/" + "a" * 15_000,
    "/api/time-line?until=" + "9" * 400, "/api/sources/..%2f..%2fx/picture", "/api/live/stream/..",
    "/api/names?" + "%41" * 3000, "/events/", "/review;x=1", "*", "http://evil.example/", "",
    "/api/events/{0}", "/api/events/{0}/clip", "/api/events/{1}/clip", "/api/events/{2}/clip",
    "/api/events/{3}/clip", "/api/events/{0}/verdict", "/api/log-in", "/api/log-out", "/api/live",
]  # fmt: skip
METHODS = [
    *["GET"] * 20, *["POST"] * 5, "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT",
    "PROPFIND", "get", "G" * 300, "GET\x00", "",
]  # fmt: skip
HEADERS = [
    "Range: bytes=0-", "Range: bytes=-1", "Range: bytes=99999999999999999999-", "Range: bytes=5-1",
    "Range: bytes=" + ",".join(f"{n}-{n}" for n in range(1500)), "Range: lines=1-2", "Range: \xff",
    "Range: bytes=0-0,-1", "Range: bytes=" + "9" * 5000 + "-", "If-Range: \"x\"",
    f"Cookie: {COOKIE}=../../x", f"Cookie: {COOKIE}=" + "A" * 8000, "Cookie: \xff\xfe=;;;===",
    f"Cookie: {COOKIE}=a; {COOKIE}=b", "Content-Length: -5", "Content-Length: 99999999999",
    "Content-Length: 3\r\nContent-Length: 4", "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked", "Content-Encoding: gzip", "Expect: 100-continue",
    "Content-Type: application/json", "Content-Type: multipart/form-data; boundary=" + "x" * 500,
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x", "Accept: \x00",
    "X: " + "y" * 20_000, "Origin: null", "Sec-Fetch-Site: cross-site", "no colon", " : ",
    "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: evil.example", "Accept-Encoding: \xff",
]  # fmt: skip
VERSIONS = [*["HTTP/1.1"] * 8, "HTTP/1.0", "HTTP/9.9"]
HOSTS = ["127.0.0.1"] * 20 + ["localhost", "evil.example", "", "[::1", "\xff"]
BODIES = [
    b"", b"", b"{", b"\xff\xfe\x00", b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"[" * 9000,
    b'{"password": {"a": 1}}', b'{"password": "' + b"x" * 9000 + b'"}', b'{"verdict": "\\ud800"}',
    b'{"verdict": "other", "label": "' + b"y" * 400 + b'"}', b"a" * 200_000,
]  # fmt: skip


def request(dice: random.Random, ids: list[str]) -> bytes:
    path = dice.choice(PATHS).format(*ids)
    head = [f"{dice.choice(METHODS)} {path} {dice.choice(VERSIONS)}"]
    head.append(f"Host: {dice.choice(HOSTS)}")
    head += dice.sample(HEADERS, dice.choice([0, 1, 1, 2, 3]))
    body = dice.choice(BODIES)
    if body and dice.random() < 0.7:
        head += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
    head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def answer_to(port: int, asked: bytes) -> bytes:
    """Return what is answered until it hangs up, or says nothing for a while."""
    with socket.create_connection(("127.0.0.1", port), 10) as visitor:
        visitor.settimeout(0.5)
        answer = b""
        try:
            visitor.sendall(asked)
            while part := visitor.recv(65_536):
                answer += part
        except (TimeoutError, OSError):  # it waits for more of us, or has hung up already
            pass
        return answer


@pytest.mark.parametrize("is_locked", [True, False], ids=["with password", "without"])
def test_hostile_requests_get_nothing_and_break_nothing(
    tmp_path: Path,
    is_locked: bool,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    site = Site(tmp_path)
    file = tmp_path / "password"
    write_password(file, PASSWORD)
    page = site.page(password_file=file if is_locked else None)
    port = page.open()
    dice = random.Random(20)
    statuses: set[int] = set()
    try:
        for _ in range(N_REQUESTS):
            asked = request(dice, site.ids)
            answer = answer_to(port, asked)
            assert OUTSIDE not in answer, asked[:300]
            assert b"Traceback" not in answer, asked[:300]
            assert b"root:" not in answer, asked[:300]
            if answer:
                status = int(answer.split(b" ", 2)[1])
                assert status < 500 or status == 503, (asked[:300], answer[:300])
                statuses.add(status)
            if is_locked:
                assert not any(word in answer for word in (b"Siren", b"hall", b"yard", b"camera-0"))
        good = answer_to(port, b"GET /log-in HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert good.startswith(b"HTTP/1.1 200" if is_locked else b"HTTP/1.1 404")
    finally:
        assert page.close(5.0)
    assert statuses >= {303, 400, 401, 403} if is_locked else statuses >= {200, 400, 403, 404, 405}
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert "Traceback" not in capfd.readouterr().err
    assert site.rows("SELECT count(*) FROM events") == [(12,)]
