"""The targets of each rule, made before a run begins, so that what cannot work is said then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.config.rules import ENVIRONMENT, check_http
from realtime.errors import OutputError
from realtime.outputs.rules.command import Command
from realtime.outputs.rules.places import addresses_of
from realtime.outputs.rules.post import Post

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.config import RuleConfig
    from realtime.outputs.rules.target import Target

SECRETS = ("MAFNET_MQTT_PASSWORD",)  # of this program; a command gets none


def targets_of(rule: RuleConfig, hidden: Sequence[str]) -> list[Target]:
    """Return all that a rule tells.

    Args:
        rule: The rule.
        hidden: Variables that no command gets.

    Raises:
        OutputError: An address or a program is not there.
        LibraryMissing: Apprise is not installed.
    """
    targets: list[Target] = []
    for place in rule.notify:
        from realtime.outputs.rules.notify import Notify  # imports Apprise: only where wanted

        where = place if place.startswith(ENVIRONMENT) else "notify"
        targets += [
            Notify(rule.name, address, where, rule.timeout_s)
            for address in addresses_of(place, rule.name)
        ]
    if rule.post is not None:
        addresses = addresses_of(rule.post, rule.name)
        if len(addresses) > 1:
            raise OutputError(f"rule {rule.name!r}: post wants one address, got {len(addresses)}")
        check_http(addresses[0], f"rule {rule.name!r}: post")
        targets.append(Post(rule.name, addresses[0], rule.timeout_s))
    if rule.run:
        targets.append(Command(rule.name, rule.run, rule.timeout_s, hidden))
    return targets


def secrets_of(rules: Sequence[RuleConfig]) -> list[str]:
    """Return the variables that hold this program's secrets."""
    places = [place for rule in rules for place in (*rule.notify, rule.post or "")]
    named = [p.removeprefix(ENVIRONMENT) for p in places if p.startswith(ENVIRONMENT)]
    return [*SECRETS, *named]
