import contextlib
import http.client
import http.server
import io
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from full_disk import room_for
from weights.download import OPENER, Redirects, download
from weights.errors import FetchError
from weights.web_page import WebPage

CONTENT = bytes(index % 251 for index in range(300_000))


class _Server(http.server.HTTPServer):
    etag = '"one"'
    stop_at: int | None = None
    content_type = "application/octet-stream"
    page: str | None = None  # what /ask answers
    ranges: list[str | None]
    paths: list[str]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        self.server.paths.append(self.path)
        if self.path.startswith("/ask") and self.server.page is not None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(self.server.page.encode())
            return
        if self.path.startswith("/elsewhere"):
            self.send_response(302)
            self.send_header("Location", self.path.partition("?")[2])
            self.end_headers()
            return
        if self.path.partition("?")[0] != "/file":
            self.send_error(404)
            return
        start = 0
        if wanted and self.headers.get("If-Range") == self.server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", self.server.content_type)
        self.send_header("ETag", self.server.etag)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(CONTENT[start : self.server.stop_at])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as running:
        running.ranges = []
        running.paths = []
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), name="http-server")
        thread.start()
        yield running
        running.shutdown()
        thread.join(timeout=5)


def _url(server: _Server, path: str = "/file") -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def _quiet(n_there: int, n_total: int | None) -> None:
    pass


def test_file_lands_whole_and_progress_is_told(server: _Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    download(_url(server), tmp_path / "store" / "file", lambda *step: told.append(step))
    assert (tmp_path / "store" / "file").read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["file"]


def test_broken_download_goes_on_where_it_ended(server: _Server, tmp_path: Path) -> None:
    server.stop_at = 100_000
    with pytest.raises(FetchError, match="run it again"):
        download(_url(server), tmp_path / "file", _quiet)
    assert not (tmp_path / "file").exists()
    server.stop_at = None

    download(_url(server), tmp_path / "file", _quiet)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


def test_download_goes_on_once_a_full_disk_has_room_again(server: _Server, tmp_path: Path) -> None:
    with room_for(100_000), pytest.raises(FetchError, match="cannot write") as caught:
        download(_url(server), tmp_path / "file", _quiet)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "file").exists()

    download(_url(server), tmp_path / "file", _quiet)

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_changed_file_is_downloaded_from_its_start(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"of another version")
    (tmp_path / "file.validator").write_text('"zero"')
    download(_url(server), tmp_path / "file", _quiet)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_part_that_is_too_long_is_thrown_away(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT + b"more")
    (tmp_path / "file.validator").write_text(server.etag)
    download(_url(server), tmp_path / "file", _quiet)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_web_page_in_place_of_the_file_is_told(server: _Server, tmp_path: Path) -> None:
    server.content_type = "text/html; charset=utf-8"
    with pytest.raises(FetchError, match="a web page instead of the file"):
        download(_url(server), tmp_path / "file", _quiet)
    assert list(tmp_path.iterdir()) == []


# As Drive asks about large files, shortened.
QUESTION = (
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
    '<p><a href="/open?id=the-file">model.zip</a> (129M) is too large for Google to scan.</p>'
    '<form id="download-form" action="{action}" method="get">'
    '<input type="submit" id="uc-download-link" value="Download anyway"/>'
    '<input type="hidden" name="id" value="the-file"><input type="hidden" name="confirm" value="t">'
    '<input type="hidden" name="uuid" value="1-2&amp;3"></form></body></html>'
)


def test_question_about_a_large_file_is_answered(server: _Server, tmp_path: Path) -> None:
    server.page = QUESTION.format(action="/file?export=download&amp;id=another")
    download(_url(server, "/ask?id=the-file"), tmp_path / "file", _quiet)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.paths[-1] == "/file?export=download&id=the-file&confirm=t&uuid=1-2%263"


def test_download_behind_a_question_goes_on_where_it_ended(server: _Server, tmp_path: Path) -> None:
    server.page, server.stop_at = QUESTION.format(action="/file"), 100_000
    with pytest.raises(FetchError, match="run it again"):
        download(_url(server, "/ask"), tmp_path / "file", _quiet)
    server.stop_at = None
    download(_url(server, "/ask"), tmp_path / "file", _quiet)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=100000-"


def test_question_is_answered_once(server: _Server, tmp_path: Path) -> None:
    server.page = QUESTION.format(action="/ask")
    with pytest.raises(FetchError, match="a second question"):
        download(_url(server, "/ask"), tmp_path / "file", _quiet)
    assert len(server.paths) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("action", ["https://elsewhere.example/file", "file:///etc/passwd"])
def test_form_that_leads_elsewhere_is_not_followed(
    server: _Server, tmp_path: Path, action: str
) -> None:
    server.page = QUESTION.format(action=action)
    with pytest.raises(FetchError, match="Virus scan warning"):
        download(_url(server, "/ask"), tmp_path / "file", _quiet)


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<title>Google Drive -\n Quota exceeded</title>", "Google Drive - Quota exceeded"),
        ("", "untitled"),
        ("<form id='login' action='/file'>", "untitled"),
    ],
)
def test_page_without_a_download_form_is_told_by_its_title(
    server: _Server, tmp_path: Path, page: str, told: str
) -> None:
    server.page = page
    with pytest.raises(FetchError) as caught:
        download(_url(server, "/ask"), tmp_path / "file", _quiet)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_drives_two_hosts_trust_one_another() -> None:
    page = QUESTION.format(action="https://drive.usercontent.google.com/download")
    asked = WebPage(page, "https://drive.google.com/uc?id=the-file").address()
    assert asked == (
        "https://drive.usercontent.google.com/download?id=the-file&confirm=t&uuid=1-2%263"
    )
    assert WebPage(page, "https://drive.google.com.example/uc").address() is None


def test_servers_refusal_is_one_sentence(server: _Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="answered 404"):
        download(_url(server, "/other"), tmp_path / "file", _quiet)


def test_unreachable_server_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="give the file with --from"):
        download("http://127.0.0.1:9/file", tmp_path / "file", _quiet)


def test_only_the_web_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="only http and https"):
        download("file:///etc/passwd", tmp_path / "file", _quiet)


def test_redirect_within_the_web_is_followed(server: _Server, tmp_path: Path) -> None:
    download(_url(server, "/elsewhere?/file"), tmp_path / "file", _quiet)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "place", ["ftp://127.0.0.1:1/file", "file:///etc/passwd", "data:text/plain,x", "gopher://x/"]
)
def test_redirect_out_of_the_web_is_refused(server: _Server, tmp_path: Path, place: str) -> None:
    with pytest.raises(FetchError):
        download(_url(server, f"/elsewhere?{place}"), tmp_path / "file", _quiet)
    assert not (tmp_path / "file").exists()


def test_redirect_from_an_encrypted_place_to_an_open_one_is_refused() -> None:
    request = urllib.request.Request("https://weights.example/file")
    with pytest.raises(FetchError, match="leads to http, which is not safe"):
        Redirects().redirect_request(
            request, io.BytesIO(), 302, "Found", http.client.HTTPMessage(), "http://mirror.example/"
        )


@pytest.mark.parametrize("scheme", ["ftp", "file", "data"])
def test_only_the_web_is_opened(scheme: str) -> None:
    with pytest.raises(urllib.error.URLError, match="unknown url type"):
        OPENER.open(f"{scheme}://127.0.0.1/file", timeout=5)
