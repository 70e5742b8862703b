"""A bare publisher that sends what a test wants, right or wrong."""

import json
import threading

import zmq

WAIT_S = 10.0  # far above what loopback takes


class Publisher:
    """A bare XPUB socket: it sends what a test wants, right or wrong."""

    def __init__(self, endpoint: str = "tcp://127.0.0.1:*") -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.socket.bind(endpoint)
        self.endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.senders: list[threading.Thread] = []

    def wait_for_subscription(self, prefix: bytes = b"heartbeat/") -> None:
        """`Subscriber` asks for heartbeats last."""
        while True:
            assert self.socket.poll(WAIT_S * 1000), "nobody subscribed"
            if self.socket.recv() == b"\x01" + prefix:
                return

    def send(self, topic: str, **body: object) -> None:
        fields = {"v": 1, "run": "r1", "type": topic.split("/")[0], "seq": 1, "topic_seq": 1}
        self.send_frames(topic.encode(), json.dumps({**fields, **body}).encode())

    def send_frames(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def close(self) -> None:
        for sender in self.senders:  # one may still send what nobody waits for any more
            sender.join(WAIT_S)
        self.socket.close(linger=0)
        self.context.term()
