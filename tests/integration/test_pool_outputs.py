"""History, broker, rules and page of a pool on Ray are those of any run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from benchmarks.edge_processes import Ear, Process, free_port
from integration.mosquitto import MOSQUITTO, Broker, Listener
from integration.processes import run_module

RULES = """
[[rule]]
name = "siren"
labels = ["Siren"]
run = ["/bin/sh", "-c", 'echo "$MAFNET_LABEL" >> {file}']
"""


def asked(port: int, path: str) -> Any:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + 20.0
    while not what():
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.1)


@pytest.mark.soak
@pytest.mark.skipif(not Path(MOSQUITTO).exists(), reason="mosquitto is not installed")
@pytest.mark.timeout(600)
def test_history_broker_rules_and_page_have_the_events_of_a_pool_on_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    edge_port, events, page = free_port(), free_port(), free_port()
    history, fired, settings = (tmp_path / n for n in ("history.db", "fired", "rules.toml"))
    settings.write_text(RULES.format(file=fired))
    broker = Broker(tmp_path)
    listener = Listener(broker)
    words = ["realtime.pool", "--ray", "local", "--actors", "1", "--spare", "0", "--edge", "door"]
    words += ["--bind", f"tcp://127.0.0.1:{edge_port}", "--", "--no-dashboard"]
    words += ["--bind", f"tcp://127.0.0.1:{events}", "--web", f"127.0.0.1:{page}"]
    words += ["--history", str(history), "--mqtt", f"127.0.0.1:{broker.port}"]
    words += ["--config", str(settings), "--profile", "small"]
    pool = Process(tmp_path, "pool", words)
    ear = Ear(f"tcp://127.0.0.1:{events}")
    to = f"tcp://127.0.0.1:{edge_port}"
    edge = Process(
        tmp_path, "door", ["realtime.edge", "--source", "demo", "--name", "door", "--to", to]
    )
    try:
        ear.wait_for(
            lambda: any(
                body["phase"] == "offset" and body["label"] == "Siren"
                for _, body in ear.of("event", "door")
            )
        )
        told = next(body for _, body in ear.of("event", "door") if body["label"] == "Siren")
        wait_for(fired.exists)
        assert fired.read_text() == "Siren\n"
        wait_for(lambda: [e for e in listener.events if e["id"] == told["id"]])
        wait_for(lambda: asked(page, "/api/events")["events"])
        assert asked(page, "/api/events")["events"][-1]["label"] == "Siren"
        assert len(asked(page, "/api/live")["sources"]) == 1
    finally:
        ear.close()
        listener.close()
        codes = [edge.end(), pool.end()]
        broker.stop()
    assert codes == [143, 143], pool.log.read_text()
    assert "Traceback" not in pool.log.read_text()
    listed = run_module("realtime.history", "export", str(history), "--format", "jsonl")
    assert listed.returncode == 0, listed.stderr
    kept = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {"Siren"} <= {each["label"] for each in kept}
