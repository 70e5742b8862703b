"""What the service manager is told, and when it is told nothing."""

from __future__ import annotations

import configparser
import logging
import os
import shlex
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.clock import NS_PER_S, ManualClock
from realtime.command_line.flags import make_parser
from realtime.command_line.settings import make_config
from realtime.command_line.supervision import PATIENCE_S, ServiceManager, Watchdog

UNIT = Path(__file__).parents[3] / "realtime" / "mafnet-live.service"


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def told(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(1000).decode())
            except BlockingIOError:
                return messages


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path has 107 characters
        systemd = Systemd(f"{folder}/notify")
        yield systemd
        systemd.socket.close()


def make_service(systemd: Systemd, **environment: str) -> ServiceManager:
    return ServiceManager.of({"NOTIFY_SOCKET": systemd.address, **environment})


def test_ready_and_stopping_are_told(systemd: Systemd) -> None:
    service = make_service(systemd)
    service.ready()
    service.stopping()
    service.close()
    service.close()
    service.ready()

    assert systemd.told() == ["READY=1", "STOPPING=1"]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_abstract_name_is_understood() -> None:
    systemd = Systemd(f"@mafnet-test-{os.getpid()}")
    service = make_service(systemd)
    service.ready()
    service.close()

    assert systemd.told() == ["READY=1"]
    systemd.socket.close()


def test_nothing_is_told_without_a_service_manager() -> None:
    service = ServiceManager.of({})
    service.ready()
    service.alive()
    service.close()

    assert service.watchdog_s is None


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "many"}, None),
        ({}, None),
    ],
)
def test_watchdog_is_asked_for_by_the_environment(
    systemd: Systemd, environment: dict[str, str], watchdog_s: float | None
) -> None:
    service = make_service(systemd, **environment)
    assert service.watchdog_s == watchdog_s
    service.close()


def test_lost_service_manager_is_one_warning(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    service = make_service(systemd)
    Path(systemd.address).unlink()

    for _ in range(3):
        service.alive()
    service.close()

    assert len(caplog.records) == 1


def test_watchdog_is_fed_while_all_threads_take_steps(systemd: Systemd) -> None:
    clock = ManualClock()
    service = make_service(systemd, WATCHDOG_USEC="20000000")
    watchdog = Watchdog(service, clock)
    for n in range(200):  # 20 s
        watchdog.watch({"recognize": n, "publish": n // 2})
        clock.advance(NS_PER_S // 10)
    service.close()

    assert systemd.told() == ["WATCHDOG=1"] * 4  # four times within its patience


def test_watchdog_starves_when_a_thread_hangs_and_is_fed_again_when_it_goes_on(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    service = make_service(systemd, WATCHDOG_USEC="20000000")
    watchdog = Watchdog(service, clock)

    def run(n_seconds: int, n_recognized: int | None) -> list[str]:
        for n in range(n_seconds):
            taken = n_seconds * 1000 + n
            steps = {"recognize": taken if n_recognized is None else n_recognized, "publish": taken}
            watchdog.watch(steps)
            clock.advance(NS_PER_S)
        return systemd.told()

    with caplog.at_level(logging.INFO):
        assert run(10, None)
        assert run(11, 7)  # not yet too long
        assert run(12, 7) == []
        assert run(5, None)
    service.close()

    texts = [record.getMessage() for record in caplog.records]
    assert texts == ["recognize hangs: no step for 10 s", "recognize goes on"]


def test_thread_that_has_ended_does_not_hang(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    watchdog = Watchdog(ServiceManager(), clock)
    watchdog.watch({"recognize": 1})
    clock.advance(int(2 * PATIENCE_S * NS_PER_S))
    watchdog.watch({})  # only threads that run are told

    assert not caplog.records


def test_example_unit_runs_what_the_program_understands() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    program, *flags = shlex.split(service["ExecStart"])

    arguments = make_parser().parse_args(flags)

    assert program.endswith("/bin/mafnet-live")
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) > 2 * PATIENCE_S
    arguments.config, arguments.camera = None, "0"  # the file is the user's
    assert make_config(arguments).log_format == "json"


def test_example_service_calls_the_exit_code_of_a_stop_success() -> None:
    assert f"SuccessExitStatus={128 + signal.SIGTERM}" in UNIT.read_text().splitlines()


def test_the_unit_keeps_its_store_where_it_may_write() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    (home,) = (line.partition("MAFNET_HOME=")[2] for line in lines if "MAFNET_HOME=" in line)
    (folder,) = (line.partition("=")[2] for line in lines if line.startswith("CacheDirectory="))
    assert home == f"/var/cache/{folder}"
