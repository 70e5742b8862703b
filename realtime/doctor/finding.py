"""What was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"  # a run goes on with less
    FAILURE = "failure"  # a run with these settings fails


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What was looked at: `camera 0`, `torch`.
        state: How it is.
        said: What was found, in one line.
        advice: What to do about it; empty where nothing is to be done.
    """

    name: str
    state: State
    said: str
    advice: str = ""


def good(name: str, said: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(name, State.OK, said)


def failure(name: str, sentence: str) -> Finding:
    """Return an error's sentence as a finding: what to do stands behind its semicolon."""
    return _told(name, State.FAILURE, sentence)


def warning(name: str, sentence: str) -> Finding:
    """Return the same of what a run can do without."""
    return _told(name, State.WARNING, sentence)


def _told(name: str, state: State, sentence: str) -> Finding:
    said, _, advice = sentence.rpartition("; ")
    return Finding(name, state, said or sentence, advice if said else "")
