"""From frames to topic and body, checked: what the network brings may be anything."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from weights.printable import clean

VERSION = 1
MAX_TOPIC_BYTES = 512
MAX_TEXT = 100  # characters of `run` and `type`
MAX_SEQ = 10**24  # above any number of messages
NEEDED = {"run": str, "type": str, "seq": int, "topic_seq": int}


def decode(frames: Sequence[bytes]) -> tuple[str, dict[str, object]]:
    """Check that frames are a message of this protocol.

    Returns:
        The topic and the body, with `run`, `type`, `seq` and `topic_seq` of the right types.

    Raises:
        ValueError: They are not; the text says why.
    """
    if len(frames) != 2:
        raise ValueError(f"it has {len(frames)} frames, 2 are topic and JSON")
    if len(frames[0]) > MAX_TOPIC_BYTES:
        raise ValueError(f"its topic has {len(frames[0])} bytes, {MAX_TOPIC_BYTES} are the most")
    try:
        topic = frames[0].decode()
        body = json.loads(frames[1], parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deep") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except ValueError as error:
        raise ValueError(f"it is not JSON ({clean(str(error))})") from error
    if not isinstance(body, dict):
        raise ValueError(f"its JSON is not an object but {type(body).__name__}")
    if body.get("v") != VERSION:
        raise ValueError(
            f"its version is {clean(repr(body.get('v')))[:20]}, this client reads {VERSION}"
        )
    for name, kind in NEEDED.items():
        value = body.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"its field {name!r} is missing or not {kind.__name__}")
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise ValueError(f"its field {name!r} has more than {MAX_TEXT} characters")
        if isinstance(value, int) and abs(value) > MAX_SEQ:
            raise ValueError(f"its field {name!r} is too large")
    return topic, body


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):  # 1e999: Python reads infinity, and would write `Infinity`
        raise ValueError("a number in it is too large")
    return value
