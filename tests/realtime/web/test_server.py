"""The page's thread: what it binds, whom it hangs up on, that it ends."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from realtime.config import WebConfig
from realtime.errors import OutputError, UsageError
from realtime.swap_state import SwapState
from realtime.web import answers, server
from realtime.web.server import MAX_CONNECTIONS, SILENT_S, WebPage
from web_site import Site

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def page(site: Site) -> Iterator[WebPage]:
    page = site.page()
    yield page
    assert page.close(5.0)
    assert page.close(0.0)  # again


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def ask(port: int, path: str = "/") -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return int(answer.status)


def test_page_is_served_and_its_port_is_free_afterwards(site: Site) -> None:
    page = site.page()
    port = page.open()
    assert ask(port) == 200
    assert page.close(5.0)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert not [thread for thread in threading.enumerate() if thread.name == "web"]


def test_taken_port_is_one_sentence(page: WebPage, site: Site) -> None:
    port = page.open()
    config = WebConfig(bind=f"127.0.0.1:{port}")
    other = WebPage(
        config, view=lambda: None, newest_frame=lambda source: None,
            newest_sound=lambda source, from_index: None, history=None,
        recordings=None, known_labels=tuple, bundle="starter",
            bundle_state=lambda: SwapState(bundle="b"), take_bundle=lambda name: None,
            clock=site.clock,
    )  # fmt: skip
    with pytest.raises(OutputError, match="is taken by another program"):
        other.open()
    other.close(0.0)


@pytest.mark.parametrize("bind", ["0.0.0.0:8080", "192.0.2.1:80", "[::]:8080", "eth0:1"])
def test_address_that_others_reach_wants_a_password(bind: str) -> None:
    with pytest.raises(UsageError, match="--web-password-file"):
        WebConfig(bind=bind)
    WebConfig(bind=bind, password_file="password")


@pytest.mark.parametrize("bind", ["", "8080", "127.0.0.1", "127.0.0.1:x", "h:99999", "::1:8080"])
def test_what_is_no_address_is_refused(bind: str) -> None:
    with pytest.raises(UsageError, match=r"--web wants an address|stands in brackets"):
        WebConfig(bind=bind)


@pytest.mark.parametrize("host", ["", "a:b:c", "[x", "cam.example:8080"])
def test_what_is_no_name_of_a_host_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="is a name such as"):
        WebConfig(bind="127.0.0.1:8080", hosts=(host,))


def test_who_says_nothing_or_says_it_slowly_is_hung_up_on(
    page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SILENT_S", 0.5)
    port = page.open()
    with ExitStack() as both:
        silent, slow = (both.enter_context(closing(connect(port))) for _ in range(2))
        began_s = time.monotonic()
        with suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() - began_s < 20:
                slow.sendall(b"G")
                time.sleep(0.05)
        assert time.monotonic() - began_s < 10
        with suppress(ConnectionResetError):  # as good as an end
            assert silent.recv(10) == b""
    assert ask(port) == 200


def test_body_that_does_not_come_is_not_waited_for(
    page: WebPage, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "BODY_S", 0.3)
    with closing(connect(page.open())) as visitor:
        visitor.sendall(
            f"POST /api/events/{site.ids[0]}/verdict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"ver'.encode()
        )
        assert visitor.recv(100).startswith(b"HTTP/1.1 408")


def test_fault_of_the_server_is_said_and_ends_no_run(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(self: object, sockets: object = None) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(server._Server, "serve", fail)
    page = site.page()
    page.open()
    assert page.close(10.0)
    assert "the run goes on" in caplog.text
    assert "a fault of ours" in caplog.text


def test_crowd_takes_no_more_than_its_connections(page: WebPage) -> None:
    port = page.open()
    n_threads = threading.active_count()
    with ExitStack() as crowd:
        sockets = [crowd.enter_context(closing(connect(port))) for _ in range(MAX_CONNECTIONS + 40)]
        sockets[-1].settimeout(SILENT_S / 2)
        with suppress(ConnectionResetError):
            assert sockets[-1].recv(10) == b""  # at once, not after SILENT_S
        assert threading.active_count() <= n_threads + 1
    while True:  # until it has seen that they went; the test's time-out ends it
        try:
            assert ask(port) == 200
        except OSError:
            time.sleep(0.05)
        else:
            break


def test_close_waits_for_no_watcher_and_no_film_that_stands_still(site: Site) -> None:
    (site.recordings / "2026-01-02" / "a.mp4").write_bytes(bytes(50_000_000))
    page = site.page()
    port = page.open()
    with ExitStack() as both:
        for path in ("/api/live/stream", f"/api/events/{site.ids[0]}/clip"):
            visitor = both.enter_context(closing(connect(port)))
            visitor.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert visitor.recv(12) == b"HTTP/1.1 200"
        began_s = time.monotonic()
        assert page.close(5.0)
        assert time.monotonic() - began_s < 2.0  # most of a second is a loaded machine's


def test_page_of_a_run_that_is_still_loading_answers(site: Site) -> None:
    page = site.page(view=lambda: None)
    port = page.open()
    assert ask(port, "/api/live") == 200
    assert page.close(5.0)


def test_password_file_that_others_read_is_refused(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("scrypt:")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        site.page(password_file=file)
