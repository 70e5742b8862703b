"""A whole run, and the window that its networks see."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, fields

from extractors.backend_flags import BACKENDS, DEVICES, PRECISIONS
from realtime.addresses import split_address
from realtime.config.checks import check_choice, check_range
from realtime.config.outputs import (
    HistoryConfig,
    MqttConfig,
    PublisherConfig,
    RecordConfig,
    WebConfig,
)
from realtime.config.rules import RulesConfig
from realtime.config.source import SourceConfig
from realtime.errors import UsageError
from realtime.packets import GRID_HZ
from weights.bundle_spec import GRIDS_HZ
from weights.event_spec import EventSpec

LOG_FORMATS = ("text", "json")
MAX_SOURCES = 64  # each has rings of 10 MB and up to three threads
MAX_WINDOW_CLIPS = 600  # ten minutes of clips; the attention over them stays below a millisecond
# What a run may set of `EventSpec`, by name and kind; n and m of `confirm` one by one.
EVENT_SETTINGS = {f.name: str(f.type) for f in fields(EventSpec) if f.name != "confirm"}
EVENT_SETTINGS |= {"confirm_n": "int", "confirm_m": "int"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """The window that MAFnet sees and how often.

    Attributes:
        hop_s: Time between decisions: a multiple of 1/16 s, up to 1 s.
        n_clips: T, the window's length in clips of one second.
        grid_hz: Pictures a second that are computed at most: 16, 8, 4 or 2. None for the bundle's,
            which is never exceeded.
    """

    hop_s: float = 0.25
    n_clips: int = 10
    grid_hz: int | None = None

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
        if self.grid_hz is not None and self.grid_hz not in GRIDS_HZ:
            wanted = ", ".join(map(str, GRIDS_HZ))
            raise UsageError(f"grid_hz is one of {wanted} pictures a second, got {self.grid_hz}")

    @property
    def hop_slots(self) -> int:
        """The hop in sixteenths of a second."""
        return round(self.hop_s * GRID_HZ)


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
        mqtt: A broker that is told; None tells none.
        web: The page in the browser; None serves none.
        rules: What is done about events; None does nothing.
        explain: An HTML file that says, at the end, why each event was told; None for none.
        bundle: `starter`, `ave` or a bundle's folder.
        device: `auto`, `cpu`, `cuda` or `mps`.
        backend: `auto`, `torch` or `openvino`.
        precision: Of the trunks: `auto`, `float32`, `bfloat16` or `float16`.
        events: `EVENT_SETTINGS` that replace the bundle's.
        dashboard: Draw the dashboard where the output is a terminal.
        picture: Show the picture in the dashboard from the start.
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
    mqtt: MqttConfig | None = None
    web: WebConfig | None = None
    rules: RulesConfig | None = None
    explain: str | None = None
    bundle: str = "starter"
    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"
    events: dict[str, object] = field(default_factory=dict)
    dashboard: bool = True
    picture: bool = False
    log_json: bool = False
    duration_s: float | None = None
    insecure: bool = False
    metrics: str | None = None
    log_format: str = "text"

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_choice("device", self.device, DEVICES)
        check_choice("backend", self.backend, BACKENDS)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("log_format", self.log_format, LOG_FORMATS)
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
        if self.explain is not None and self.more_sources:
            raise UsageError(
                f"--explain is of one source, got {len(self.sources)}; run it for each by itself"
            )
        if self.explain is not None and not self.explain.strip():
            raise UsageError("--explain wants a file, such as out.html")
        if self.metrics is not None:
            split_address(self.metrics)
        if self.rules is not None:
            self._check_rules(self.rules)
        if self.duration_s is not None:
            check_range("duration_s", self.duration_s, 1.0, 1e9)

    @property
    def sources(self) -> tuple[SourceConfig, ...]:
        """All streams."""
        return (self.source, *self.more_sources)

    @property
    def live(self) -> bool:
        """Whether any stream may drop rather than wait."""
        return any(source.live for source in self.sources)

    def _check_rules(self, rules: RulesConfig) -> None:
        names = {source.name for source in self.sources}
        for rule in rules.rules:
            unknown = sorted(set(rule.sources) - names)
            if unknown:
                raise UsageError(
                    f"rule {rule.name!r} names a source that there is not, {unknown[0]!r}; there "
                    f"is {', '.join(sorted(names))}"
                )
            if self.record is None and (rule.record or rule.attach == "clip"):
                raise UsageError(
                    f"rule {rule.name!r} wants recordings; name their folder, --record DIR"
                )
