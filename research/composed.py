"""Features of composed streams: scenes are rendered and heard, without a media file between.

Place in the flow: `research.streaming`'s scenes and material → **features** → `research.streams`.
"""

from pathlib import Path

import numpy as np

from extractors.log_mel import SAMPLE_RATE
from research.prepare import Ears
from research.streaming.material import Material
from research.streaming.render import render_frames, render_sound
from research.streaming.scene import Scene, SceneSettings
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
        frames = render_frames(scene, material, settings, FRAMES_A_SECOND)
        visual = see(frames, n_hops, eyes)
    present = np.array([has_picture, has_sound])
    features = StreamFeatures(maps=maps, visual=visual, present=present)
    features.write(path)
    return features
