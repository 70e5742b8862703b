"""What a pool's actors publish, each message with its actor; for one thread.

Each message is handed out once: what an actor repeats for a new subscriber is known by its number.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq

from realtime.client.decoding import decode
from realtime.outputs.socket.bell import Bell
from realtime.outputs.socket.curve_files import read_server_keys

logger = logging.getLogger(__name__)

MAX_WAIT_MS = 100
RECEIVE_HWM = 10_000  # messages of one actor: some minutes of eight streams
MAX_BYTES = 4 << 20
MAX_BATCH = 256
_RECONNECT_MS, _RECONNECT_MAX_MS = 100, 500
_HEARTBEAT_MS, _HEARTBEAT_TIMEOUT_MS = 1000, 3000


class RelayFeed:
    """Subscribes to actors; all but `ring` is for one thread.

    Args:
        curve: Folder of the pool's keys; None where all is on loopback.
    """

    def __init__(self, curve: Path | None) -> None:
        self._keys = None if curve is None else read_server_keys(curve)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets: dict[str, tuple[str, zmq.Socket[bytes]]] = {}
        self._seen: dict[str, dict[tuple[str, str], int]] = {}
        self._bell = Bell()
        self._poller = zmq.Poller()
        self._poller.register(self._bell.fileno(), zmq.POLLIN)

    def follow(self, endpoints: Mapping[str, str]) -> None:
        """Hear these actors, by name, from now on, and no others."""
        for name in [n for n, (at, _) in self._sockets.items() if endpoints.get(n) != at]:
            _, gone = self._sockets.pop(name)
            self._seen.pop(name, None)
            self._poller.unregister(gone)
            gone.close(linger=0)
        for name, endpoint in endpoints.items():
            if name not in self._sockets:
                self._sockets[name] = (endpoint, self._connected(endpoint))

    def receive(self) -> list[tuple[str, dict[str, Any]]]:
        """Wait at most a tenth of a second; return what came, in the order of each actor."""
        ready = dict(self._poller.poll(MAX_WAIT_MS))
        if self._bell.fileno() in ready:
            self._bell.silence()
        found: list[tuple[str, dict[str, Any]]] = []
        for name, (_, subscriber) in self._sockets.items():
            if subscriber in ready:
                found += [(name, body) for body in self._drain(name, subscriber)]
        return found

    def ring(self) -> None:
        """Wake `receive`; any thread."""
        self._bell.ring()

    def close(self) -> None:
        """Hear nobody any more."""
        self.follow({})
        self._context.term()
        self._bell.close()

    def _drain(self, name: str, subscriber: zmq.Socket[bytes]) -> list[dict[str, Any]]:
        bodies: list[dict[str, Any]] = []
        seen = self._seen.setdefault(name, {})
        for _ in range(MAX_BATCH):
            if not subscriber.poll(0):
                break
            try:
                topic, body = decode(subscriber.recv_multipart(zmq.NOBLOCK))
            except ValueError as error:
                logger.warning("a broken message of actor %s was passed over: %s", name, error)
                continue
            place, number = (str(body["run"]), topic), int(str(body["topic_seq"]))
            if number > seen.get(place, 0):
                seen[place] = number
                bodies.append(body)
        return bodies

    def _connected(self, endpoint: str) -> zmq.Socket[bytes]:
        subscriber = self._context.socket(zmq.SUB)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVHWM, RECEIVE_HWM),
            (zmq.MAXMSGSIZE, MAX_BYTES),
            (zmq.RECONNECT_IVL, _RECONNECT_MS),
            (zmq.RECONNECT_IVL_MAX, _RECONNECT_MAX_MS),
            (zmq.HEARTBEAT_IVL, _HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS),
            (zmq.IPV6, int(endpoint.startswith("tcp://["))),
        ):
            subscriber.setsockopt(option, value)
        if self._keys is not None:  # the pool's pair: an actor lets nobody else in
            subscriber.setsockopt(zmq.CURVE_PUBLICKEY, self._keys.public)
            subscriber.setsockopt(zmq.CURVE_SECRETKEY, self._keys.secret)
            subscriber.setsockopt(zmq.CURVE_SERVERKEY, self._keys.public)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"")
        subscriber.connect(endpoint)
        self._poller.register(subscriber, zmq.POLLIN)
        return subscriber
