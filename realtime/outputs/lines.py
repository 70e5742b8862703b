"""Events and figures as short plain text, for pipes, logs and `subscribe`. Pure; imports nothing.

Names come from bundles and, in `subscribe`, from the network: what a terminal would obey instead of
showing is replaced.
"""

from __future__ import annotations

LABEL_WIDTH = 28
_PHASE_MARKS = {"onset": "▶", "update": "·", "offset": "■"}
DECISIVE_SHARE = 0.6  # from this share of the attention on, one sense is said to have decided


def event_line(
    *,
    phase: str,
    label: str,
    t_s: float | None,
    confidence: float | None,
    picture: float | None,
    sound: float | None,
    duration_s: float | None = None,
    reason: str | None = None,
) -> str:
    """Return one line about an event.

    Args:
        phase: `onset`, `update` or `offset`.
        label: What it is.
        t_s: Its onset, or at its offset the offset; stream seconds.
        confidence: 0 to 1.
        picture: Share of the picture in the attention; None where nobody knows.
        sound: Share of the sound.
        duration_s: How long it lasted, at its offset.
        reason: Why it ended.
    """
    line = (
        f"{stream_time(t_s):>10}  {_PHASE_MARKS.get(phase, '?')} {clean(phase):<6}  "
        f"{cut(clean(label), LABEL_WIDTH):<{LABEL_WIDTH}}  {share(confidence):>5}  "
        f"{decided_by(picture, sound)}"
    )
    if duration_s is not None:
        line += f"  {duration_s:.2f} s"
    if reason and reason != "quiet":
        line += f" ({clean(reason)})"
    return line.rstrip()


def decided_by(picture: float | None, sound: float | None) -> str:
    """Say which sense had the attention, such as `sound 83 %`."""
    if picture is None or sound is None:
        return "-"
    if picture >= DECISIVE_SHARE:
        return f"picture {picture:.0%}"
    if sound >= DECISIVE_SHARE:
        return f"sound {sound:.0%}"
    return f"both {picture:.0%}/{sound:.0%}"


def stream_time(t_s: float | None) -> str:
    """Return `m:ss.cc`, with hours where there are any."""
    if t_s is None:
        return "-"
    hundredths = round(abs(t_s) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if t_s < 0 else ""
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{sign}{head}:{rest // 100:02}.{rest % 100:02}"


def share(value: float | None) -> str:
    """Return a probability with two digits, `-` for None."""
    return "-" if value is None else f"{value:.2f}"


def milliseconds(value: float | None) -> str:
    """Return whole milliseconds, `-` for None."""
    return "-" if value is None else f"{value:.0f} ms"


def cut(text: str, width: int) -> str:
    """Shorten `text` to `width` characters, at a word where one ends near, with an ellipsis."""
    if len(text) <= width:
        return text
    if width < 2:
        return text[: max(0, width)]
    head = text[: width - 1]
    at_word = head.rpartition(" ")[0].rstrip(",;")
    if len(at_word) >= (width * 2) // 3:
        head = at_word
    return head.rstrip(" ,;") + "…"


def clean(text: str) -> str:
    """Replace what is not printable: a label must not move a terminal's cursor."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
