"""One frozen dataclass a stage, checked when it is made; nothing below the command line reads more.

Times are in seconds here and only here; each stage turns them into nanoseconds or counts.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from extractors.backend_flags import BACKENDS, DEVICES, PRECISIONS
from realtime.addresses import MAX_PORT, is_network, is_port, require_brackets, split_address
from realtime.errors import UsageError
from realtime.packets import GRID_HZ
from weights.event_spec import EventSpec

DEFAULT_BIND = "tcp://127.0.0.1:5556"
MAX_KEPT_MESSAGES = 100_000  # of a few kB each; what a stopped subscriber may cost
MAX_NAME_LENGTH = 100  # a subscription with a stream's name fits what the publisher takes
NATURES = ("auto", "live", "recording")
TRANSPORTS = ("auto", "tcp", "udp", "multicast", "http")
MIN_READ_TIMEOUT_S = 5.0
LOG_FORMATS = ("text", "json")
MIN_KEEP_GIB = 0.01
MAX_TRACK = 1000  # of a kind in one file
MAX_SOURCES = 64  # each has rings of 10 MB and up to three threads
MAX_WINDOW_CLIPS = 600  # ten minutes of clips; the attention over them stays below a millisecond
# What a run may set of `EventSpec`, by name and kind; n and m of `confirm` one by one.
EVENT_SETTINGS = {f.name: str(f.type) for f in fields(EventSpec) if f.name != "confirm"}
EVENT_SETTINGS |= {"confirm_n": "int", "confirm_m": "int"}


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
                _check_range(name, number, 0, MAX_TRACK)
        for name, wanted in (("nature", NATURES), ("transport", TRANSPORTS)):
            if getattr(self, name) not in wanted:
                raise UsageError(
                    f"{name} is one of {', '.join(wanted)}, got {getattr(self, name)!r}"
                )
        if self.wait and not self.reconnect:
            raise UsageError("--wait looks for a source that is not there, --no-reconnect does not")
        _check_range("hold_s", self.hold_s, 0.0, 10.0)
        # A clip that waits longer finds its sound overwritten: a ring holds 4 s.
        _check_range("patience_s", self.patience_s, 0.0, 2.0)
        _check_range("stale_s", self.stale_s, 0.5, 3600.0)
        _check_range("hang_s", self.hang_s, 1.0, 3600.0)
        for name in ("frozen_s", "black_s", "silent_s", "reopen_s"):
            _check_range(name, getattr(self, name), 0.0, 86_400.0)
        if not self.retry_s:
            raise UsageError("retry_s needs at least one wait, such as [1, 5, 20, 60]")
        for wait_s in self.retry_s:
            _check_range("each wait of retry_s", wait_s, 0.1, 86_400.0)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """The window that MAFnet sees and how often.

    Attributes:
        hop_s: Time between decisions: a multiple of 1/16 s, up to 1 s.
        n_clips: T, the window's length in clips of one second.
    """

    hop_s: float = 0.25
    n_clips: int = 10

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        slots = self.hop_s * GRID_HZ
        # The outer bounds first: NaN and infinity cannot be rounded.
        if not (0.5 < slots < GRID_HZ + 0.5 and abs(slots - round(slots)) < 1e-9):
            raise UsageError(
                f"the hop is a multiple of 1/16 s (0.0625) from 0.0625 to 1, got {self.hop_s:g}"
            )
        if not 1 <= self.n_clips <= MAX_WINDOW_CLIPS:
            raise UsageError(
                f"the window has 1 to {MAX_WINDOW_CLIPS} clips of one second, got {self.n_clips}"
            )

    @property
    def hop_slots(self) -> int:
        """The hop in sixteenths of a second."""
        return round(self.hop_s * GRID_HZ)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherConfig:
    """The event socket.

    Attributes:
        bind: Endpoint; port 0 or `*` picks a free one.
        send_hwm: Messages kept for one slow subscriber before it loses some.
        capacity: Messages kept while the publisher thread is busy.
        heartbeat_s: Time between heartbeats.
        predictions: Whether each hop's prediction is published too.
        curve: Folder of the server's keys and of those whom it lets in; None for no encryption.
    """

    bind: str = DEFAULT_BIND
    send_hwm: int = 1000
    capacity: int = 1000
    heartbeat_s: float = 1.0
    predictions: bool = True
    curve: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.bind.startswith(("tcp://", "ipc://", "inproc://")):
            raise UsageError(
                f"--bind wants an endpoint such as {DEFAULT_BIND} or ipc:///tmp/events, "
                f"got {self.bind!r}"
            )
        require_brackets(self.bind)
        port = self.bind.rpartition(":")[2]
        if (
            self.bind.startswith("tcp://") and port != "*" and not is_port(port)
        ):  # libzmq takes 99999 for 34463
            raise UsageError(
                f"--bind wants a port up to {MAX_PORT} at its end, such as {DEFAULT_BIND}, "
                f"got {self.bind!r}"
            )
        for name in ("send_hwm", "capacity"):
            _check_range(name, getattr(self, name), 1, MAX_KEPT_MESSAGES)
        _check_range("heartbeat_s", self.heartbeat_s, 0.05, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordConfig:
    """What is recorded of events, and how much of it is kept; see docs/reference/recordings.md.

    Attributes:
        directory: The folder; made if it is not there. Of several streams, each has one in it.
        labels: Which events, each text one label or several with commas between; none means all.
        pre_roll_s: Recorded before an event's onset.
        post_roll_s: Recorded after its offset.
        max_length_s: A longer recording goes on in another file.
        max_height: Of the picture; a larger one is shrunk.
        max_fps: Frames a second at most.
        memory_mib: The ring that holds the time before an onset never has more; a stream's.
        keep_days: Older recordings are deleted.
        keep_gib: Beyond this the oldest recordings are deleted.
        min_free_mib: Recording stops while the disk has less left.
    """

    directory: str
    labels: tuple[str, ...] = ()
    pre_roll_s: float = 5.0
    post_roll_s: float = 5.0
    max_length_s: float = 300.0
    max_height: int = 720
    max_fps: float = 30.0
    memory_mib: int = 128
    keep_days: float = 30.0
    keep_gib: float = 10.0
    min_free_mib: int = 200

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.directory or "\0" in self.directory:
            raise UsageError(f"--record wants a folder, got {self.directory!r}")
        pieces = [piece.strip() for label in self.labels for piece in label.split(",")]
        if not all(pieces):
            raise UsageError("--record-labels wants labels with commas between, such as Bark,Siren")
        for name, low, high in (
            ("pre_roll_s", 0.0, 60.0),
            ("post_roll_s", 0.0, 600.0),
            ("max_length_s", 10.0, 3600.0),
            ("max_height", 16, 2160),
            ("max_fps", 1.0, 240.0),
            ("memory_mib", 8, 4096),
            ("keep_days", 0.01, 36_500.0),
            ("keep_gib", MIN_KEEP_GIB, 1e6),
            ("min_free_mib", 0, 1_000_000),
        ):
            _check_range(name, getattr(self, name), low, high)

    def part_of(self, name: str, n_streams: int) -> RecordConfig:
        """Return one stream's part of what several streams may record.

        Args:
            name: The stream's, which names its folder.
            n_streams: The disk is shared out evenly among so many.
        """
        return replace(
            self,
            directory=str(Path(self.directory, name)),
            keep_gib=max(MIN_KEEP_GIB, self.keep_gib / n_streams),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryConfig:
    """What happened, kept in a database; see docs/guide/history.md.

    Attributes:
        file: The database; made if it is not there.
        keep_events: Of more the oldest go, but for those that somebody corrected.
    """

    file: str
    keep_events: int = 100_000

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.file or "\0" in self.file:
            raise UsageError(f"--history wants a file, got {self.file!r}")
        _check_range("keep_events", self.keep_events, 1, 100_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """A whole run.

    Attributes:
        source: Where sound and picture come from.
        more_sources: Further streams that the run recognizes with it, each with its own events.
        window: Hop and T.
        publisher: The event socket; None (in a file `publisher = false`) publishes nothing.
        record: What is recorded; None records nothing.
        history: Where events are kept; None keeps none.
        bundle: `starter`, `ave` or a bundle's folder.
        device: `auto`, `cpu`, `cuda` or `mps`.
        backend: `auto`, `torch` or `openvino`.
        precision: Of the trunks: `auto`, `float32`, `bfloat16` or `float16`.
        events: `EVENT_SETTINGS` that replace the bundle's.
        dashboard: Draw the dashboard where the output is a terminal.
        log_json: Print every event message on stdout.
        duration_s: End the run after so much stream; None runs to the source's end.
        insecure: Allow an endpoint that other machines reach, unencrypted.
        metrics: `HOST:PORT` of a page for Prometheus; None for none.
        log_format: Of the log on stderr: `text` or `json`.
    """

    source: SourceConfig
    more_sources: tuple[SourceConfig, ...] = ()
    window: WindowConfig = field(default_factory=WindowConfig)
    publisher: PublisherConfig | None = field(default_factory=PublisherConfig)
    record: RecordConfig | None = None
    history: HistoryConfig | None = None
    bundle: str = "starter"
    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"
    events: dict[str, object] = field(default_factory=dict)
    dashboard: bool = True
    log_json: bool = False
    duration_s: float | None = None
    insecure: bool = False
    metrics: str | None = None
    log_format: str = "text"

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for name, wanted in (
            ("device", DEVICES),
            ("backend", BACKENDS),
            ("precision", PRECISIONS),
            ("log_format", LOG_FORMATS),
        ):
            if getattr(self, name) not in wanted:
                raise UsageError(
                    f"{name} is one of {', '.join(wanted)}, got {getattr(self, name)!r}"
                )
        if len(self.sources) > MAX_SOURCES:
            raise UsageError(f"a run has up to {MAX_SOURCES} sources, got {len(self.sources)}")
        taken: dict[str, str] = {}
        for source in self.sources:  # a name may be a folder's, where case is not told apart
            same = unicodedata.normalize("NFC", source.name).casefold()
            if same in taken:
                raise UsageError(
                    f"each source wants a name of its own, got {taken[same]!r} and "
                    f"{source.name!r}; change `name` under [[source]]"
                )
            taken[same] = source.name
        if self.metrics is not None:
            split_address(self.metrics)
        if self.duration_s is not None:
            _check_range("duration_s", self.duration_s, 1.0, 1e9)

    @property
    def sources(self) -> tuple[SourceConfig, ...]:
        """All streams."""
        return (self.source, *self.more_sources)

    @property
    def live(self) -> bool:
        """Whether any stream may drop rather than wait."""
        return any(source.live for source in self.sources)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} must be from {low:g} to {high:g}, got {value:g}")
