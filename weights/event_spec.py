"""How probabilities become events: the one type of these settings, for bundles and for runs.

A bundle's manifest (`weights.bundle_events`) and a run's settings (`realtime.bundle_settings`) are
read into it; both check names and kinds, values are checked here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_SECONDS = 3600.0
NAMES_IN_BUNDLES = {"window_weight": "context", "confusable": "kin"}
MAX_CONFIRM = 1000  # decisions
MAX_SMOOTH = 1000  # decisions
MAX_GROUP_LEVELS = 8  # of groups within groups; AudioSet's ontology has six


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpec:
    """How probabilities become events; see `realtime.events.tracker` for the meaning of each.

    The defaults are those of a bundle without thresholds of its own. Names are those of the
    settings file, and of the manifest but for `NAMES_IN_BUNDLES`.

    Attributes:
        on: Score in (0, 1] at which an event may start.
        off: Score in (0, on] under which it may end, and from which on it may have begun.
        per_label: ``{label: {"on": …, "off": …}}`` where a label has its own; both are given.
        min_duration_s: An event that proves shorter is not told.
        merge_gap_s: A pause shorter than this does not end an event.
        cool_down_s: After an offset the same label stays silent for this long.
        confirm: (n, m): n of the last m decisions must be at `on` or more.
        window_weight: Share of the whole window in the score, 0 (newest second only) to 1.
        smooth: A score is the mean over so many decisions.
        confusable: Groups of labels that are hard to tell apart, each label once.
        groups: Label → the wider label that it belongs to.
        background: The label that is no event; in a manifest it stands beside the labels.
        update_s: Time between update messages of a running event; a run's, not in manifests.

    Raises:
        ValueError: One sentence that says which value cannot work.
    """

    on: float = 0.5
    off: float = 0.35
    per_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    min_duration_s: float = 0.5
    merge_gap_s: float = 0.5
    cool_down_s: float = 0.0
    confirm: tuple[int, int] = (2, 3)
    window_weight: float = 0.0
    smooth: int = 1
    confusable: tuple[tuple[str, ...], ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    background: str | None = None
    update_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        _check_thresholds(self.on, self.off, "")
        for label in self.per_label:
            _check_thresholds(*self.thresholds(label), f"per_label: {label!r}: ")
        n, m = self.confirm
        if not 1 <= n <= m <= MAX_CONFIRM:
            wanted = f"'confirm' must be n of m with 1 ≤ n ≤ m ≤ {MAX_CONFIRM}"
            raise ValueError(f"{wanted}, got {n} of {m}")
        if not 1 <= self.smooth <= MAX_SMOOTH:
            wanted = f"'smooth' must be an integer from 1 to {MAX_SMOOTH}"
            raise ValueError(f"{wanted}, got {self.smooth}")
        for name, low, high in (
            ("window_weight", 0.0, 1.0),
            ("min_duration_s", 0.0, MAX_SECONDS),
            ("merge_gap_s", 0.0, MAX_SECONDS),
            ("cool_down_s", 0.0, MAX_SECONDS),
            ("update_s", 0.05, MAX_SECONDS),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                wanted = f"{_shown(name)} must be a number from {low:g} to {high:g}"
                raise ValueError(f"{wanted}, got {value:g}")
        named = [label for group in self.confusable for label in group]
        if any(len(group) < 2 for group in self.confusable) or len(set(named)) < len(named):
            wanted = f"{_shown('confusable')} must be lists of two labels or more, each label once"
            raise ValueError(f"{wanted}, got {list(self.confusable)!r:.200}")
        for label in self.groups:
            self._check_line(label)

    def thresholds(self, label: str) -> tuple[float, float]:
        """Return `(on, off)` of a label."""
        own = self.per_label.get(label)
        return (self.on, self.off) if own is None else (own["on"], own["off"])

    def labels_named(self) -> Iterator[str]:
        """Yield each label that a setting names; some more than once."""
        yield from self.per_label
        for group in self.confusable:
            yield from group
        for pair in self.groups.items():
            yield from pair
        if self.background is not None:
            yield self.background

    def _check_line(self, label: str) -> None:
        """Follow a label's wider labels up."""
        line = [label]
        while line[-1] in self.groups and len(line) <= MAX_GROUP_LEVELS:
            line.append(self.groups[line[-1]])
        if len(line) > MAX_GROUP_LEVELS or self.background in line:
            raise ValueError(
                "'groups' must be an object from labels to the wider labels that they belong to, "
                f"of up to {MAX_GROUP_LEVELS} levels, no label above itself and the background "
                f"not, got {' in '.join(repr(each) for each in line)}"
            )


def _shown(name: str) -> str:
    """Return a setting's name as a message gives it: some are called otherwise in bundles."""
    in_bundles = NAMES_IN_BUNDLES.get(name)
    return repr(name) if in_bundles is None else f"{name!r} (in a bundle {in_bundles!r})"


def _check_thresholds(on: float, off: float, whose: str) -> None:
    if not 0.0 < on <= 1.0:
        raise ValueError(f"{whose}'on' must be a number above 0 to 1, got {on:g}")
    if not 0.0 < off <= on:
        raise ValueError(f"{whose}'off' must be a number above 0 to 'on', {on:g}, got {off:g}")
