"""How a run stands with another bundle that was asked for; see `realtime.bundle_swap`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapState:
    """How it stands.

    Attributes:
        bundle: Name and version in use.
        is_loading: Whether another one is on its way.
        fault: Why the last one was not taken; empty where it was.
    """

    bundle: str
    is_loading: bool = False
    fault: str = ""
