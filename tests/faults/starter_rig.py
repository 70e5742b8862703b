"""A scene through the shipped bundle, with senses that go for a while: intakes to events.

Real: intakes, rings, clip assembler, networks, tracker, stream, messages. The devices are lists of
deliveries (`fault_layer`), and time is moved by hand. What the trunks make of a picture or a second
of sound is kept, so that many faults in one scene cost little more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faults.fault_layer import BLOCK_S, BLOCK_SAMPLES, Delivery, Fault, Injected, apply
from realtime.build import frame_transform, make_stream
from realtime.bundle_settings import event_settings, find_bundle
from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock, Timeline, WallClock
from realtime.config import RunConfig, SourceConfig
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.packets import GRID_HZ
from realtime.recognition.batch import BatchRecognizer
from realtime.recognition.models import Models, load_models
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.sources.base import Inlet, SourceSenses
from realtime.sources.demo_pictures import ScenePainter
from realtime.sources.demo_scene import render_sound
from realtime.stats import Stats

SAMPLE_RATE = 16_000
TICK_NS = 20 * NS_PER_MS
STARTED = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Material:
    """What happens before the devices: frames at `GRID_HZ`, and the sound of the same time."""

    frames: Sequence[NDArray[np.uint8]]  # as the trunk wants them
    waveform: NDArray[np.float32]

    @property
    def length_s(self) -> float:
        return min(len(self.frames) / GRID_HZ, len(self.waveform) / SAMPLE_RATE)


@dataclass(frozen=True)
class Span:
    """An event as it was told."""

    label: str
    onset_s: float
    offset_s: float
    told_s: float  # when, in stream seconds
    reason: str
    newest_senses: tuple[str, ...]  # at its onset


class _Kept:
    """Runs a batch only for the rows that it has not seen, by their bytes."""

    def __init__(self) -> None:
        self._rows: dict[int, Tensor] = {}

    def run(self, batch: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        keys = [hash(row.numpy().tobytes()) for row in batch]
        new = {key: k for k, key in enumerate(keys) if key not in self._rows}
        if new:
            rows = compute(batch[list(new.values())])
            self._rows.update(zip(new, rows.clone(), strict=True))
        return torch.stack([self._rows[key] for key in keys])


class _KeptTrunks:
    """Has the doors of `extractors.trunks.Trunks`."""

    def __init__(self, trunks: Any) -> None:
        self._trunks = trunks
        self._pictures, self._sounds = _Kept(), _Kept()

    def encode_pictures(self, images: NDArray[np.uint8]) -> Tensor:
        batch = torch.from_numpy(images)
        return self._pictures.run(batch, lambda new: self._trunks.encode_pictures(new.numpy()))

    def encode_log_mel(self, log_mel: Tensor) -> Tensor:
        return self._sounds.run(log_mel, self._trunks.encode_log_mel)

    def describe(self) -> str:
        return "starter, kept"


def demo_material(length_s: float) -> Material:
    """Return the beginning of the built-in scene."""
    painter, resize = ScenePainter(), frame_transform(find_bundle("starter")).resize
    frames = [resize(painter.paint(k / GRID_HZ)) for k in range(round(length_s * GRID_HZ))]
    return Material(frames, render_sound()[: round(length_s * SAMPLE_RATE)])


def spans(bodies: Iterable[dict[str, Any]]) -> list[Span]:
    """Return the events, by onset."""
    began, told = {}, []
    for body in bodies:
        if body["type"] != "event":
            continue
        if body["phase"] == "onset":
            began[body["id"]] = body
        elif body["phase"] == "offset":
            onset = began[body["id"]]
            told.append(
                Span(
                    label=body["label"],
                    onset_s=onset["onset"]["t_s"],
                    offset_s=body["offset"]["t_s"],
                    told_s=onset["sent"]["t_s"],
                    reason=body["reason"],
                    newest_senses=tuple(onset["newest_senses"]),
                )
            )
    return sorted(told, key=lambda span: span.onset_s)


def kept_models() -> Models:
    """Return the starter's networks in torch, float32."""
    models = load_models(find_bundle("starter"), "cpu", "float32")
    convolutions = _Kept()
    convolve = models.head.filmed_block.convolve
    return replace(
        models,
        trunks=_KeptTrunks(models.trunks),
        convolve=lambda sound: convolutions.run(sound, convolve),
    )


def play(models: Models, material: Material, faults: Iterable[Fault] = ()) -> list[dict[str, Any]]:
    """Stream the material with faults; return the bodies of all messages."""
    faults, bundle = list(faults), find_bundle("starter")
    clock, stats, told = ManualClock(), Stats(), list[Message]()
    config = SourceConfig(name="door", kind="live", camera="0", microphone="default")
    rings = Rings(
        config, frame_transform(bundle).size, Timeline(WallClock.fixed(STARTED), 0), stats
    )
    inlet = Inlet(
        timeline=rings.timeline,
        frames=rings.frames,
        sounds=rings.sounds,
        prepare=lambda image: image,
        live=True,
        clock=clock,
        stats=stats,
    )
    video, audio = inlet.video_intake(), inlet.audio_intake(SAMPLE_RATE, 1)
    recognizer = BatchRecognizer(models, clock)
    injected = Injected()
    pictures = apply(_pictures(material), faults, "picture", injected)[::-1]
    sounds = apply(_sounds(material), faults, "sound", injected)[::-1]
    opened: Any = SimpleNamespace(
        senses=SourceSenses(picture=True, sound=True), readers=(), problems=(), statuses=dict
    )
    run = RunContext(
        config=RunConfig(source=config, publisher=None),
        bundle=bundle,
        events=event_settings(bundle, {}),
        clock=clock,
        wall=WallClock.fixed(STARTED),
        stamper=MessageStamper("run1", clock, WallClock.fixed(STARTED)),
        emit=told.append,
    )
    stream = make_stream(
        run, config, rings=rings, opened=opened, recognizer=recognizer, stats=stats
    )
    for k in range(1, round(material.length_s * NS_PER_S / TICK_NS) + 1):
        clock.advance(TICK_NS)
        while pictures and pictures[-1].at_s <= k * TICK_NS / NS_PER_S:
            delivery = pictures.pop()
            video.append(round(delivery.dated_s * NS_PER_S), delivery.payload)
        while sounds and sounds[-1].at_s <= k * TICK_NS / NS_PER_S:
            delivery = sounds.pop()
            audio.append(delivery.payload, round(delivery.dated_s * NS_PER_S))
        clip, _ = stream.poll()
        while clip is not None:
            (prediction,) = recognizer.step([(stream.name, clip)])
            stream.take(clip, prediction)
            clip, _ = stream.poll()
    stream.finish(None)
    return [message.body for message in told]


def _pictures(material: Material) -> list[Delivery]:
    n_frames = round(material.length_s * GRID_HZ)
    times = (k / GRID_HZ for k in range(n_frames))
    return [Delivery(t, t, t, material.frames[k]) for k, t in enumerate(times)]


def _sounds(material: Material) -> list[Delivery]:
    out = []
    for k in range(round(material.length_s / BLOCK_S)):
        block = material.waveform[k * BLOCK_SAMPLES : (k + 1) * BLOCK_SAMPLES]
        out.append(Delivery((k + 1) * BLOCK_S, k * BLOCK_S, k * BLOCK_S, block))
    return out
