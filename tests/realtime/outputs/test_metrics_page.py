"""The page that Prometheus reads."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from realtime.addresses import split_address
from realtime.config import RunConfig, SourceConfig
from realtime.errors import OutputError, UsageError
from realtime.outputs import metrics_server
from realtime.outputs.metrics import MetricsPage
from realtime.stats import Stats

pytestmark = pytest.mark.timeout(60)


def make_page(stats: Stats, address: str = "127.0.0.1:0", *, insecure: bool = False) -> MetricsPage:
    senses = {"front-door": {"picture": "ok", "sound": "lost"}}
    slow = Stats(stats)
    slow.observe_step(100.0, 900.0)
    slow.count("frames", 3)
    streams = {"front-door": slow, "yard": Stats(stats)}
    return MetricsPage(
        address,
        stats.snapshot,
        lambda: {name: figures.snapshot() for name, figures in streams.items()},
        lambda: senses,
        lambda: 2,
        insecure=insecure,
    )


@pytest.fixture
def stats() -> Stats:
    stats = Stats()
    stats.count("frames", 7)
    return stats


@pytest.fixture
def port(stats: Stats) -> Iterator[int]:
    page = make_page(stats)
    yield page.open()
    page.close()
    page.close()


def scrape(port: int) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    return {(s.name, *sorted(s.labels.values())): s.value for s in samples}


def test_page_tells_the_figures_as_of_now(stats: Stats, port: int) -> None:
    assert scrape(port)[("mafnet_frames_total",)] == 10

    stats.count("frames")
    stats.observe_step(20.0, 40.0)
    stats.observe_sound_level(-30.0)
    stats.observe_drift(120.0)

    figures = scrape(port)
    assert figures[("mafnet_frames_total",)] == 11
    assert 0.04 <= figures[("mafnet_latency_seconds", "0.5")] < 0.9
    assert 0.02 <= figures[("mafnet_compute_seconds", "0.5")] < 0.1
    assert figures[("mafnet_sound_level_db",)] == -30.0
    assert figures[("mafnet_drift_ppm",)] == 120.0
    assert figures[("mafnet_sense_state", "front-door", "lost", "sound")] == 1
    assert figures[("mafnet_subscribers",)] == 2


def test_events_are_counted_by_label_and_stream() -> None:
    run = Stats()
    door, yard = Stats(run), Stats(run)
    for label in ("Siren", "Bark", "Siren"):
        door.count_event(label)
    yard.count_event("Bark")
    several = {"door": door, "yard": yard}
    senses = {name: {"sound": "ok"} for name in several}

    def counted(streams: dict[str, Stats]) -> dict[tuple[str, str], float]:
        page = MetricsPage(
            "127.0.0.1:0",
            (run if streams else door).snapshot,
            lambda: {name: figures.snapshot() for name, figures in streams.items()},
            lambda: senses if streams else {"door": senses["door"]},
            lambda: None,
        )
        (family,) = (each for each in page.collect() if each.name == "mafnet_label_events")
        return {(s.labels["source"], s.labels["label"]): s.value for s in family.samples}

    siren_and_bark = {("door", "Siren"): 2, ("door", "Bark"): 1}
    assert counted(several) == {**siren_and_bark, ("yard", "Bark"): 1}
    assert counted({}) == siren_and_bark  # one stream's figures are the run's
    assert run.snapshot().count("events") == 4


def ask(port: int, *headers: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 30) as asking:
        asking.sendall("\r\n".join(("GET /metrics HTTP/1.0", *headers, "", "")).encode())
        answer = b""
        while part := asking.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:{}", "localhost:{}", "LocalHost", "[::1]:{}", "127.1.2.3:80"]
)
def test_page_answers_who_asks_for_this_machine(port: int, host: str) -> None:
    answer = ask(port, f"Host: {host.format(port)}")
    assert answer.startswith(b"HTTP/1.0 200")
    assert b"mafnet_frames_total" in answer


@pytest.mark.parametrize(
    "headers",
    [
        ["Host: evil.example"],
        ["Host: evil.example:{}"],
        ["Host: localhost.evil.example:{}"],
        ["Host: 127.0.0.1.evil.example"],
        ["Host: 127.0.0.1@evil.example"],
        ["Host: evil.example#127.0.0.1"],
        ["Host: [::1].evil.example"],
        ["Host: 192.0.2.1:{}"],
        ["Host:"],
        ["Host: [::1"],
        ["Host: 127.0.0.1, evil.example"],
        [],
    ],
)
def test_page_tells_nothing_to_whom_another_name_led_here(port: int, headers: list[str]) -> None:
    answer = ask(port, *(header.format(port) for header in headers))
    assert answer.startswith(b"HTTP/1.0 403")
    assert b"mafnet_" not in answer


def test_page_tells_each_stream_s_own_figures(port: int) -> None:
    figures = scrape(port)
    assert figures[("mafnet_stream_frames_total", "front-door")] == 3
    assert figures[("mafnet_stream_frames_total", "yard")] == 0
    assert figures[("mafnet_stream_latency_seconds", "0.95", "front-door")] == pytest.approx(0.9)
    assert ("mafnet_stream_latency_seconds", "0.95", "yard") not in figures


def test_taken_port_is_one_sentence(stats: Stats, port: int) -> None:
    with pytest.raises(OutputError, match="is taken by another program"):
        make_page(stats, f"127.0.0.1:{port}").open()


def test_port_is_free_again_after_the_close(stats: Stats) -> None:
    page = make_page(stats)
    port = page.open()
    page.close()

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "192.0.2.1:9464", "[::]:9464", "eth0:1"])
def test_address_that_others_reach_is_refused_unless_meant(stats: Stats, address: str) -> None:
    with pytest.raises(UsageError, match="--insecure"):
        make_page(stats, address)
    make_page(stats, address, insecure=True)


@pytest.mark.parametrize("address", ["", "9464", ":9464", "127.0.0.1", "127.0.0.1:x", "h:99999"])
def test_address_without_host_or_port_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="an address such as"):
        RunConfig(source=SourceConfig(name="demo", kind="demo"), metrics=address)


def test_address_is_split_at_its_port() -> None:
    assert split_address("[::1]:9464") == ("::1", 9464)


def test_missing_library_is_one_sentence(stats: Stats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UsageError, match="pip install prometheus-client"):
        make_page(stats)


@pytest.mark.device  # real time
def test_idle_connections_cost_little_and_end(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server._Handler, "timeout", 0.5)
    n_before = threading.active_count()
    with contextlib.ExitStack() as all_of_them:
        for _ in range(100):
            idle = socket.create_connection(("127.0.0.1", port))
            all_of_them.enter_context(idle)
        ended = []
        idle.settimeout(30)
        with contextlib.suppress(ConnectionResetError):  # as good as an end
            ended.append(idle.recv(1))  # the last one was taken or hung up on, all before it too
        assert threading.active_count() <= n_before + metrics_server.MAX_AT_ONCE
        while threading.active_count() > n_before:  # the test's time-out ends it
            time.sleep(0.05)
        assert scrape(port)[("mafnet_frames_total",)] == 10
        assert ended in ([], [b""])


def test_who_goes_before_the_answer_leaves_no_traceback(
    port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    n_before = threading.active_count()
    for _ in range(20):
        hasty = socket.create_connection(("127.0.0.1", port))
        hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        hasty.sendall(b"GET /metrics HTTP/1.0\r\n")
        hasty.close()
    assert scrape(port)
    while threading.active_count() > n_before:
        time.sleep(0.05)

    assert capfd.readouterr().err == ""
