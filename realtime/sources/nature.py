"""What a URL gives: a stream that plays by itself, a recording, or one still picture.

The URL does not say it, so it is decided from what FFmpeg knows once it is open: a length that its
header or playlist tells, the size that its server tells, the form in which it is pushed. What tells
nothing is read for a moment: a recording comes as fast as the line allows, a stream as it plays.
Pure; who opens and reads is `realtime.sources.inquiry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from realtime.clock import NS_PER_S

AHEAD_NS = 30 * NS_PER_S  # no live server sends so much at once; a playlist's three parts may be 18
LOOK_NS = NS_PER_S  # so long is looked at what tells nothing
N_COMPLETE = 2  # what has ended after this part of its own length came faster than it plays
# A length in their headers or playlists is meant; elsewhere FFmpeg guesses it from what it has seen
_TOLD_LENGTHS = ("matroska", "avi", "flac", "flv", "asf", "hls", "dash", "rtsp", "rm")
_STILL = ("image2",)  # FFmpeg's name for one picture; a `…_pipe` may be several
_SESSIONS = ("hls", "dash", "rtsp", "rtp", "sdp")  # their size is a list's, not the stream's
_PUSHED = ("mpjpeg",)  # parts without an end; a Content-Length of theirs is invented


class Nature(Enum):
    """What comes of a URL."""

    LIVE = "live"
    RECORDING = "recording"
    STILL = "still picture"
    UNTOLD = "untold"  # nothing says: only reading on shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a container that was just opened.

    Attributes:
        form: FFmpeg's name of the format, `mov,mp4,m4a,3gp,3g2,mj2`.
        duration_ns: The length that FFmpeg gives, guessed or told; None for none.
        size: Bytes, by the server's account; None for none.
        n_indexed: Frames and blocks that an index lists; 0 where there is none.
    """

    form: str
    duration_ns: int | None = None
    size: int | None = None
    n_indexed: int = 0

    @property
    def has_told_length(self) -> bool:
        """Whether the length is one that a header, an index or a playlist tells."""
        told = self.n_indexed > 0 or any(name in self.form.split(",") for name in _TOLD_LENGTHS)
        return told and bool(self.duration_ns) and (self.duration_ns or 0) > 0


def nature_of(facts: Facts) -> Nature:
    """Decide from what is known at once."""
    if facts.form in _PUSHED:
        return Nature.LIVE
    is_pictures = facts.form.endswith("_pipe")
    if facts.form in _STILL or (is_pictures and facts.size is not None):
        return Nature.STILL
    if facts.has_told_length:
        return Nature.RECORDING
    if facts.form in _SESSIONS:  # an open playlist, or no end in the session's description
        return Nature.LIVE
    return Nature.UNTOLD if facts.size is None else Nature.RECORDING


def nature_by_pace(
    form: str, media_ns: int, elapsed_ns: int, n_packets: int, *, has_ended: bool
) -> Nature:
    """Decide from how fast it comes.

    Args:
        form: FFmpeg's name of the format.
        media_ns: How much has come, in its own time.
        elapsed_ns: How long that took.
        n_packets: In how many packets.
        has_ended: Whether that was all.

    Returns:
        `UNTOLD` while it might be either.
    """
    if form.endswith("_pipe") and has_ended and n_packets <= 1:
        return Nature.STILL
    if media_ns - N_COMPLETE * elapsed_ns >= AHEAD_NS:
        return Nature.RECORDING
    if has_ended:
        return Nature.RECORDING if media_ns > N_COMPLETE * elapsed_ns else Nature.LIVE
    return Nature.LIVE if elapsed_ns >= LOOK_NS else Nature.UNTOLD
