"""What Ray is told before it is imported."""

from __future__ import annotations

import pytest

from realtime.cluster.pool.ray_environment import prepare


@pytest.mark.parametrize("address", ["local", "127.0.0.1:6379", "localhost:6379"])
def test_ray_of_one_machine_is_told_to_stay_there(address: str) -> None:
    environment: dict[str, str] = {}
    prepare(address, environment)

    assert environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379"])
def test_tokens_are_on_and_statistics_off(address: str) -> None:
    environment: dict[str, str] = {}
    prepare(address, environment)

    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in environment


def test_what_a_user_has_set_stays() -> None:
    environment = {"RAY_AUTH_MODE": "disabled"}
    prepare("local", environment)

    assert environment["RAY_AUTH_MODE"] == "disabled"
