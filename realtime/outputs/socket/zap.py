"""Says who may connect to the event socket: ZeroMQ's authentication protocol, ZAP.

libzmq asks over an in-process socket (https://rfc.zeromq.org/spec/27) for each client that has
proved to hold the secret key of the public one it shows. pyzmq's `ThreadAuthenticator` answers too,
but with a thread and an event loop of its own, keys read once, and one broken file among them
shutting out all. Here the publisher's thread answers in its poll, and the keys are looked up in the
folder as it is now (docs/design/adr/0006-curve.md).

Whatever is not a known client of CURVE is refused. A key that is not known may be tomorrow: such a
client is sent away for now (status 300: libzmq says nothing, hangs up after `ZMQ_HANDSHAKE_IVL`,
and the client comes back by itself) and not for good (400: it would never try again). If nobody
answers, libzmq lets nobody in: `ZAP_ENFORCE_DOMAIN` is set.
"""

from __future__ import annotations

import logging
from typing import Protocol

import zmq
from zmq.utils import z85

from realtime.outputs.socket.curve_files import ServerKeys

logger = logging.getLogger(__name__)

ENDPOINT = "inproc://zeromq.zap.01"
DOMAIN = "events"
_VERSION = b"1.0"
_FOR_NOW, _FOR_GOOD = b"300", b"400"  # "temporary error", "authentication failure"
_N_FRAMES = 7  # version, request id, domain, address, identity, mechanism, CURVE's public key


class Clients(Protocol):
    """Who may come in; see `AllowedClients`."""

    def name_of(self, public: bytes) -> str | None:
        """Return the name of a client's public key (40 bytes of Z85); None for a stranger."""
        ...


class OneClient:
    """Lets one key in.

    Args:
        public: The key, 40 bytes of Z85.
        name: Its holder's.
    """

    def __init__(self, public: bytes, name: str) -> None:
        self._public = public
        self._name = name

    def name_of(self, public: bytes) -> str | None:
        """Return the name of the one key; None for any other."""
        return self._name if public == self._public else None


class Doorkeeper:
    """Answers libzmq's questions about clients; for the publisher's thread.

    Args:
        clients: Whom to let in.
        context: The publisher's own; a context has one doorkeeper.
    """

    def __init__(self, clients: Clients, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._clients = clients
        self.socket = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        try:
            self.socket.bind(ENDPOINT)
        except zmq.ZMQError:
            self.socket.close()
            raise

    def guard(self, publisher: zmq.Socket[bytes], keys: ServerKeys) -> None:
        """Have a socket, not bound yet, encrypt and ask here."""
        publisher.setsockopt(zmq.CURVE_SERVER, 1)
        publisher.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
        publisher.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
        publisher.setsockopt_string(zmq.ZAP_DOMAIN, DOMAIN)
        publisher.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def answer(self) -> int:
        """Answer all questions that wait; return how many clients were refused."""
        n_refused = 0
        while self.socket.poll(0):
            reply = decide(self.socket.recv_multipart(zmq.NOBLOCK), self._clients)
            n_refused += reply[2] != b"200"
            self.socket.send_multipart(reply, zmq.NOBLOCK)
        return n_refused

    def close(self) -> None:
        """Answer no more. May be called again."""
        self.socket.close(linger=0)


def decide(request: list[bytes], clients: Clients) -> list[bytes]:
    """Return ZAP's reply to a request; anything odd is refused."""
    request_id = request[1] if len(request) > 1 else b""
    name, status = None, _FOR_GOOD
    if (
        len(request) == _N_FRAMES
        and request[0] == _VERSION
        and request[2] == DOMAIN.encode()
        and request[5] == b"CURVE"
        and len(request[6]) == 32  # bytes of a Curve25519 key
    ):
        name, status = clients.name_of(z85.encode(request[6])), _FOR_NOW
    if name is None:
        address = request[3].decode(errors="replace") if len(request) > 3 else "somebody"
        logger.debug("a client at %s was refused: its key is not known", address)
        return [_VERSION, request_id, status, b"this key is not known here", b"", b""]
    return [_VERSION, request_id, b"200", b"OK", name.encode(errors="replace"), b""]
