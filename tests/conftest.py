"""What holds for all tests: examples may take their time, and logging is as each test found it."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from client_publisher import Publisher
from weights.dependencies import rule_out_telemetry

rule_out_telemetry()  # some tests import OpenVINO by themselves
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def logging_as_found() -> Iterator[None]:
    """Take away the handlers that a command set up: their stream ends with the test."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if not type(handler).__module__.startswith("_pytest"):
            root.removeHandler(handler)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """Publish as a recognizer does, to whoever subscribes; see its class."""
    publisher = Publisher()
    yield publisher
    publisher.close()
