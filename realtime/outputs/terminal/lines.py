"""Events and figures as short plain text, for pipes, logs and `subscribe`. Pure.

Names come from bundles and, in `subscribe`, from the network: each is cleaned
(`weights.printable`) before it is measured and cut.
"""

from __future__ import annotations

from weights.printable import clean

LABEL_WIDTH = 28
NARROW_LABEL_WIDTH = 20  # beside what each sense says alone
MAX_TEXT = 200  # of a field from the network
MAX_NUMBER = 1e12
MAX_ENTRIES = 5
Alone = tuple[float | None, float | None] | None  # picture and sound; see `packets.Event`
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
    alone: Alone = None,
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
        alone: What each sense said by itself; None where nobody knows.
    """
    width = LABEL_WIDTH if alone is None else NARROW_LABEL_WIDTH
    line = (
        f"{stream_time(t_s):>10}  {_PHASE_MARKS.get(phase, '?')} {clean(phase):<6}  "
        f"{cut(clean(label), width):<{width}}  {share(confidence):>5}  "
        f"{said_by(picture, sound, alone)}"
    )
    if duration_s is not None:
        line += f"  {duration_s:.2f} s"
    if reason and reason != "quiet":
        line += f" ({clean(reason)})"
    return line.rstrip()


def message_line(body: dict[str, object]) -> str:
    """Return a received message of any type as one line; missing fields show as `-`."""
    kind = body.get("type")
    source = _text(body, "source") or "-"
    again = " (state when we subscribed)" if body.get("replay") is True else ""
    if kind == "event":
        return f"{source}  {_event_text(body)}{again}"
    if kind == "prediction":
        names = (
            f"{_text(entry, 'label')} {share(_number(entry, 'probability'))}"
            for entry in _entries(body, "top")
        )
        return (
            f"{source}  {stream_time(_number(body, 'end', 't_s')):>10}  {', '.join(names)}{again}"
        )
    if kind == "status":
        senses = ", ".join(
            f"{sense} {_text(body, 'senses', sense, 'state')}" for sense in ("picture", "sound")
        )
        detail = _text(body, "detail")
        return (
            f"{source}  {_text(body, 'state')}: {senses}{f' ({detail})' if detail else ''}{again}"
        )
    if kind == "heartbeat":
        latency = milliseconds(_number(body, "latency_ms", "p95"))
        uptime = stream_time(_number(body, "uptime_s"))
        return f"heartbeat  up {uptime}  latency p95 {latency}"
    return f"{source}  {clean(str(kind))}"


def _event_text(body: dict[str, object]) -> str:
    phase = _text(body, "phase")
    t_s = _number(body, "offset" if phase == "offset" else "onset", "t_s")
    if phase == "update":  # told at the end of the newest clip
        ends = _look_up(body, "evidence", "clip_end_t_s")
        t_s = _number({"end": ends[-1]}, "end") if isinstance(ends, list) and ends else t_s
    return event_line(
        phase=phase,
        label=_text(body, "label"),
        t_s=t_s,
        confidence=_number(body, "confidence"),
        picture=_number(body, "evidence", "picture"),
        sound=_number(body, "evidence", "sound"),
        duration_s=_number(body, "duration_s"),
        reason=_text(body, "reason") or None,
        alone=(
            _number(body, "evidence", "alone", "picture"),
            _number(body, "evidence", "alone", "sound"),
        )
        if isinstance(_look_up(body, "evidence", "alone"), dict)
        else None,
    )


def _look_up(value: object, *path: str) -> object:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _number(value: object, *path: str) -> float | None:
    found = _look_up(value, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or abs(found) > MAX_NUMBER:
        return None
    return float(found)


def _text(value: object, *path: str) -> str:
    found = _look_up(value, *path)
    return clean(found)[:MAX_TEXT] if isinstance(found, str) else ""


def _entries(value: object, name: str) -> list[object]:
    found = _look_up(value, name)
    return found[:MAX_ENTRIES] if isinstance(found, list) else []


def said_by(picture: float | None, sound: float | None, alone: Alone) -> str:
    """Say what each sense said by itself, or, where nobody knows, which had the attention."""
    if alone is None:
        return decided_by(picture, sound)
    return f"heard {share(alone[1])} seen {share(alone[0])}"


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
