"""What a client that subscribes now should learn at once: the last state of each topic. Pure.

ZeroMQ's own CONFLATE keeps one message over all topics and no multipart ones, so it cannot do this.
"""

from __future__ import annotations

from collections.abc import Iterable

from realtime.outputs.wire import Message


class LastValues:
    """Keeps a topic's last message, and for events the last one of every event that goes on.

    One thread at a time. It stays small: one message a status or prediction topic, and a stream
    has at most one running event a label.
    """

    def __init__(self) -> None:
        self._by_topic: dict[str, dict[object, Message]] = {}

    def keep(self, message: Message) -> None:
        """Take note of a message that goes out; heartbeats are soon repeated and not kept."""
        kind = message.body["type"]
        if kind == "heartbeat":
            return
        if kind != "event":
            self._by_topic[message.topic] = {None: message}
            return
        running = {
            key: kept
            for key, kept in self._by_topic.get(message.topic, {}).items()
            if kept.body["phase"] != "offset"
        }
        running[message.body["id"]] = message
        self._by_topic[message.topic] = running

    def matching(self, prefixes: Iterable[bytes]) -> list[Message]:
        """Return what a subscriber to these prefixes should get, oldest message first."""
        wanted = tuple(prefixes)
        found = [
            message
            for topic, kept in self._by_topic.items()
            if topic.encode().startswith(wanted)
            for message in kept.values()
        ]
        return sorted(found, key=_seq)


def _seq(message: Message) -> int:
    seq = message.body["seq"]
    if not isinstance(seq, int):
        raise TypeError(f"seq must be an int, got {seq!r}")
    return seq
