"""What every target has in common: a name that tells no secret, and an answer to each try."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from realtime.outputs.rules.job import Job


class Outcome(Enum):
    """How a try went."""

    DONE = "done"
    AGAIN = "again"  # it may go better later
    GIVEN_UP = "given up"  # it will not


class Answer(NamedTuple):
    """How a try went, and why, in half a sentence that tells no secret."""

    outcome: Outcome
    why: str = ""


class Target(Protocol):
    """Somewhere that is told; its own thread calls `tell`, which raises nothing.

    Attributes:
        name: For the log: the rule and the kind, never the address.
        limit_s: Longer a try should not take.
    """

    name: str
    limit_s: float

    def tell(self, job: Job) -> Answer:
        """Tell it, once."""
        ...

    def give_up(self) -> None:
        """End what is under way, as far as something of it would outlive this program."""
        ...
