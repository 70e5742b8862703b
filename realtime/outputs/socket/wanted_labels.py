"""Which labels a subscriber asked for, and whether the publisher ever names them. Pure.

Labels are compared without regard to case. Who asks for one that there is not would wait for ever:
a publisher's status messages list its labels, and the first of them answers that. Bodies come from
the network: any field may be anything.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from weights.printable import clean

MAX_NEAR = 5
MAX_SHOWN = 300  # characters of labels in a sentence
NEAR = 0.55  # difflib's ratio from which on a label is worth a mention


class WantedLabels:
    """What was asked for; none means all. One thread at a time."""

    def __init__(self, labels: Iterable[str]) -> None:
        self._asked = tuple(dict.fromkeys(labels))
        self._folded = frozenset(label.strip().casefold() for label in self._asked)

    def __bool__(self) -> bool:
        return bool(self._asked)

    def wants(self, label: object) -> bool:
        """Return whether an event with this label is wanted; what is no text is not."""
        if not self._asked:
            return True
        return isinstance(label, str) and label.casefold() in self._folded

    def missing(self, status: dict[str, object], whose: str = "the publisher") -> str | None:
        """Say what no event of this publisher can have been asked for, from a status message.

        Args:
            status: With `labels` and `background`.
            whose: Whose labels they are, for the sentence.

        Returns:
            A sentence that lists near labels; None where all are there, or nobody knows.
        """
        listed = status.get("labels")
        if not isinstance(listed, list) or not listed:
            return None
        background = status.get("background")
        labels = [label for label in listed if isinstance(label, str) and label != background]
        known = {label.casefold() for label in labels}
        unknown = [label for label in self._asked if label.strip().casefold() not in known]
        if not unknown:
            return None
        told = ", ".join(repr(label) for label in unknown)
        near = _near(unknown, labels)
        choice = f"near ones are {near}" if near else f"it has {len(labels)}: {_shown(labels)}"
        return clean(f"{whose} names no event {told}; {choice}")


def _near(unknown: Sequence[str], labels: Sequence[str]) -> str:
    by_folded = {label.casefold(): label for label in labels}
    found: dict[str, None] = {}
    for wanted in unknown:
        folded = wanted.strip().casefold()
        names = [name for name in by_folded if folded and folded in name]
        names += difflib.get_close_matches(folded, by_folded, MAX_NEAR, NEAR)
        found.update(dict.fromkeys(by_folded[name] for name in names[:MAX_NEAR]))
    return _shown(list(found))


def _shown(labels: Sequence[str]) -> str:
    text = ", ".join(labels)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
