"""What panels are made of: glyphs, bars, figures, durations."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.panel import Panel
from rich.text import Text

from realtime.packets import Sense, SenseState

FRAME_COLUMNS = 4  # a panel's border and one space each side
VALUE_COLUMNS = 6
SENSE_STYLES = {Sense.PICTURE: "cyan", Sense.SOUND: "magenta"}
STATE_STYLES = {
    SenseState.OK: "green",
    SenseState.WAITING: "yellow",
    SenseState.STALE: "yellow",
    SenseState.FROZEN: "bold yellow",
    SenseState.BLACK: "yellow",
    SenseState.SILENT: "yellow",
    SenseState.RECONNECTING: "bold yellow",
    SenseState.LOST: "bold red",
    SenseState.ENDED: "dim",
    SenseState.ABSENT: "dim",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """What bars and maps are drawn with; `parts` and `shades` go from least to most."""

    parts: str
    full: str
    shades: str
    missing: str
    dot: str
    running: str


UNICODE = Glyphs(parts="▏▎▍▌▋▊▉", full="█", shades="░▒▓█", missing="·", dot="●", running="▶")
ASCII = Glyphs(parts="", full="#", shades=".:*#", missing=" ", dot="*", running=">")


def panel(title: str, lines: list[Text], style: str) -> Panel:
    """Return lines in a frame with a title."""
    body = Text("\n", no_wrap=True, overflow="crop").join(lines)
    return Panel(body, title=title, title_align="left", border_style=style, box=box.ROUNDED)


def figure(name: str, value: str) -> Text:
    """Return a line of a name and what it is."""
    line = Text(f"{name:<8}", style="dim")
    return line.append(value, style="not dim")


def bar(part: float, width: int, glyphs: Glyphs) -> str:
    """Return a bar of up to `width` characters for `part` in 0 to 1, in eighths where it can."""
    eighths = round(min(1.0, max(0.0, part)) * width * 8)
    full, rest = divmod(eighths, 8)
    return glyphs.full * full + (glyphs.parts[rest - 1] if rest and glyphs.parts else "")


def duration(duration_s: float) -> str:
    """Return seconds as a person reads them."""
    if duration_s < 100:
        return f"{duration_s:.1f} s"
    if duration_s < 6000:
        return f"{duration_s / 60:.0f} min"
    return f"{duration_s / 3600:.0f} h"


def rate(rate_hz: float | None) -> str:
    """Return a rate, or a dash."""
    return "-" if rate_hz is None else f"{rate_hz:.1f}"


def short(n: int) -> str:
    """Return a count in up to five characters."""
    return str(n) if n < 10_000 else f"{n / 1000:.0f}k" if n < 10_000_000 else f"{n / 1e6:.0f}M"
