"""Downloading one file over HTTP: resumed where it broke off, whole or not there at all.

What has arrived is kept in `NAME.part`, and beside it the server's validator (ETag or date), so
that a resumed download never joins two versions of a file. Google Drive's question about large
files is answered once. Nothing is judged here but the transfer; hashes are the caller's.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from weights.errors import FetchError
from weights.web_page import WebPage

Progress = Callable[[int, int | None], None]
_TIMEOUT_S = 30.0
_READ_BYTES = 1 << 18
_PAGE_BYTES = 1 << 20  # of a web page; Drive's question has 2.4 kB
_MAX_BYTES = 2 << 30  # the largest file known has 0.3 GB


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to another place, but never from an encrypted one to an open one."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Build the next request, as the standard library does.

        Raises:
            FetchError: The new place is neither http nor https, or no longer encrypted.
        """
        scheme = urlsplit(newurl).scheme.lower()
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise FetchError(
                f"{req.full_url}: the server leads to {scheme}, which is not safe: "
                "download the file elsewhere and give it with --from"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Make what opens http and https and nothing else: no ftp, no files, no data in addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        Redirects(),
    ):
        opener.add_handler(handler)
    return opener


OPENER = _opener()
_PAGE = (
    "the server sent a web page instead of the file ({title}; a quota or a sign-in, as a rule): "
    "download it in a browser and give the file with --from"
)


def download(url: str, target: Path, progress: Progress) -> None:
    """Bring a file to ``target``.

    Args:
        url: http or https.
        target: Where it lands when it is whole; `target.part` is where it grows.
        progress: Called with the bytes there and the bytes in all, or None where that is unknown.

    Raises:
        FetchError: One sentence; where something arrived, calling again goes on from there.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"{url}: only http and https are fetched")
    part = target.with_name(f"{target.name}.part")
    validator = target.with_name(f"{target.name}.validator")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        asked = _receive(url, part, validator, progress)
        if asked is not None and _receive(asked, part, validator, progress) is not None:
            raise FetchError(_PAGE.format(title="a second question"))
        part.replace(target)
        validator.unlink(missing_ok=True)
    except urllib.error.HTTPError as error:
        raise FetchError(f"{url}: the server answered {error.code} {error.reason}") from error
    except (urllib.error.URLError, TimeoutError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise FetchError(
            f"cannot download {url} ({reason}): try again, or download it elsewhere "
            "and give the file with --from"
        ) from error
    except OSError as error:
        raise FetchError(f"cannot write {part} ({error.strerror or error})") from error


def _receive(url: str, part: Path, validator: Path, progress: Progress) -> str | None:
    # Returns where a page's download form leads, if a page came that has one.
    headers = {"User-Agent": "mafnet-live"}
    n_there = part.stat().st_size if part.is_file() and validator.is_file() else 0
    if n_there:
        headers["Range"] = f"bytes={n_there}-"
        headers["If-Range"] = validator.read_text(encoding="latin-1")
    request = urllib.request.Request(url, headers=headers)
    try:
        with OPENER.open(request, timeout=_TIMEOUT_S) as response:
            if response.headers.get_content_type() == "text/html":
                return _form_of(response, response.url)
            _append(response, response.status, response.headers, part, validator, progress)
            return None
    except urllib.error.HTTPError as error:
        if error.code != 416 or not n_there:  # "range not satisfiable": what is there is no start
            raise
        error.close()
        part.unlink()
        return _receive(url, part, validator, progress)


def _form_of(response: IO[bytes], url: str) -> str:
    page = WebPage(response.read(_PAGE_BYTES).decode("utf-8", "replace"), url)
    address = page.address()
    if address is None:
        raise FetchError(_PAGE.format(title=page.title or "untitled"))
    return address


def _append(
    response: IO[bytes],
    status: int,
    headers: http.client.HTTPMessage,
    part: Path,
    validator: Path,
    progress: Progress,
) -> None:
    resumed = status == 206
    n_there = part.stat().st_size if resumed else 0
    if resumed and not (headers.get("Content-Range") or "").startswith(f"bytes {n_there}-"):
        raise FetchError("the server resumed at another place than asked: try again")
    length = headers.get("Content-Length")
    n_total = n_there + int(length) if length and length.isdigit() else None
    if n_total is not None and n_total > _MAX_BYTES:
        raise FetchError(f"the server announces {n_total} bytes; no file here is that large")
    mark = _validator_of(headers)
    if mark is None:
        validator.unlink(missing_ok=True)
    else:
        validator.write_text(mark, encoding="latin-1")
    with part.open("ab" if resumed else "wb") as file:
        while data := response.read(_READ_BYTES):
            file.write(data)
            n_there += len(data)
            if n_there > _MAX_BYTES:
                raise FetchError("the server sends without end")
            progress(n_there, n_total)
    if n_total is not None and n_there != n_total:
        raise FetchError(
            f"the connection ended at {n_there} of {n_total} bytes: run it again to go on there"
        )


def _validator_of(headers: http.client.HTTPMessage) -> str | None:
    etag = headers.get("ETag")
    if etag and not etag.startswith("W/"):  # a weak ETag may not be used to resume
        return etag
    return headers.get("Last-Modified")
