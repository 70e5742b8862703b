"""Composed streams: scenes are rendered, heard and seen, without a media file between.

Place in the flow: `research.streaming`'s scenes and material → **features** → `research.streams`.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from extractors.log_mel import SAMPLE_RATE
from research.prepare import Ears
from research.streaming.material import Material
from research.streaming.render import render_frames, render_sound
from research.streaming.scene import Scene, SceneSettings, compose
from research.streaming.scoring import Detection, Truth, truths_of
from research.streams import (
    FRAMES_A_SECOND,
    HOPS_A_SECOND,
    Eyes,
    StreamFeatures,
    hear,
    read_features,
    see,
)
from research.yamnet_parts import EARLY_SHAPE

EVENT_KINDS = ("both", "unseen", "sound", "picture")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream's features and its truth."""

    name: str
    kind: str
    seconds: float
    truths: tuple[Truth, ...]
    features: StreamFeatures


def event_streams(
    folder: Path, split: str, minutes: float, material: Material, ears: Ears, eyes: Eyes
) -> Iterator[Stream]:
    """Compose, hear and see the streams that have events, or read what `folder` keeps of them."""
    settings = SceneSettings(minutes=minutes, seed=1)
    for kind in EVENT_KINDS:
        scene = compose(kind, material.labels(kind), settings)
        name = f"{split}-{kind}-{len(material.labels(kind))}-{minutes:g}"
        path = folder / f"{name}.npz"
        yield Stream(
            name=name,
            kind=kind,
            seconds=scene.seconds,
            truths=truths_of(scene.events),
            features=stream_features(path, scene, material, settings, ears, eyes),
        )


def without_wider(
    detections: Sequence[Detection], truths: Sequence[Truth], groups: Mapping[str, str]
) -> list[Detection]:
    """Leave out what is true at a wider level: Music, where a flute is the event."""

    def is_wider(detection: Detection) -> bool:
        return any(
            groups.get(truth.label) == detection.label
            and detection.onset_s < truth.offset_s + 1
            and truth.onset_s < detection.offset_s + 1
            for truth in truths
        )

    return [detection for detection in detections if not is_wider(detection)]


def stream_features(
    path: Path, scene: Scene, material: Material, settings: SceneSettings, ears: Ears, eyes: Eyes
) -> StreamFeatures:
    """Render a scene, hear and see it; or read what an earlier call kept."""
    if path.exists():
        return read_features(path)
    n_hops = int((scene.seconds - 1.0) * HOPS_A_SECOND) + 1
    has_sound, has_picture = scene.kind != "picture", scene.kind != "sound"
    early = np.zeros((n_hops, *EARLY_SHAPE), np.float16)
    if has_sound:
        pcm = render_sound(scene, material, settings)
        wave = pcm[: round(scene.seconds * SAMPLE_RATE)].astype(np.float32) / np.float32(32767)
        early = hear(wave, ears)[:n_hops]
    visual = np.zeros((n_hops, 1280), np.float16)
    if has_picture:
        frames = render_frames(scene, material, settings, FRAMES_A_SECOND)
        visual = see(frames, n_hops, eyes)
    present = np.array([has_picture, has_sound])
    features = StreamFeatures(early=early, visual=visual, present=present)
    features.write(path)
    return features
