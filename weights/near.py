"""What somebody may have meant who wrote a name that there is not."""

import difflib
from collections.abc import Iterable

NEAR = 0.6  # difflib's ratio, its own default: `--camra` is near `--camera`, `--cam` is not


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean X?`, or nothing where no known name is near.

    Args:
        word: What was written.
        known: What there is.
    """
    found = difflib.get_close_matches(word, list(known), 1, NEAR)
    return f", did you mean {found[0]}?" if found else ""
