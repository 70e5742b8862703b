"""A pool on Ray over two hosts, with a front and an edge on each of some others."""

from __future__ import annotations

import re
import time
from pathlib import Path

from benchmarks.edge_processes import Ear, Process
from benchmarks.pool_hosts import GCS_PORT, Hosts, make_keys

HEAD, OTHER = "one", "two"
EDGE_PORT, EVENT_PORT = 5570, 5556
SETTLE_S = 15.0


class Pool:
    """Two hosts of a cluster, a front on the first, an edge on each of two others."""

    def __init__(
        self,
        folder: Path,
        profile: str,
        edges: dict[str, list[str]],
        *,
        waits: bool = False,
    ) -> None:
        self.folder = folder
        self.sources = edges
        self.hosts = Hosts(folder)
        self.names = list(edges)
        keys, self.keys = make_keys(folder, self.names)
        for host in (HEAD, OTHER):
            self.hosts.start_ray(host, HEAD, 1)
        address = self.hosts.address(HEAD)
        words = ["realtime.pool", "--ray", f"{address}:{GCS_PORT}", "--actors", "2"]
        words += ["--bind", f"tcp://{address}:{EDGE_PORT}", "--curve", str(keys)]
        words += [word for name in edges for word in ("--edge", name)]
        words += ["--", "--bind", f"tcp://{address}:{EVENT_PORT}", "--insecure", "--no-dashboard"]
        words += ["--profile", profile]
        self._words = words
        self.start_front()
        self.ear = Ear(f"tcp://{address}:{EVENT_PORT}")
        self.ear.wait_for(lambda: self.ear.of("heartbeat"))
        if waits:  # so that no stream moves any more
            self.ear.wait_for(lambda: {self.place(name)[0] for name in edges} == {HEAD, OTHER})
        self.edges = {name: self.edge(name) for name in edges}

    def start_front(self) -> None:
        """Start what edges and subscribers know."""
        self.front = self.hosts.start(HEAD, f"pool-{time.monotonic_ns()}", self._words)

    def edge(self, name: str) -> Process:
        """Start an edge on its host."""
        to = f"tcp://{self.hosts.address(HEAD)}:{EDGE_PORT}"
        words = ["realtime.edge", *self.sources[name], "--name", name, "--to", to]
        words += ["--curve", str(self.keys[name]), "-v"]
        return self.hosts.start(f"edge-{name}", f"edge-{name}-{time.monotonic_ns()}", words)

    def place(self, name: str) -> tuple[str, int]:
        """Return where a stream is recognized: host and process."""
        found = re.findall(rf"{name} (?:is recognized by|goes on at) .*", self.said())
        told = re.search(r"at ([\d.]+), process (\d+)", found[-1]) if found else None
        if told is None:
            return "", 0
        host = HEAD if told[1] == self.hosts.address(HEAD) else OTHER
        return host, int(told[2])

    def wait_until_apart(self) -> None:
        """Wait until each host has a stream, both decide, and all has been calm for a while."""
        self.hosts.revive_ray(OTHER, HEAD, 1)
        wanted = {HEAD, OTHER}
        self.ear.wait_for(lambda: {self.place(name)[0] for name in self.names} == wanted)
        since = time.monotonic()
        self.ear.wait_for(
            lambda: all(
                sum(at > since for at, _ in self.ear.of("prediction", name)) >= 10
                for name in self.names
            )
        )
        time.sleep(SETTLE_S)

    def said(self) -> str:
        """Return the front's log."""
        return self.front.log.read_text()

    def close(self) -> None:
        """End all."""
        self.ear.close()
        for each in (*self.edges.values(), self.front):
            each.end()
        self.hosts.close()
