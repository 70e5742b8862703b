"""Several hosts on one machine: network namespaces that a bridge joins, and a Ray cluster on them.

Needs Linux, root and `ip`. A host has an address of its own, 10.77.X.N, and its own loopback. Its
cable can be pulled, after which nothing arrives any more, not even an end.
"""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.edge_processes import ROOT, TICKS, Process
from realtime.client.keys import main as keys_main

GCS_PORT = 6379
_RAY_READY_S = 120.0
_RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


def are_allowed() -> bool:
    """Whether this process may make network namespaces."""
    try:
        made = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
    except OSError:
        return False
    return made.returncode == 0 and os.geteuid() == 0


class Hosts:
    """Hosts by name; each is made when it is asked for first. `close` takes all away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers: dict[str, int] = {}
        self._mark = secrets.token_hex(2)
        self._network = f"10.77.{secrets.randbelow(250)}"  # several may be at it
        self._bridge: str | None = f"mafnet{self._mark}"
        self._ray: dict[str, Process] = {}
        self._token = folder / "ray-token"
        self._token.write_text(secrets.token_hex(32))
        self._token.chmod(0o600)
        atexit.register(self.close)
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self._network}.254/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    def address(self, host: str) -> str:
        """Return a host's address."""
        if host not in self._numbers:
            number = self._numbers[host] = len(self._numbers) + 1
            space, near, far = self._space(host), self._near(number), "veth0"
            _ip("netns", "add", space)
            _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", space)
            _ip("link", "set", near, "master", str(self._bridge), "up")
            _ip("-n", space, "addr", "add", f"{self._network}.{number}/24", "dev", far)
            _ip("-n", space, "link", "set", far, "up")
            _ip("-n", space, "link", "set", "lo", "up")
        return f"{self._network}.{self._numbers[host]}"

    def start(self, host: str, name: str, words: list[str]) -> Process:
        """Start a module of ours on a host."""
        self.address(host)
        environment = {**_RAY_ENVIRONMENT, "RAY_AUTH_TOKEN_PATH": str(self._token)}
        prefix = ["ip", "netns", "exec", self._space(host)]
        return Process(self.folder, name, words, prefix=prefix, environment=environment)

    def pull_cable(self, host: str) -> None:
        """Have nothing of a host arrive anywhere any more."""
        _ip("link", "set", self._near(self._numbers[host]), "down")

    def plug_in(self, host: str) -> None:
        """Have it again."""
        _ip("link", "set", self._near(self._numbers[host]), "up")

    def kill_all(self, host: str) -> None:
        """End all processes of a host as `kill -9` does."""
        for pid in self._pids(host):
            os.kill(pid, signal.SIGKILL)

    def cpu_s(self, host: str) -> float:
        """Return how much processor time a host's processes have used, s."""
        total = 0
        for pid in self._pids(host):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def start_ray(self, host: str, head: str, n_cpus: int) -> None:
        """Start a host's part of the cluster, and wait for it."""
        address = self.address(host)
        words = ["ray.scripts.scripts", "start", "--block", f"--node-ip-address={address}"]
        words += [f"--num-cpus={n_cpus}", "--object-store-memory=80000000"]
        if host == head:
            words += ["--head", f"--port={GCS_PORT}", "--include-dashboard=false"]
        else:
            words += [f"--address={self.address(head)}:{GCS_PORT}"]
        began = time.monotonic()
        started = self.start(host, f"ray-{host}-{time.monotonic_ns()}", words)
        self._ray[host] = started
        while "Ray runtime started" not in started.out.read_text():
            if time.monotonic() - began > _RAY_READY_S or started.process.poll() is not None:
                raise SystemExit(f"Ray does not start on {host}: {started.log.read_text()[-500:]}")
            time.sleep(0.2)

    def revive_ray(self, host: str, head: str, n_cpus: int) -> None:
        """Start a host's part of the cluster anew where it has ended, as systemd would."""
        if self._ray[host].process.poll() is not None:
            self.kill_all(host)
            self.start_ray(host, head, n_cpus)

    def close(self) -> None:
        """Take all hosts away, with what runs on them. May be called again."""
        for host in list(self._numbers):
            self.kill_all(host)
            _ip("netns", "del", self._space(host), check=False)
        if self._bridge is not None:
            _ip("link", "del", self._bridge, check=False)
        self._numbers.clear()
        self._bridge = None

    def _near(self, number: int) -> str:
        return f"mn{self._mark}{number}"

    def _space(self, host: str) -> str:
        return f"mafnet-{self._mark}-{host}"

    def _pids(self, host: str) -> list[int]:
        told = _ip("netns", "pids", self._space(host), check=False)
        return [int(word) for word in told.split()]


def make_keys(folder: Path, edges: list[str]) -> tuple[Path, dict[str, Path]]:
    """Make a pool's keys and those of its edges; return their folders."""
    pool = folder / "pool-keys"
    _keys("server", str(pool))
    own: dict[str, Path] = {}
    for name in edges:
        own[name] = folder / f"keys-{name}"
        _keys("client", str(own[name]), "--server", str(pool / "server.key"))
        _keys("allow", str(pool), str(own[name] / "client.key"), "--name", name)
    return pool, own


def _keys(*words: str) -> None:
    before, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: PTH123, SIM115
    try:
        if keys_main(list(words)):
            raise SystemExit(f"no keys: {words}")
    finally:
        sys.stdout.close()
        sys.stdout = before


def _ip(*words: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
