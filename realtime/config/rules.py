"""What is done about events, when, and in which profile; see docs/guide/rules.md."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from realtime.addresses import MAX_PORT
from realtime.config.checks import check_choice, check_range
from realtime.config.day_times import DayTimes
from realtime.config.placeholders import check_placeholders, has_placeholder
from realtime.errors import UsageError
from realtime.redaction import HIDDEN

if TYPE_CHECKING:
    from datetime import tzinfo

NEEDS = ("any", "sound", "picture", "both")
PHASES = ("onset", "offset")
ATTACHMENTS = ("nothing", "picture", "clip")
MAX_RULES = 100
MAX_TARGETS = 20  # of one rule; each has a thread
AUTOMATIC = "auto"  # no profile's name: whoever chooses it has the schedule decide
ENVIRONMENT, FILE = "env:", "file:"
_CODE = ("-c", "-e", "-ec", "-lc", "-ic")  # of shells and interpreters
_NAME = re.compile(r"[^\W_][\w .+-]{0,39}")


def is_elsewhere(place: str) -> bool:
    """Return whether a target's address stands in the environment or in a file of its own."""
    return place.startswith(ENVIRONMENT) or (
        place.startswith(FILE) and not place.startswith(f"{FILE}//")
    )


def shown_place(place: str) -> str:
    """Return a target as settings are printed: where it stands, or its kind alone."""
    return place if is_elsewhere(place) else f"{place.partition(':')[0]}://{HIDDEN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConfig:
    """One rule: which events, when, and what is done.

    An address of `notify` and `post` may stand elsewhere: `env:NAME` is a variable's value,
    `file:/path` a file's lines.

    Attributes:
        name: The rule's, in messages and in the log.
        labels: One of these, in any case; none means all.
        confidence: At least so sure.
        senses: Which must have told it: `any`, `sound`, `picture` or `both`.
        sense_score: What such a sense must have said by itself (`evidence.alone`).
        sources: One of these streams; none means all.
        times: Times of day of the onset, such as `22:00-06:00`; none means all day.
        weekdays: Days on which those begin, such as `mon-fri`; none means all.
        profiles: In one of these; none means in all.
        phase: `onset`: once it is sure enough, while it may still go on. `offset`: at its end.
        cooldown_s: After it held, it does not for so long.
        per_hour: Nor more often than this within an hour.
        text: Of a notification; `{label}` and the like are filled in.
        attach: To a notification: `nothing`, the newest `picture`, or the `clip` once it is there.
        notify: Apprise addresses, such as `ntfy://localhost/hall`.
        run: A program and its arguments; no shell reads them.
        post: An http address that gets the event as JSON.
        timeout_s: What a program, and each try of a target, may take.
        record: The event is recorded. Then no other is, but of rules that say so too.
    """

    name: str
    labels: tuple[str, ...] = ()
    confidence: float = 0.0
    senses: str = "any"
    sense_score: float = 0.5
    sources: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    phase: str = "onset"
    cooldown_s: float = 0.0
    per_hour: int = 60
    text: str = "{label} at {source}, {time}"
    attach: str = "nothing"
    notify: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    post: str | None = None
    timeout_s: float = 10.0
    record: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                "a rule's name has up to 40 letters, digits, spaces and dashes, got "
                f"{self.name[:60]!r}"
            )
        where = f"rule {self.name!r}"
        check_choice(f"{where}: senses", self.senses, NEEDS)
        check_choice(f"{where}: phase", self.phase, PHASES)
        check_choice(f"{where}: attach", self.attach, ATTACHMENTS)
        for name, low, high in (
            ("confidence", 0.0, 1.0),
            ("sense_score", 0.0, 1.0),
            ("cooldown_s", 0.0, 1e7),
            ("per_hour", 1, 100_000),
            ("timeout_s", 0.1, 600.0),
        ):
            check_range(f"{where}: {name}", getattr(self, name), low, high)
        _ = self.when
        check_placeholders(self.text, f"{where}: text")
        if not (self.notify or self.run or self.post is not None or self.record):
            raise UsageError(f"{where} does nothing: give notify, run, post or record")
        if len(self.notify) > MAX_TARGETS:
            raise UsageError(f"{where}: notify has up to {MAX_TARGETS} addresses")
        for place in (*self.notify, *([] if self.post is None else [self.post])):
            _check_place(place, where)
        if self.post is not None and not is_elsewhere(self.post):
            check_http(self.post, f"{where}: post")
        if self.run:
            self._check_run(where)
        self._check_phase(where)

    @property
    def when(self) -> DayTimes:
        """Times and days as they are asked."""
        return DayTimes.of(self.times, self.weekdays, f"rule {self.name!r}")

    def _check_run(self, where: str) -> None:
        if not self.run[0] or "{" in self.run[0]:
            raise UsageError(f"{where}: run begins with a program, got {self.run[0]!r}")
        if any("\0" in argument for argument in self.run):
            raise UsageError(f"{where}: run has an argument with a NUL, which no program gets")
        for before, argument in itertools.pairwise(self.run):
            check_placeholders(argument, f"{where}: run")
            if before in _CODE and has_placeholder(argument):
                raise UsageError(
                    f"{where}: behind {before} of run stands code, where a value could be code "
                    'too; use its variables, such as "$MAFNET_LABEL"'
                )

    def _check_phase(self, where: str) -> None:
        if self.attach == "clip" and self.phase == "onset":
            raise UsageError(f'{where}: a clip is there at the end; set phase = "offset"')
        if self.attach != "nothing" and not self.notify:
            raise UsageError(f"{where}: attach wants notify; nothing else takes a file")
        if self.record and self.phase == "offset":
            raise UsageError(f'{where}: what has ended cannot be recorded; set phase = "onset"')


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileConfig:
    """A profile with times of its own: it holds then, unless somebody chose another.

    Attributes:
        name: As rules have it in `profiles`.
        times: Times of day, such as `23:00-06:30`; none means all day.
        weekdays: Days on which those begin, such as `mon-fri`; none means all.
    """

    name: str
    times: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_profile(self.name, "[[profile]]")
        _ = self.when

    @property
    def when(self) -> DayTimes:
        """Times and days as they are asked."""
        return DayTimes.of(self.times, self.weekdays, f"profile {self.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesConfig:
    """All rules of a run, and its profiles.

    Attributes:
        profile: The profile where no `[[profile]]` holds and nobody chose one.
        time_zone: Of all times, such as `Europe/Berlin`; None is the machine's.
        chosen: File with the profile that somebody chose, read again when it changes; None keeps
            what is chosen in memory, until the run ends.
        rules: The `[[rule]]` tables.
        profiles: The `[[profile]]` tables; of several that hold the first counts.
    """

    profile: str = "home"
    time_zone: str | None = None
    chosen: str | None = None
    rules: tuple[RuleConfig, ...] = ()
    profiles: tuple[ProfileConfig, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_profile(self.profile, "[rules]")
        _ = self.zone
        if self.chosen is not None and (not self.chosen or "\0" in self.chosen):
            raise UsageError(f"chosen under [rules] is a file, got {self.chosen!r}")
        if len(self.rules) > MAX_RULES:
            raise UsageError(f"a run has up to {MAX_RULES} rules, got {len(self.rules)}")
        for kind, names in (
            ("rule", [rule.name for rule in self.rules]),
            ("profile", [profile.name for profile in self.profiles]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise UsageError(f"two [[{kind}]] tables are called {twice[0]!r}")
        for rule in self.rules:
            for name in rule.profiles:
                check_profile(name, f"rule {rule.name!r}")

    @property
    def zone(self) -> tzinfo | None:
        """The time zone; None for the machine's.

        Raises:
            UsageError: Nobody knows it here.
        """
        if self.time_zone is None:
            return None
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise UsageError(
                "time_zone is one such as Europe/Berlin that this machine knows (package tzdata), "
                f"got {self.time_zone!r}"
            ) from error

    @property
    def profile_names(self) -> tuple[str, ...]:
        """All profiles that anything names, the one at the start first."""
        named = [profile.name for profile in self.profiles]
        named += [name for rule in self.rules for name in rule.profiles]
        return tuple(dict.fromkeys([self.profile, *named]))

    @property
    def records(self) -> bool:
        """Whether any rule records."""
        return any(rule.record for rule in self.rules)


def check_profile(name: str, where: str) -> None:
    """Refuse what is no profile's name.

    Raises:
        UsageError: It is none.
    """
    if not _NAME.fullmatch(name) or name.lower() == AUTOMATIC:
        raise UsageError(
            f"{where}: a profile is called such as home, away or night (not {AUTOMATIC}), got "
            f"{name[:60]!r}"
        )


def check_http(url: str, where: str) -> None:
    """Refuse what is no http address; the address itself is not repeated, it may hold a token.

    Raises:
        UsageError: It is none.
    """
    try:
        parts = urlsplit(url)
        is_right = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port is None or 0 < parts.port <= MAX_PORT)
        )
    except ValueError:
        is_right = False
    if not is_right or any(c.isspace() or not c.isprintable() for c in url):
        raise UsageError(f"{where} wants an address such as https://host/path")


def _check_place(place: str, where: str) -> None:
    if HIDDEN in place:
        raise UsageError(
            f"{where}: an address has been taken out by --print-config; put it back, or name "
            f"where it stands, such as {ENVIRONMENT}HALL_NTFY"
        )
    if is_elsewhere(place):
        kind, _, rest = place.partition(":")
        if not rest or "\0" in rest or (kind == "env" and "=" in rest):
            raise UsageError(f"{where}: {kind}: wants a name behind it, got {place!r}")
    elif "://" not in place:
        raise UsageError(
            f"{where}: an address is such as ntfy://localhost/hall, or {ENVIRONMENT}NAME, or "
            f"{FILE}{os.sep}path"
        )
