"""Who has logged in, and how often anybody may try to. All of it in memory; the web thread's."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections import OrderedDict
from typing import NamedTuple

from realtime.clock import NS_PER_S, Clock

IDLE_NS = 7 * 86_400 * NS_PER_S  # who has not come for so long logs in again
MAX_SESSIONS = 100
MAX_ADDRESSES = 1000
IPV6_NETWORK = 64  # bits; a home has so many addresses that one of them is nobody


class Sessions:
    """Tokens that let somebody in until they idle too long; the oldest of too many go.

    Of a token only its hash is kept.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_ns: OrderedDict[bytes, int] = OrderedDict()  # the longest unused first

    def begin(self) -> str:
        """Return a new token."""
        token = secrets.token_urlsafe(32)
        self._until_ns[_hashed(token)] = self._clock.now_ns() + IDLE_NS
        while len(self._until_ns) > MAX_SESSIONS:
            self._until_ns.popitem(last=False)
        return token

    def holds(self, token: str) -> bool:
        """Return whether a token is good, and have it last anew."""
        key = _hashed(token)
        until_ns = self._until_ns.get(key)
        now_ns = self._clock.now_ns()
        if until_ns is None or now_ns >= until_ns:
            self._until_ns.pop(key, None)
            return False
        self._until_ns[key] = now_ns + IDLE_NS
        self._until_ns.move_to_end(key)
        return True

    def end(self, token: str) -> None:
        """Take a token back."""
        self._until_ns.pop(_hashed(token), None)


class Allowed(NamedTuple):
    """So many at once, then one each `every_s`."""

    at_once: int
    every_s: float


ONE_ADDRESS = Allowed(5, 10.0)
ALL_TOGETHER = Allowed(30, 1.0)


class LogInRate:
    """Bounds how often a password may be tried, by one address and by all together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due_ns: OrderedDict[str, int] = OrderedDict()
        self._all_due_ns = 0

    def wait_s(self, address: str) -> float:
        """Count a try, and return 0; or return how long to wait, and count nothing."""
        now_ns = self._clock.now_ns()
        who = _network(address)
        own_due_ns = self._due_ns.get(who, now_ns)
        wait_ns = max(
            _wait_ns(own_due_ns, now_ns, ONE_ADDRESS),
            _wait_ns(self._all_due_ns, now_ns, ALL_TOGETHER),
        )
        if wait_ns > 0:
            return wait_ns / NS_PER_S
        self._due_ns[who] = max(now_ns, own_due_ns) + round(ONE_ADDRESS.every_s * NS_PER_S)
        self._due_ns.move_to_end(who)
        self._all_due_ns = max(now_ns, self._all_due_ns) + round(ALL_TOGETHER.every_s * NS_PER_S)
        while len(self._due_ns) > MAX_ADDRESSES:
            self._due_ns.popitem(last=False)
        return 0.0

    def forgive(self, address: str) -> None:
        """Forget the tries of who knew the password."""
        self._due_ns.pop(_network(address), None)


def _wait_ns(due_ns: int, now_ns: int, allowed: Allowed) -> int:
    return due_ns - now_ns - round((allowed.at_once - 1) * allowed.every_s * NS_PER_S)


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, IPV6_NETWORK), strict=False))
    return str(found)


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
