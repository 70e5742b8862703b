"""What is said of a file or URL that was opened and gives nothing to recognize."""

from __future__ import annotations

from realtime.errors import SourceError
from realtime.redaction import redacted_location


def still_picture(url: str, form: str) -> SourceError:
    """Return what is said of a URL that gives one picture."""
    where = redacted_location(url)
    if form == "webp_pipe":
        return SourceError(
            f"{where} gives a WebP picture, not a stream; an animated one is not decoded either, "
            "so convert it to MP4 or GIF"
        )
    return SourceError(
        f"{where} gives one still picture, not a stream; give the address of the camera's MJPEG "
        "or RTSP stream, which its manual or its web page names"
    )


def nothing_decoded(location: str, form: str = "") -> SourceError:
    """Return what is said of a file or stream that opened and gave nothing.

    Args:
        location: Path or URL.
        form: FFmpeg's name of its format, where it explains something.
    """
    if form == "webp_pipe":
        return SourceError(
            f"{redacted_location(location)} is an animated or damaged WebP, which cannot be "
            "decoded; convert it to MP4 or GIF"
        )
    return SourceError(
        f"{redacted_location(location)} was opened, but not one picture or sound in it could be "
        "decoded; check that it is whole, that a player plays it, and that its pictures are not "
        "larger than 8K (7680x4320)"
    )
