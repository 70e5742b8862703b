"""Features of composed streams: scenes are rendered and heard, without a media file between.

Place in the flow: `benchmarks.streaming`'s scenes and material → **features** → `research.streams`.
Also the hours in which nothing happens, of which an hour's pictures are few.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from benchmarks.streaming.material import Material
from benchmarks.streaming.render import FRAME_RATE, render_frames, render_sound
from benchmarks.streaming.scene import Scene, SceneSettings
from extractors.log_mel import SAMPLE_RATE
from research.prepare import Ears
from research.streams import (
    FRAMES_A_SECOND,
    HOPS_A_SECOND,
    Eyes,
    StreamFeatures,
    hear,
    read_features,
    see,
)


def stream_features(
    path: Path, scene: Scene, material: Material, settings: SceneSettings, ears: Ears, eyes: Eyes
) -> StreamFeatures:
    """Render a scene, hear and see it; or read what an earlier call kept."""
    if path.exists():
        return read_features(path)
    n_hops = int((scene.seconds - 1.0) * HOPS_A_SECOND) + 1
    has_sound, has_picture = scene.kind != "picture", scene.kind != "sound"
    maps = np.zeros((n_hops, 1024, 3, 2), np.float16)
    if has_sound:
        pcm = render_sound(scene, material, settings)
        wave = pcm[: round(scene.seconds * SAMPLE_RATE)].astype(np.float32) / np.float32(32767)
        maps = hear(wave, ears)[:n_hops]
    visual = np.zeros((n_hops, 1280), np.float16)
    if has_picture:
        frames = render_frames(scene, material, settings)
        some = itertools.islice(frames, 0, None, FRAME_RATE // FRAMES_A_SECOND)
        visual = see(some, n_hops, eyes)
    present = np.array([has_picture, has_sound])
    features = StreamFeatures(maps=maps, visual=visual, present=present)
    features.write(path)
    return features


def hours(settings: SceneSettings, minutes: float) -> SceneSettings:
    """Return settings of a stream of so many minutes, with a seed of its own."""
    return dataclasses.replace(settings, minutes=minutes, seed=settings.seed + round(minutes))
