"""Events and states to an MQTT broker; the one file that knows its library.

Onsets and offsets go with quality of service 1: the library keeps those that the broker has not
acknowledged, so that a broker that is gone for a while gets them when it is back. States are
retained. They are said again after each connection, for a broker may have forgotten them, and are
not queued meanwhile: only the newest counts. The library connects, and connects again, in a thread
of its own; no broker ever holds recognition up.
"""

from __future__ import annotations

import logging
import os
import ssl
import stat
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.addresses import is_loopback
from realtime.clock import NS_PER_S, Clock, MonotonicClock
from realtime.errors import LibraryMissing, OutputError
from realtime.outputs.mqtt.switches import Switches, is_level_news
from realtime.outputs.mqtt.topics import OFF, OFFLINE, ONLINE, Said, Topics
from weights.printable import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from realtime.config import MqttConfig
    from realtime.controls import Controls
    from realtime.outputs.wire import Message
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

PASSWORD_VARIABLE = "MAFNET_MQTT_PASSWORD"
MAX_QUEUED = 10_000  # messages that a broker has not acknowledged
MAX_RETAINED = 100_000  # topics
KEEPALIVE_S = 30
RETRY_S = (1, 60)  # the first wait and the longest
LOOK_S = 0.5
LAST_S = 1.5  # for what is still under way when the program ends
MAX_PASSWORD_BYTES = 4096
QUEUE_FULL = 15  # the library's MQTT_ERR_QUEUE_SIZE


class MqttOutput:
    """Tells a broker what happens; see `realtime.outputs.output.Output`.

    Args:
        config: Which broker, and what is said to it.
        version: The program's.
        stats: Counts `mqtt_published`, `mqtt_lost`, `mqtt_connects` and `mqtt_commands`.
        controls: What the broker may switch; None for nothing.
        records: Whether anything is recorded.
        has_rules: Whether there are profiles to choose.
        levels: Returns the newest sound level of each source, dB of full scale.
        clock: The run's.
    """

    name = "mqtt"
    kinds = ("event", "status")

    def __init__(
        self,
        config: MqttConfig,
        version: str,
        stats: Stats,
        controls: Controls | None = None,
        *,
        records: bool = False,
        has_rules: bool = False,
        levels: Callable[[], Mapping[str, float | None]] = dict,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._topics = Topics(
            config.topic, config.discovery_prefix if config.discovery else None, version
        )
        self._stats = stats
        self._switches: Switches | None = None
        if controls is not None:
            self._switches = Switches(
                self._topics,
                controls,
                control=config.control,
                records=records,
                has_rules=has_rules,
            )
        self._levels = levels
        self._told_db: dict[str, float] = {}  # sound levels, by source
        self._clock = clock or MonotonicClock()
        self._looked_ns: int | None = None  # at switches, and at levels
        self._heard_ns: int | None = None
        self._client: Any = None
        self._lock = threading.Lock()  # of what both threads use: the next three
        self._retained: OrderedDict[str, str] = OrderedDict()
        self._is_connected = False
        self._fault = ""
        self._told: set[str] = set()  # sources whose labels are known
        self._running: dict[tuple[str, str], set[str]] = {}  # source, label → ids of events

    def open(self) -> None:
        """Read the password and begin to connect; a broker that is away is waited for.

        Raises:
            LibraryMissing: paho-mqtt is not installed.
            OutputError: The password or a certificate cannot be read.
        """
        try:
            import paho.mqtt.client as paho
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise LibraryMissing(
                "--mqtt needs the package paho-mqtt; run `pip install mafnet-live[mqtt]`"
            ) from error
        config = self._config
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=config.client_id)
        client.max_queued_messages_set(MAX_QUEUED)
        client.reconnect_delay_set(*RETRY_S)
        client.will_set(self._topics.status, OFFLINE, qos=1, retain=True)
        password = self._password()
        if config.user:
            client.username_pw_set(config.user, password)
        if config.tls:
            try:
                client.tls_set(ca_certs=config.ca_file)
            except (OSError, ValueError, ssl.SSLError) as error:
                raise OutputError(f"{config.ca_file}: no certificates: {error}") from error
        elif not is_loopback(config.host):
            logger.warning(
                "what happens goes to %s unencrypted; set tls = true under [mqtt] if the broker "
                "can",
                config.host,
            )
        client.on_connect = self._connected
        client.on_connect_fail = self._cannot_connect
        client.on_disconnect = self._disconnected
        client.on_message = self._asked
        self._client = client
        try:
            client.connect_async(config.host, config.port, KEEPALIVE_S)
        except ValueError as error:
            raise OutputError(f"the broker {config.host}:{config.port}: {error}") from error
        client.loop_start()

    def write(self, message: Message) -> None:
        """Take an event or a status."""
        body: dict[str, Any] = message.body
        if body["type"] == "status":
            self._take_status(body)
        elif body["phase"] != "update":
            self._take_event(body)

    def tick(self) -> None:
        """Say how switches stand, now and then, and how loud it is."""
        now_ns = self._clock.now_ns()
        if self._switches is None or not self._is_due(self._looked_ns, LOOK_S, now_ns):
            return
        if self._looked_ns is None:
            for said in self._switches.run_entities():
                self._retain(said)
        self._looked_ns = now_ns
        for said in self._switches.states():
            self._retain(said)
        if self._config.level_s and self._is_due(self._heard_ns, self._config.level_s, now_ns):
            self._heard_ns = now_ns
            self._tell_levels(self._switches)

    def _tell_levels(self, switches: Switches) -> None:
        for source, level_db in self._levels().items():
            if level_db is None or not is_level_news(level_db, self._told_db.get(source)):
                continue
            said = switches.level(source, level_db)
            if said is not None:
                self._told_db[source] = level_db
                self._retain(said)

    def _is_due(self, before_ns: int | None, every_s: float, now_ns: int) -> bool:
        return before_ns is None or now_ns - before_ns >= every_s * NS_PER_S

    def close(self) -> None:
        """Say goodbye and let go. May be called again."""
        client, self._client = self._client, None
        if client is None:
            return
        until_s = time.monotonic() + LAST_S
        with self._lock:
            is_connected = self._is_connected
        if is_connected:
            last = client.publish(self._topics.status, OFFLINE, qos=1, retain=True)
            try:
                last.wait_for_publish(max(0.1, until_s - time.monotonic()))
            except (RuntimeError, ValueError):  # lost the broker just now; its will says the same
                logger.debug("the broker went before the goodbye")
        client.disconnect()
        client.loop_stop()

    def _take_event(self, body: dict[str, Any]) -> None:
        key = (str(body["source"]), str(body["label"]))
        running = self._running.setdefault(key, set())
        if body["phase"] == "onset":
            running.add(str(body["id"]))
        else:
            running.discard(str(body["id"]))
        self._publish(self._topics.event(body))
        for said in self._topics.label_states(body, bool(running)):
            self._retain(said)

    def _take_status(self, body: dict[str, Any]) -> None:
        source = str(body["source"])
        if source not in self._told:
            self._told.add(source)
            wanted = {label.casefold() for label in self._config.labels}
            labels = [
                label
                for label in body["labels"]
                if label != body["background"] and (not wanted or label.casefold() in wanted)
            ]
            for said in self._topics.devices(source, labels):
                self._retain(said)
            if self._switches is not None:
                has_level = self._config.level_s > 0
                for said in self._switches.source_entities(source, has_level=has_level):
                    self._retain(said)
            for label in labels:  # an earlier run may have ended in the middle of an event
                self._retain(Said(self._topics.label(source, label), OFF))
        for said in self._topics.stream(body):
            self._retain(said)

    def _retain(self, said: Said) -> None:
        with self._lock:
            if self._retained.get(said.topic) == said.payload:
                return
            self._retained[said.topic] = said.payload
            self._retained.move_to_end(said.topic)
            if len(self._retained) > MAX_RETAINED:
                self._retained.popitem(last=False)
            if self._is_connected:
                self._client.publish(said.topic, said.payload, qos=1, retain=True)

    def _publish(self, said: Said) -> None:
        told = self._client.publish(said.topic, said.payload, qos=1)
        if told.rc == QUEUE_FULL:
            self._stats.count("mqtt_lost")
        else:
            self._stats.count("mqtt_published")

    # The library's thread.

    def _connected(self, client: Any, data: object, flags: object, code: Any, more: object) -> None:
        if code.is_failure:
            self._tell(f"refuses: {clean(str(code))}")
            return
        self._stats.count("mqtt_connects")
        if self._topics.birth is not None:
            client.subscribe(self._topics.birth, qos=1)
        for topic in () if self._switches is None else self._switches.command_topics:
            client.subscribe(topic, qos=1)
        client.publish(self._topics.status, ONLINE, qos=1, retain=True)
        with self._lock:
            self._is_connected = True
            self._say_again(client)
        if self._fault:
            self._fault = ""
            logger.info("the broker %s is there", self._where, extra={"subject": "mqtt"})

    def _cannot_connect(self, client: object, data: object) -> None:
        self._tell("cannot be reached")

    def _disconnected(
        self, client: object, data: object, flags: object, code: Any, more: object
    ) -> None:
        with self._lock:
            self._is_connected = False
        if code.is_failure and self._client is not None:
            self._tell(f"is gone: {clean(str(code))}")

    def _asked(self, client: Any, data: object, message: Any) -> None:
        """Obey a command; say all of it again once Home Assistant has started."""
        if message.topic == self._topics.birth:
            if message.payload == ONLINE.encode():
                with self._lock:
                    self._say_again(client)
        elif (
            self._switches is not None
            and not message.retain
            and self._switches.obey(message.topic, message.payload)
        ):
            self._stats.count("mqtt_commands")
            for said in self._switches.states():  # at once: whoever pressed it looks
                self._retain(said)

    def _say_again(self, client: Any) -> None:
        """Say all that is retained, with the lock held: nothing newer may come in between."""
        for topic, payload in self._retained.items():
            client.publish(topic, payload, qos=1, retain=True)

    def _tell(self, what: str) -> None:
        if not self._fault:  # once until it is back
            self._fault = what
            logger.warning(
                "the broker %s %s; it is tried again, events wait meanwhile",
                self._where,
                what,
                extra={"subject": "mqtt"},
            )

    @property
    def _where(self) -> str:
        return f"{self._config.host}:{self._config.port}"

    def _password(self) -> str | None:
        path = self._config.password_file
        if path is None:
            return os.environ.get(PASSWORD_VARIABLE)
        file = Path(path)
        try:
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                logger.warning("%s can be read by others; `chmod 600` it", file)
            with file.open("rb") as opened:
                return opened.read(MAX_PASSWORD_BYTES).decode().strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise OutputError(f"the password file {file} cannot be read: {reason}") from error
