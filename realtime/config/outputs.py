"""What is published, recorded, kept and shown of events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from realtime.addresses import (
    MAX_PORT,
    host_of,
    is_loopback,
    is_port,
    require_brackets,
    split_address,
)
from realtime.config.checks import check_range
from realtime.errors import UsageError

DEFAULT_BIND = "tcp://127.0.0.1:5556"
MAX_KEPT_MESSAGES = 100_000  # of a few kB each; what a stopped subscriber may cost
MIN_KEEP_GIB = 0.01


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
            check_range(name, getattr(self, name), 1, MAX_KEPT_MESSAGES)
        check_range("heartbeat_s", self.heartbeat_s, 0.05, 60.0)


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
            check_range(name, getattr(self, name), low, high)

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
class MqttConfig:
    """An MQTT broker that is told events and states; see docs/guide/mqtt.md.

    Attributes:
        host: The broker.
        port: Its port; with `tls` usually 8883.
        topic: Base of all topics.
        client_id: What the broker knows this program by; empty lets the broker choose.
        user: Whom the broker knows; None for nobody. The password is never a setting.
        password_file: File with the password; None for the variable `MAFNET_MQTT_PASSWORD`.
        tls: Encrypt, and check the broker's certificate.
        ca_file: Certificates that are trusted; None for the system's.
        discovery: Whether Home Assistant finds a device of each source.
        discovery_prefix: Where Home Assistant looks.
        labels: Which labels get a binary sensor; none means all.
        control: Whether the broker may pause sources, switch recording and choose the profile.
        level_s: A sound level is told this often at most; 0 tells none.
    """

    host: str
    port: int = 1883
    topic: str = "mafnet"
    client_id: str = ""
    user: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    discovery: bool = True
    discovery_prefix: str = "homeassistant"
    labels: tuple[str, ...] = ()
    control: bool = True
    level_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.host or any(c.isspace() or c in "/@\0" for c in self.host):
            raise UsageError(f"--mqtt wants a broker such as localhost, got {self.host!r}")
        check_range("port", self.port, 1, MAX_PORT)
        check_range("level_s", self.level_s, 0.0, 3600.0)
        for name in ("topic", "discovery_prefix"):
            text = getattr(self, name)
            if not text or any(c in "+#\0" for c in text) or text.startswith(("/", "$")):
                raise UsageError(
                    f"{name} under [mqtt] must be a topic such as home/mafnet, got {text!r}"
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
        check_range("keep_events", self.keep_events, 1, 100_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """The page in the browser; see docs/guide/web.md.

    Attributes:
        bind: `HOST:PORT`; port 0 picks a free one.
        password_file: What `mafnet-keys password` wrote; None lets everybody in who reaches it.
        hosts: Names under which a proxy in front of it is asked.
    """

    bind: str
    password_file: str | None = None
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot work, and what others would see."""
        host, port = split_address(self.bind, "--web")
        if self.password_file is None and not is_loopback(host):
            raise UsageError(
                f"--web {self.bind} can be reached from other machines; set a password with "
                f"--web-password-file FILE, or give 127.0.0.1:{port}"
            )
        if self.password_file is not None and (
            "\0" in self.password_file or not self.password_file
        ):
            raise UsageError(f"--web-password-file wants a file, got {self.password_file!r}")
        for name in self.hosts:
            if not name or host_of(name) != name.lower():
                raise UsageError(f"each of `hosts` is a name such as cam.example, got {name!r}")
