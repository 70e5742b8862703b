"""Where one stream's sound and picture come from."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.addresses import is_network
from realtime.config.checks import check_choice, check_range
from realtime.errors import UsageError

MAX_NAME_LENGTH = 100  # a subscription with a stream's name fits what the publisher takes
NATURES = ("auto", "live", "recording")
TRANSPORTS = ("auto", "tcp", "udp", "multicast", "http")
MIN_READ_TIMEOUT_S = 5.0
MAX_TRACK = 1000  # of a kind in one file


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """Where one stream's sound and picture come from.

    Attributes:
        name: The stream's name in topics and messages; letters, digits, `-`, `_` and `.`.
        kind: `live` (camera and microphone), `media` (a file or URL) or `demo`.
        camera: Index, device path or URL; None for no camera.
        microphone: Number, name substring or `default`; None (in a file `none`) for no microphone.
        media: Path or URL, for kind `media`.
        pace: Play a file at its own speed instead of as fast as possible.
        hold_s: How long the last picture stands in for missing ones.
        patience_s: How long a live clip waits for a sense that is late before it goes without.
        loop: The demo starts anew when it ends.
        nature: Of a URL: `live`, `recording`, or `auto` to find out which.
        audio_track: Which of several sound tracks, from 0; None for the usual one, or another where
            that is silent throughout.
        video_track: Likewise of pictures, and black.
        transport: How RTSP sends: `tcp`, `udp`, `multicast`, `http`, or `auto`: TCP, and UDP where
            that is refused.
        reconnect: Open a live source again when it is lost; files and the demo never are.
        retry_s: Waits before the attempts, each ± 25 %; the last one for all that follow.
        stale_s: A device that has delivered nothing for so long is opened again.
        frozen_s: From here on a picture that stays the same to the bit is frozen; 0 never.
        black_s: From here on pictures without light count as black; 0 never.
        silent_s: From here on digital zeros count as silent; 0 never.
        reopen_s: What is frozen, black or silent for so long is opened again, once; 0 never.
        hang_s: A driver call that takes longer is given up; the opening of a URL ends by itself.
        wait: A source of which nothing is there at the start is looked for, and is no error.
    """

    name: str
    kind: str
    camera: str | None = None
    microphone: str | None = None
    media: str | None = None
    pace: bool = False
    hold_s: float = 0.5
    patience_s: float = 0.25
    loop: bool = False
    nature: str = "auto"
    transport: str = "auto"
    audio_track: int | None = None
    video_track: int | None = None
    reconnect: bool = True
    retry_s: tuple[float, ...] = (1.0, 5.0, 20.0, 60.0)
    stale_s: float = 3.0
    frozen_s: float = 10.0
    black_s: float = 10.0
    silent_s: float = 10.0
    reopen_s: float = 60.0
    hang_s: float = 15.0
    wait: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name):
            raise UsageError(
                f"a source's name has letters, digits, '-', '_' and '.' only, got {self.name!r}"
            )
        if not self.name.strip("."):  # of several streams, each is recorded in a folder so named
            raise UsageError(f"a source's name is more than dots, got {self.name!r}")
        if len(self.name) > MAX_NAME_LENGTH:
            raise UsageError(
                f"a source's name has up to {MAX_NAME_LENGTH} characters, got {len(self.name)}; "
                "give a shorter --name"
            )
        if self.kind not in ("live", "media", "demo"):
            raise UsageError(f"a source's kind is live, media or demo, got {self.kind!r}")
        if self.kind == "live" and self.camera is None and self.microphone is None:
            raise UsageError("a live source needs a camera or a microphone; give --camera or --mic")
        if self.kind == "media" and not self.media:
            raise UsageError("a media source needs a file or a URL; give --source PATH")
        for name in ("audio_track", "video_track"):
            number = getattr(self, name)
            if number is not None and self.kind != "media":
                raise UsageError(f"{name} is of a file or a URL; a {self.kind} source has none")
            if number is not None:
                check_range(name, number, 0, MAX_TRACK)
        check_choice("nature", self.nature, NATURES)
        check_choice("transport", self.transport, TRANSPORTS)
        if self.wait and not self.reconnect:
            raise UsageError("--wait looks for a source that is not there, --no-reconnect does not")
        check_range("hold_s", self.hold_s, 0.0, 10.0)
        # A clip that waits longer finds its sound overwritten: a ring holds 4 s.
        check_range("patience_s", self.patience_s, 0.0, 2.0)
        check_range("stale_s", self.stale_s, 0.5, 3600.0)
        check_range("hang_s", self.hang_s, 1.0, 3600.0)
        for name in ("frozen_s", "black_s", "silent_s", "reopen_s"):
            check_range(name, getattr(self, name), 0.0, 86_400.0)
        if not self.retry_s:
            raise UsageError("retry_s needs at least one wait, such as [1, 5, 20, 60]")
        for wait_s in self.retry_s:
            check_range("each wait of retry_s", wait_s, 0.1, 86_400.0)

    @property
    def live(self) -> bool:
        """Whether the source may drop (newest wins) rather than wait."""
        if self.kind == "live":
            return True
        return self.media is not None and is_network(self.media) and self.nature != "recording"

    @property
    def read_timeout_s(self) -> float:
        """How long a sender may be silent before its connection counts as dead."""
        return max(MIN_READ_TIMEOUT_S, self.stale_s + 2.0)

    @property
    def dated(self) -> bool:
        """Whether samples are dated on the run's clock, not by a file's presentation time."""
        return self.live or self.pace
