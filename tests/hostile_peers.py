"""Peers that mean harm: ZMTP spoken over a bare socket, so that nothing holds them back.

What they send is right as far as the protocol goes (https://rfc.zeromq.org/spec/23): libzmq takes
every byte of it.
"""

from __future__ import annotations

import contextlib
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

MORE, LONG, COMMAND = 1, 2, 4
GREETING = b"\xff" + b"\0" * 8 + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" * 32
WRITE_BYTES = 1 << 16
PART_BYTES = 500  # what a publisher takes in one frame
TIMEOUT_S = 2.0


def ready(kind: bytes) -> bytes:
    """Return the command that ends the handshake of a socket of this kind."""
    body = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    return bytes((COMMAND, len(body))) + body


def frame(body: bytes, *, more: bool = False) -> bytes:
    """Return a frame as it goes over the wire."""
    flags = MORE if more else 0
    if len(body) < 256:
        return bytes((flags, len(body))) + body
    return bytes((flags | LONG,)) + len(body).to_bytes(8, "big") + body


def connect(endpoint: str, kind: bytes = b"SUB") -> socket.socket:
    """Connect to `tcp://…` or `ipc://…` and shake hands."""
    scheme, _, place = endpoint.partition("://")
    if scheme == "ipc":
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(TIMEOUT_S)
        peer.connect("\0" + place[1:] if place.startswith("@") else place)
    else:
        host, _, port = place.rpartition(":")
        peer = socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_S)
    peer.settimeout(TIMEOUT_S)
    peer.sendall(GREETING + ready(kind))
    answer = b""
    while b"Socket-Type" not in answer:  # a message before that is an error of the protocol
        part = peer.recv(WRITE_BYTES)
        if not part:
            raise ConnectionResetError("hung up on during the handshake")
        answer += part
    return peer


def endless_message(rng: random.Random) -> Iterator[bytes]:
    """One message whose last frame never comes."""
    part = frame(b"\x02" + rng.randbytes(PART_BYTES), more=True)
    while True:
        yield part


def endless_subscription(rng: random.Random) -> Iterator[bytes]:
    """Likewise, and its first frame is a subscription."""
    yield frame(b"\x01event/", more=True)
    yield from endless_message(rng)


def whole_messages(rng: random.Random) -> Iterator[bytes]:
    """Messages that are no subscriptions: an XPUB hands each to its program."""
    part = frame(b"\x02" + rng.randbytes(PART_BYTES))
    while True:
        yield part


def new_subscriptions(rng: random.Random) -> Iterator[bytes]:
    """Subscriptions to ever other topics: each byte of them is a node of a tree."""
    while True:
        yield frame(b"\x01" + rng.randbytes(PART_BYTES))


def same_subscription(rng: random.Random) -> Iterator[bytes]:
    """One subscription again and again: each wants the last state of all topics."""
    part = frame(b"\x01") * 1000
    while True:
        yield part


def on_and_off(rng: random.Random) -> Iterator[bytes]:
    """Subscribing and unsubscribing in turn."""
    part = (frame(b"\x01event/") + frame(b"\x00event/")) * 500
    while True:
        yield part


def pings(rng: random.Random) -> Iterator[bytes]:
    """ZMTP's heartbeats; each wants an answer."""
    body = b"\x04PING\0\0"
    part = (bytes((COMMAND, len(body))) + body) * 1000
    while True:
        yield part


ATTACKS: dict[str, Callable[[random.Random], Iterator[bytes]]] = {
    attack.__name__: attack
    for attack in (
        endless_message,
        endless_subscription,
        whole_messages,
        new_subscriptions,
        same_subscription,
        on_and_off,
        pings,
    )
}


def send_for(
    endpoint: str,
    attack: Callable[[random.Random], Iterator[bytes]],
    seconds: float,
    most_bytes: int = 1 << 62,
) -> tuple[int, int]:
    """Attack for some seconds, coming back whenever the other side hangs up.

    Args:
        endpoint: Whom.
        attack: What is sent.
        seconds: How long in all.
        most_bytes: After so many it hangs up itself and comes back.

    Returns:
        How many bytes went out, over how many connections.
    """
    deadline = time.monotonic() + seconds
    n_bytes = n_connections = 0
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), connect(endpoint) as peer:
            n_connections += 1
            threading.Thread(target=_drain, args=(peer.dup(),), daemon=True).start()
            parts = attack(random.Random(n_connections))
            n_before = n_bytes
            while time.monotonic() < deadline and n_bytes - n_before < most_bytes:
                block = bytearray()
                while len(block) < min(WRITE_BYTES, most_bytes):
                    block += next(parts)
                n_bytes += peer.send(block)
    return n_bytes, n_connections


def endless_crumbs(rng: random.Random) -> Iterator[bytes]:
    """One message of empty frames: two bytes each on the wire, sixty-four in libzmq."""
    yield frame(b"event/door/", more=True)
    part = frame(b"", more=True) * 10_000
    while True:
        yield part


def endless_parts(rng: random.Random) -> Iterator[bytes]:
    """One message of large frames."""
    yield frame(b"event/door/", more=True)
    part = frame(rng.randbytes(1 << 20), more=True)
    while True:
        yield part


def large_messages(rng: random.Random) -> Iterator[bytes]:
    """Whole messages of nearly the largest size, and no JSON."""
    part = frame(b"event/door/", more=True) + frame(b"[]," * (1 << 20))
    while True:
        yield part


def deep_messages(rng: random.Random) -> Iterator[bytes]:
    """Messages that cost the most to read as JSON."""
    head = b'{"v":1,"run":"r","type":"event","seq":1,"topic_seq":1,"x":['
    part = frame(b"event/door/", more=True) + frame(head + b"{}," * (1 << 20) + b"{}]}")
    while True:
        yield part


def new_topics(rng: random.Random) -> Iterator[bytes]:
    """Ever new topics, in topics and in heartbeats."""
    head = b'"v":1,"run":"r","seq":1,"topic_seq":1'
    while True:
        names = [b'"event/%d/":1' % rng.randrange(1 << 62) for _ in range(1000)]
        beat = b"{" + head + b',"type":"heartbeat","topics":{' + b",".join(names) + b"}}"
        yield frame(b"heartbeat/", more=True) + frame(beat)
        for name in names:
            body = b"{" + head + b',"type":"event","label":"x"}'
            yield frame(name[1:-3], more=True) + frame(body)


PUBLISHED: dict[str, Callable[[random.Random], Iterator[bytes]]] = {
    attack.__name__: attack
    for attack in (endless_crumbs, endless_parts, large_messages, deep_messages, new_topics)
}


def publish(listener: socket.socket, attack: Callable[[random.Random], Iterator[bytes]]) -> None:
    """Send an attack to whoever connects, one after the other, until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            peer, _ = listener.accept()
            with contextlib.suppress(OSError), peer:
                peer.sendall(GREETING + ready(b"XPUB"))
                answer = b""
                while b"Socket-Type" not in answer and (part := peer.recv(WRITE_BYTES)):
                    answer += part
                for block in attack(random.Random(0)):
                    peer.sendall(block)


def _drain(peer: socket.socket) -> None:
    """Read what comes, as a client does that wants more."""
    with contextlib.suppress(OSError), peer:
        while peer.recv(WRITE_BYTES):
            pass


def main(arguments: list[str]) -> int:
    """Attack: ENDPOINT ATTACK SECONDS [BYTES]; a process of its own, so that each has a core.

    With the name of a publisher's attack alone it listens, prints its port and ends when killed.
    """
    if len(arguments) == 1:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print(listener.getsockname()[1], flush=True)
            publish(listener, PUBLISHED[arguments[0]])
        return 0
    endpoint, name, seconds, *most = arguments
    n_bytes, n_connections = send_for(
        endpoint, ATTACKS[name], float(seconds), **({"most_bytes": int(most[0])} if most else {})
    )
    print(n_bytes, n_connections, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
