"""What Ray is told by its environment, which it reads when it is imported. No Ray here.

Who can speak to a Ray cluster can run code on it: so its tokens are on, and where the cluster is
this machine alone it listens on loopback alone. Its usage statistics are off. Whatever a user has
set already stays.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from realtime.addresses import is_loopback

ALWAYS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_DISABLE_DOCKER_CPU_WARNING": "1",
}
# Ray's own switch, meant for other systems: a node's address is then 127.0.0.1, and nothing listens
# elsewhere. Without it Ray 2.60 listens on all interfaces, even where it is given 127.0.0.1.
ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# A node that is gone is known within two seconds, in place of Ray's half a minute.
HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


def prepare(address: str, environment: MutableMapping[str, str]) -> None:
    """Set what is not set yet.

    Args:
        address: Of the cluster's head, or `local` for one of this machine alone.
        environment: The process's.
    """
    host = address.rpartition(":")[0].strip("[]")
    is_here = address == "local" or (bool(host) and is_loopback(host))
    for name, value in {**ALWAYS, **HEALTH, **(ON_LOOPBACK if is_here else {})}.items():
        environment.setdefault(name, value)
