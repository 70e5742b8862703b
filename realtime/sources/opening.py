"""How FFmpeg is asked to open a file or URL, and what is said when it cannot.

A stream that plays by itself and a recording want different options. Nothing of either may be
thrown away: what FFmpeg reads to find out what there is (seconds of it) is kept, so a camera with
15 s between key frames shows its first picture from the key frame that was read while it opened.

A recording on a server that hands out no parts of it may need to be read out of order (an MP4 whose
index lies at its end). It is copied into a temporary file without a name first.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import IO, Any

from extractors.decoding.opening import METADATA_ERRORS, input_options, open_file
from extractors.errors import reason_of
from realtime.addresses import is_network
from realtime.config import MIN_READ_TIMEOUT_S, TRANSPORTS
from realtime.errors import LibraryMissing, SourceError
from realtime.redaction import redacted_location

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0
RECORDING_TIMEOUT_S = 30.0  # nobody waits for the newest of a recording
PLAYLIST_TIMEOUT_S = 60.0  # between two parts; a server that is gone is noticed at once
PLAYLISTS = ("hls", "dash")
_RTSP_NAMES = {"multicast": "udp_multicast"}  # FFmpeg's, where they differ
# A request for a part says where it ends, at more bytes than there are. Where it does not, FFmpeg
# 8.1 loses what it has read when it goes back: of 62 pictures in an MP4 came 32 (PyAV 18.1).
_HTTP_OPTIONS = {"request_size": str(10**12)}
_RECORDING_OPTIONS = {"reconnect": "1", "reconnect_delay_max": "8"}  # a server that grew impatient
_CLEAR_S = 0.5  # a server says 503 while it still puts the refused session away
_SPOOL_BLOCK = 1 << 16
_SPOOL_LOOK = 16 << 20  # bytes copied between two looks at the disk
_SPOOL_RESERVE = 256 << 20  # bytes that others may need; the temporary folder may lie in memory


def import_av() -> Any:
    """Return PyAV, which says nothing by itself.

    Raises:
        LibraryMissing: It cannot be loaded.
    """
    try:
        import av
        import av.error
    except ImportError as error:
        raise LibraryMissing(
            f"files and streams need the package av (PyAV), which cannot be loaded: {error}; "
            "run `pip install av`"
        ) from error
    av.logging.set_level(None)  # a broken packet is counted, not printed
    return av


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedMedia:
    """What was opened.

    Attributes:
        container: PyAV's.
        file: Where its copy lies, if it was copied.
        ahead: Packets that were read meanwhile.
    """

    container: Any
    file: IO[bytes] | None = None
    ahead: list[Any] = field(default_factory=list)

    def close(self) -> None:
        """Close all of it. May be called again."""
        self.container.close()
        if self.file is not None:
            self.file.close()


def open_source(
    av: Any, location: str, *, live: bool, transport: str, read_timeout_s: float
) -> OpenedMedia:
    """Open a file or URL so that it can be read; arguments and errors as of `open_location`.

    A recording on a server that hands out no parts of it is copied.
    """
    container = open_location(
        av, location, live=live, transport=transport, read_timeout_s=read_timeout_s
    )
    if live or not is_network(location):
        return OpenedMedia(container=container)
    ahead = _first_packet(av, container)
    if ahead or not location.startswith(("http://", "https://", "ftp://")):
        return OpenedMedia(container=container, ahead=ahead)
    container.close()
    file = spool(av, location)
    try:
        return OpenedMedia(container=open_location(av, location, live=False, file=file), file=file)
    except SourceError:
        file.close()
        raise


def _first_packet(av: Any, container: Any) -> list[Any]:
    try:
        packet = next(container.demux(), None)
    except (av.error.FFmpegError, OSError, ValueError, IndexError):
        return []
    is_end = packet is None or (packet.dts is None and not packet.size)
    return [] if is_end else [packet]


def open_location(
    av: Any,
    location: str,
    *,
    live: bool,
    transport: str = "auto",
    read_timeout_s: float = MIN_READ_TIMEOUT_S,
    open_timeout_s: float = OPEN_TIMEOUT_S,
    file: IO[bytes] | None = None,
    from_byte: int = 0,
) -> Any:
    """Open a file or URL.

    Args:
        av: PyAV.
        location: Path or URL.
        live: Whether it plays by itself, as far as that is known.
        transport: How RTSP sends: one of `TRANSPORTS`; `auto` is TCP, or UDP where that is refused.
        read_timeout_s: How long a live sender may be silent.
        open_timeout_s: How long each of the two steps of an opening may take.
        file: Where its copy lies, if it was copied.
        from_byte: Of a recording: what lies before is passed over.

    Returns:
        PyAV's input container.

    Raises:
        SourceError: It cannot be opened.
    """
    read_s = read_timeout_s if live else RECORDING_TIMEOUT_S
    if live and is_playlist(location):
        read_s = max(read_s, PLAYLIST_TIMEOUT_S)
    began = time.monotonic()
    options = input_options(from_byte)
    try:
        if file is not None or not is_network(location):
            return open_file(location if file is None else file, from_byte)
        if is_rtsp(location):
            return _open_rtsp(av, location, transport, (open_timeout_s, read_s))
        opened = _open(av, location, live, (open_timeout_s, read_s), options)
        if live and opened.format.name in PLAYLISTS and read_s < PLAYLIST_TIMEOUT_S:
            opened.close()  # its address did not say that it is one
            opened = _open(av, location, live, (open_timeout_s, PLAYLIST_TIMEOUT_S), options)
        return opened
    except (av.error.FFmpegError, OSError, ValueError) as error:
        is_late = timed_out(av, error, time.monotonic() - began, open_timeout_s)
        raise _fault(av, error, location, open_timeout_s if is_late else None) from error


def spool(av: Any, location: str) -> IO[bytes]:
    """Copy what a server has at `location` into a temporary file; the caller closes it.

    Raises:
        SourceError: It broke off, or there is no room.
    """
    where = redacted_location(location)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it outlives this
    try:
        # FFmpeg's own "format" for bytes as they are: it knows passwords, redirections and TLS.
        with av.open(
            location,
            format="data",
            options={**_HTTP_OPTIONS, "raw_packet_size": str(_SPOOL_BLOCK)},
            timeout=(OPEN_TIMEOUT_S, RECORDING_TIMEOUT_S),
        ) as source:
            n_left = 0
            for packet in source.demux():
                if n_left <= 0:
                    _require_room()
                    n_left = _SPOOL_LOOK
                n_left -= file.write(bytes(packet))
        file.seek(0)
    except (av.error.FFmpegError, OSError) as error:
        file.close()
        raise SourceError(
            f"{where} must be copied before it can be read, for its server hands out no parts of "
            f"it, and that failed: {reason_of(error)}; copy it yourself and give the file"
        ) from error
    return file


def _require_room() -> None:
    if shutil.disk_usage(tempfile.gettempdir()).free < _SPOOL_RESERVE:
        raise OSError(errno.ENOSPC, "the temporary folder has no room for it")


def timed_out(av: Any, error: BaseException, seconds: float, limit_s: float) -> bool:
    """Whether an error is our own time-out: RTSP makes "Invalid data" of it."""
    return isinstance(error, av.error.ExitError) or seconds >= 0.98 * limit_s


def _open(
    av: Any, location: str, live: bool, timeout: tuple[float, float], options: dict[str, str]
) -> Any:
    if location.lower().startswith(("http://", "https://")):
        options = options | _HTTP_OPTIONS | ({} if live else _RECORDING_OPTIONS)
    return av.open(location, options=options, timeout=timeout, metadata_errors=METADATA_ERRORS)


def _open_rtsp(av: Any, location: str, transport: str, timeout: tuple[float, float]) -> Any:
    attempts: tuple[str, ...] = (_RTSP_NAMES.get(transport, transport),)
    if transport == "auto":
        attempts = ("tcp", "udp", "udp")  # the second time once the refused session is cleared away
    for number, attempt in enumerate(attempts, 1):
        began = time.monotonic()
        try:
            opened = av.open(
                location,
                options={"rtsp_transport": attempt, **input_options()},
                timeout=timeout,
                metadata_errors=METADATA_ERRORS,
            )
        except (av.error.FFmpegError, OSError) as error:
            is_late = timed_out(av, error, time.monotonic() - began, timeout[0])
            if is_late or number == len(attempts) or not _is_about_transport(av, error):
                raise
            if attempt == "udp":
                threading.Event().wait(_CLEAR_S)
        else:
            if attempt != attempts[0]:
                logger.info("%s sends over UDP only", redacted_location(location))
            return opened
    raise ValueError(f"transport is one of {', '.join(TRANSPORTS)}, got {transport!r}")


def is_rtsp(location: str) -> bool:
    """Whether a URL is RTSP's, whose transport can be chosen."""
    return location.lower().startswith(("rtsp://", "rtsps://"))


def is_playlist(location: str) -> bool:
    """Whether a URL names a list of parts, which come one by one."""
    path = location.partition("?")[0].lower()
    return path.endswith((".m3u8", ".m3u", ".mpd"))


def _is_about_transport(av: Any, error: BaseException) -> bool:
    """Whether another transport may help: not where nobody lets us in."""
    e = av.error
    hopeless = (
        e.HTTPUnauthorizedError, e.HTTPForbiddenError, e.HTTPNotFoundError,
        e.ConnectionRefusedError, e.ConnectionResetError,
    )  # fmt: skip
    return not isinstance(error, hopeless)


def _fault(av: Any, error: BaseException, location: str, waited_s: float | None) -> SourceError:
    """Translate an error; `waited_s` is how long nothing came where that is the error."""
    e, where = av.error, redacted_location(location)
    if isinstance(error, (e.FileNotFoundError, FileNotFoundError)):
        return SourceError(f"there is no file {where}; check the path")
    if isinstance(error, (e.IsADirectoryError, IsADirectoryError)):
        return SourceError(f"{where} is a folder; give one file or URL")
    if isinstance(error, (e.PermissionError, PermissionError)):
        return SourceError(f"{where} may not be read; check its permissions")
    if not is_network(location):
        return SourceError(
            f"{where} cannot be opened as a sound or picture file: {reason_of(error)}"
        )
    if waited_s is not None:
        return SourceError(
            f"{where} did not answer within {waited_s:g} s; check the address, and whether "
            "what listens there speaks its protocol"
        )
    return SourceError(f"{where} cannot be opened as a stream: {_advice(av, error)}")


def _advice(av: Any, error: BaseException) -> str:
    e, reason = av.error, reason_of(error)
    if isinstance(error, e.HTTPUnauthorizedError):
        return f"{reason}; give user name and password, scheme://user:password@host/…"
    if isinstance(error, e.InvalidDataError):
        return f"{reason}: what came is neither picture nor sound; is it a page with a player?"
    with contextlib.suppress(AttributeError):
        if isinstance(error, e.ProtocolNotFoundError):
            return f"{reason}; this FFmpeg does not know that kind of address"
    return reason
