"""A whole live stream in one thread, its time moved by hand: the product from intake to subscriber.

Real: intakes, rings, clip assembler, tracker, stream, messages, ZeroMQ publisher, a subscriber's
judgement of gaps. Stood in for: the devices (`fault_layer`) and the networks (`quick_recognition`).

The scene: every 8 s a tone of 3 s begins, and 4 s later a flash of light of 2 s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from faults.fault_layer import (
    BLOCK_S,
    BLOCK_SAMPLES,
    FRAME_S,
    SAMPLE_RATE,
    Delivery,
    Fault,
    Injected,
    apply,
)
from quick_recognition import QuickRecognizer, quick_bundle
from realtime.client.continuity import Continuity
from realtime.clips.assembler import ClipAssembler
from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock, Timeline, WallClock
from realtime.config import PublisherConfig, RunConfig, SourceConfig, WindowConfig
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.sources.base import Inlet
from realtime.stats import Stats
from realtime.stream import Stream
from realtime.threads.mailbox import Mailbox, Policy

TICK_NS = 20 * NS_PER_MS
PERIOD_S, TONE_S, FLASH_FROM_S, FLASH_S, FIRST_S = 8.0, 3.0, 4.0, 2.0, 2.0
RECOVERY_S = 3.0
PATIENCE_S = 0.25
HOP_S = 0.25
LATENCY_BOUND_MS = 1000 * PATIENCE_S + 100.0
STARTED = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Truth:
    """One thing that happened in the scene."""

    label: str
    onset_s: float
    offset_s: float


def scene(length_s: float) -> list[Truth]:
    """Return all that happens, whole, before `length_s`."""
    told = []
    start = FIRST_S
    while start + PERIOD_S <= length_s:
        told.append(Truth("Tone", start, start + TONE_S))
        told.append(Truth("Flash", start + FLASH_FROM_S, start + FLASH_FROM_S + FLASH_S))
        start += PERIOD_S
    return told


def sounds(length_s: float, drift: float = 0.0) -> list[Delivery]:
    """Return the blocks of a microphone whose crystal runs `drift` slow (1e-6: ppm)."""
    block_s = BLOCK_S * (1.0 + drift)
    out = []
    for k in range(int(length_s / block_s)):
        start_s = k * block_s
        t_s = start_s + np.arange(BLOCK_SAMPLES) * block_s / BLOCK_SAMPLES
        phase = (t_s - FIRST_S) % PERIOD_S
        loud = (phase < TONE_S) & (t_s >= FIRST_S)
        wave = np.where(loud, 0.6, 0.001) * np.sin(2 * np.pi * 440 * t_s)
        out.append(Delivery(start_s + block_s, start_s, start_s, wave.astype(np.float32)))
    return out


def pictures(length_s: float, fps: float = 1 / FRAME_S) -> list[Delivery]:
    """Return the frames of a camera that hands each over at once."""
    out = []
    for k in range(int(length_s * fps)):
        t_s = k / fps
        phase = (t_s - FIRST_S) % PERIOD_S
        bright = FLASH_FROM_S <= phase < FLASH_FROM_S + FLASH_S and t_s >= FIRST_S
        image: NDArray[np.uint8] = np.full((6, 8, 3), 250 if bright else 10, np.uint8)
        out.append(Delivery(t_s, t_s, t_s, image))
    return out


def prepare(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mean = image.reshape(-1, 3).mean(axis=0)
    return np.broadcast_to(mean.astype(np.uint8), (2, 2, 3)).copy()


@dataclass
class Told:
    """What a healthy subscriber got, and what the run's figures say."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    injected: Injected = field(default_factory=Injected)
    alive: bool = True

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [body for body in self.bodies if body["type"] == kind]


class Rig:
    """Runs one script; `run` returns what was told.

    Args:
        faults: The script. Of sense `run`: `busy` (recognition gets no processor), `deaf` (the
            publisher's thread gets none), `held` (another subscriber does not read).
        length_s: Of the stream.
        drift: Of the microphone's crystal.
        fps: Of the camera.
        seed: Of what is random in a fault.
        senses: Which of them the device has.
    """

    def __init__(
        self,
        faults: list[Fault],
        length_s: float,
        *,
        drift: float = 0.0,
        fps: float = 1 / FRAME_S,
        seed: int = 0,
        senses: tuple[str, ...] = ("sound", "picture"),
    ) -> None:
        self.told = Told()
        self.faults, self.length_s = faults, length_s
        self.clock, self.stats = ManualClock(), Stats()
        config = SourceConfig(
            name="door", kind="live", camera="0", microphone="default", patience_s=PATIENCE_S
        )
        window = WindowConfig(hop_s=HOP_S, n_clips=4)
        self.rings = Rings(config, 2, Timeline(WallClock.fixed(STARTED)), self.stats)
        inlet = Inlet(
            timeline=self.rings.timeline,
            frames=self.rings.frames,
            sounds=self.rings.sounds,
            prepare=prepare,
            live=True,
            clock=self.clock,
            stats=self.stats,
        )
        self.video, self.audio = inlet.video_intake(), inlet.audio_intake(SAMPLE_RATE, 1)
        assembler = ClipAssembler(
            config,
            window,
            self.rings.timeline,
            self.rings.frames if "picture" in senses else None,
            self.rings.sounds if "sound" in senses else None,
            self.clock,
            self.stats,
        )
        self.mailbox: Mailbox[Message] = Mailbox(1000, Policy.DROP_OLDEST)
        stamper = MessageStamper(
            "run1", self.clock, WallClock.fixed(STARTED), window_clips=4, window_weight=0.0
        )
        self.recognizer = QuickRecognizer(
            None, 4, assembler.stride_ns, self.clock, self.stats, dated=True
        )
        run = RunContext(
            config=RunConfig(source=config, window=window),
            bundle=quick_bundle(),
            events=quick_bundle(background="Background").events,
            clock=self.clock,
            wall=WallClock.fixed(STARTED),
            stamper=stamper,
            emit=self.mailbox.put,
        )
        self.stream = Stream(
            run,
            config,
            rings=self.rings,
            assembler=assembler,
            stats=self.stats,
            device="cpu",
            backend="stand-in",
        )
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.publisher = ZmqPublisher(
            PublisherConfig(bind="inproc://events", send_hwm=50),
            self.mailbox,
            lambda: stamper.heartbeat({}, self.publisher.published(), {}),
            self.stats,
            self.clock,
            context=self.context,
        )
        sense_lists = {
            "sound": sounds(length_s, drift) if "sound" in senses else [],
            "picture": pictures(length_s, fps) if "picture" in senses else [],
        }
        self.due = {
            sense: apply(deliveries, faults, sense, self.told.injected, seed)[::-1]
            for sense, deliveries in sense_lists.items()
        }
        self._continuity = Continuity(("event/", "prediction/", "status/", "heartbeat/"))

    def run(self) -> Told:
        self.publisher.open()
        healthy = self._subscribe(hwm=0)
        held = self._subscribe(hwm=1) if self._any("held") else None
        try:
            for k in range(1, round(self.length_s * NS_PER_S / TICK_NS) + 1):
                self.clock.advance(TICK_NS)
                now_s = k * TICK_NS / NS_PER_S
                self._capture(now_s)
                if not self._is_on("busy", now_s):
                    self._recognize()
                if not self._is_on("deaf", now_s):
                    self._publish(healthy)
            self.stream.finish(None)
            self._publish(healthy)
        finally:
            self.told.counts = dict(self.stats.snapshot().counts)
            healthy.close(linger=0)
            if held is not None:
                held.close(linger=0)
            self.publisher.close()
            self.context.term()
        return self.told

    def _any(self, kind: str) -> bool:
        return any(f.kind == kind for f in self.faults)

    def _is_on(self, kind: str, now_s: float) -> bool:
        return any(f.kind == kind and f.start_s <= now_s < f.end_s for f in self.faults)

    def _capture(self, now_s: float) -> None:
        for sense in self.due:
            while self.due[sense] and self.due[sense][-1].at_s <= now_s:
                delivery = self.due[sense].pop()
                time_ns = round(delivery.dated_s * NS_PER_S)
                if sense == "picture":
                    self.video.append(time_ns, delivery.payload)
                    continue
                samples = delivery.payload
                n_channels = samples.shape[1] if samples.ndim == 2 else 1
                self.audio.retune(delivery.rate, n_channels)
                self.audio.append(samples, time_ns)

    def _recognize(self) -> None:
        """Take all that is ready, as the thread would before it waits again."""
        clip, _ = self.stream.poll()
        while clip is not None:
            self.stream.take(clip, self.recognizer.step(clip))
            clip, _ = self.stream.poll()
        self.told.alive &= not self.stream.over

    def _publish(self, healthy: zmq.Socket[bytes]) -> None:
        while len(self.mailbox):
            self.publisher.step()
        while healthy.poll(0):
            topic, payload = healthy.recv_multipart()
            body = json.loads(payload)
            verdict = self._continuity.check(topic.decode(), body)
            self.told.notices += [str(notice) for notice in verdict.notices]
            if not verdict.is_repeat:
                self.told.bodies.append(body)

    def _subscribe(self, hwm: int) -> zmq.Socket[bytes]:
        socket = self.context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, hwm)
        n_before = self.stats.snapshot().count("subscriptions")
        socket.connect("inproc://events")
        socket.subscribe("")
        while self.stats.snapshot().count("subscriptions") == n_before:
            self.publisher.step()
        return socket
