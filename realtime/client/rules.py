"""`python -m realtime.rules`: tries rules on what happened, and chooses a run's profile.

    python -m realtime.rules try rules.toml events.db --since 2026-11-30 --why
    python -m realtime.rules choose rules.toml away

Nothing is told or run: the same engine that judges a run goes through its history. Exit codes: 0
done, 1 a file cannot be used, 2 usage.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.client.command import run_command
from realtime.client.history import moment_ms
from realtime.clock import format_utc
from realtime.command_line.config_file import read_config_file
from realtime.command_line.settings import rules_config
from realtime.controls import Profiles
from realtime.errors import UsageError
from realtime.outputs.history.reader import HistoryReader, Wanted, messages
from realtime.outputs.history.schema import open_to_read
from realtime.outputs.rules.engine import RuleEngine, Verdict
from realtime.outputs.rules.fact import Fact
from weights.paths import to_path
from weights.printable import PlainParser, clean, json_text
from weights.program import called_as

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realtime.config import RuleConfig, RulesConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("rules", make_parser().parse_args(argv))


def make_parser() -> argparse.ArgumentParser:
    """Return the flags."""
    parser = PlainParser(
        prog=called_as("realtime.rules"),
        description="Rules of mafnet-live: what would have held, and which profile holds.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    trying = commands.add_parser("try", help="which rule would have held; nothing is told or run")
    trying.add_argument("config", type=to_path, help="the settings with the rules")
    trying.add_argument("history", type=to_path, help="what mafnet-live --history kept")
    trying.add_argument("--since", type=moment_ms, metavar="TIME", help="from this UTC time on")
    trying.add_argument("--until", type=moment_ms, metavar="TIME", help="before this UTC time")
    trying.add_argument("--rule", metavar="NAME", help="only this one")
    trying.add_argument("--profile", metavar="NAME", help="as if somebody had chosen it")
    trying.add_argument("--why", action="store_true", help="also why a rule did not hold")
    trying.add_argument("--json", action="store_true", help="as JSON lines")
    trying.set_defaults(run=_try)

    choosing = commands.add_parser("choose", help="have a profile hold, in a run that goes on too")
    choosing.add_argument("config", type=to_path, help="the settings with `chosen` under [rules]")
    choosing.add_argument("profile", help="its name; auto for the times of its table")
    choosing.set_defaults(run=_choose)
    return parser


def _try(arguments: argparse.Namespace) -> int:
    config = _rules(arguments.config)
    if arguments.rule is not None:
        rules = tuple(rule for rule in config.rules if rule.name == arguments.rule)
        if not rules:
            known = ", ".join(rule.name for rule in config.rules)
            raise UsageError(f"there is no rule {arguments.rule!r}; there is {known}")
        config = replace(config, rules=rules)
    if not config.rules:
        raise UsageError(f"{arguments.config} has no [[rule]] tables")
    profiles = Profiles(replace(config, chosen=None))
    if arguments.profile is not None:
        profiles.choose(arguments.profile)
    with closing(open_to_read(arguments.history)) as connection:
        reader = HistoryReader(connection)
        facts = _facts(reader, Wanted(since_ms=arguments.since, until_ms=arguments.until))
    n_held = dict.fromkeys((rule.name for rule in config.rules), 0)
    for verdict in _verdicts(RuleEngine(config, profiles), facts):
        n_held[verdict.rule.name] += not verdict.why_not
        if arguments.why or not verdict.why_not:
            print(_as_json(verdict) if arguments.json else _line(verdict))
    if not arguments.json:
        n_events = len({fact.id for fact in facts})
        for name, n in n_held.items():
            print(clean(f"{name}: {n} of {n_events} events"))
    return 0


def _choose(arguments: argparse.Namespace) -> int:
    config = _rules(arguments.config)
    if config.chosen is None:
        raise UsageError(
            f"{arguments.config} names no file for it; set chosen under [rules], such as "
            'chosen = "/var/lib/mafnet/profile"'
        )
    Profiles(config).choose(arguments.profile)
    return 0


def _rules(path: Path) -> RulesConfig:
    config = rules_config(read_config_file(path))
    if config is None:
        raise UsageError(f"{path} has no rules; write [[rule]] tables")
    return config


def _facts(reader: HistoryReader, wanted: Wanted) -> list[Fact]:
    """Return what was told of each event, first and last, in the order of time."""
    dated = []
    for row in reader.events(wanted):
        first, last = messages(row)
        onset = Fact.of({**first, "phase": "onset"})
        dated.append((row["onset_ms"], 0, onset))
        if last["phase"] != "onset":
            when = row["told_ms"] if row["offset_ms"] is None else row["offset_ms"]
            dated.append((max(when, row["onset_ms"]), 1, Fact.of(last)))
    dated.sort(key=lambda each: (each[0], each[1], each[2].id))
    return [fact for _, _, fact in dated]


def _verdicts(engine: RuleEngine, facts: Sequence[Fact]) -> Iterator[Verdict]:
    for fact in facts:
        yield from engine.judge(fact)
    yield from engine.finish()


def _line(verdict: Verdict) -> str:
    fact = verdict.fact
    said = f"no: {verdict.why_not}" if verdict.why_not else ", ".join(_deeds(verdict.rule))
    return clean(
        f"{format_utc(fact.onset)} {fact.source} {fact.label} {fact.confidence:.2f}  "
        f"{verdict.rule.name}: {said}"
    )


def _as_json(verdict: Verdict) -> str:
    fact = verdict.fact
    told: dict[str, Any] = {
        "id": fact.id,
        "onset": format_utc(fact.onset),
        "source": fact.source,
        "label": fact.label,
        "confidence": fact.confidence,
        "rule": verdict.rule.name,
        "profile": verdict.profile,
        "held": not verdict.why_not,
        "why_not": verdict.why_not or None,
        "does": [] if verdict.why_not else _deeds(verdict.rule),
    }
    return json_text(told)


def _deeds(rule: RuleConfig) -> list[str]:
    """Return what a rule does, without its addresses."""
    deeds = {
        "notify": rule.notify,
        "run": rule.run,
        "post": rule.post is not None,
        "record": rule.record,
    }
    return [name for name, is_done in deeds.items() if is_done]
