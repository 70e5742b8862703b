"""A scene as a media file: FLAC sound at 16 kHz and H.264 at sixteen frames a second.

The stills become frames by a slow pan and a little noise; nothing is encoded that the kind of the
stream has not.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from extractors.log_mel import SAMPLE_RATE
from research.noise import SMOOTHING_HZ, noise_like
from research.sound_corpus import Samples
from research.sound_pauses import mirrored
from research.streaming.material import Material
from research.streaming.scene import Scene, SceneSettings
from weights.files import written_whole

FRAME_RATE = 16  # the grid's
SIDE = 256
BLOCK = SAMPLE_RATE  # samples handed to the encoder at once
BED_S, CROSSFADE_S = 5.0, 0.5
CHAIN_GAP_S = 0.1  # between repetitions of a short sound
FADE_S = 0.02
NOISE_SHARE = {"quiet": 1.0, "noise": 0.5}  # of the parts of a bed that are coloured noise
PAUSE_SHARE = 0.5  # of the rooms that are pauses of recordings; the rest is noise like a recording
PAN_PERIOD_S = 11.0
ZOOM = 0.85


def write_stream(
    path: Path,
    scene: Scene,
    material: Material,
    settings: SceneSettings,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Render a scene into a Matroska file, whole or not at all.

    Args:
        path: The file.
        scene: What happens.
        material: Of what.
        settings: Levels and the length of pictures.
        progress: Told how many seconds are written.
    """
    has_sound, has_picture = scene.kind != "picture", scene.kind != "sound"
    waveform = render_sound(scene, material, settings) if has_sound else None
    frames = render_frames(scene, material, settings) if has_picture else None
    with written_whole(path) as temporary, av.open(str(temporary), "w", format="matroska") as file:
        video = audio = None
        if frames is not None:
            video = file.add_stream("libx264", rate=FRAME_RATE)
            video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuv420p"
            video.options = {"preset": "ultrafast", "crf": "20"}
            video.time_base = Fraction(1, FRAME_RATE)
        if waveform is not None:
            audio = file.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        for second in range(int(np.ceil(scene.seconds))):
            if video is not None and frames is not None:
                for k, picture in enumerate(itertools.islice(frames, FRAME_RATE)):
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    frame.pts, frame.time_base = second * FRAME_RATE + k, Fraction(1, FRAME_RATE)
                    file.mux(video.encode(frame))
            if audio is not None and waveform is not None:
                part = waveform[second * BLOCK : (second + 1) * BLOCK]
                block = av.AudioFrame.from_ndarray(part[None], format="s16", layout="mono")
                block.sample_rate, block.pts = SAMPLE_RATE, second * BLOCK
                block.time_base = Fraction(1, SAMPLE_RATE)
                file.mux(audio.encode(block))
            progress(min(second + 1.0, scene.seconds))
        for stream in (video, audio):
            if stream is not None:
                file.mux(stream.encode(None))


def render_sound(scene: Scene, material: Material, settings: SceneSettings) -> NDArray[np.int16]:
    """Mix a scene's events into its bed.

    Returns:
        `(n_samples,)` at 16 kHz.
    """
    rng = np.random.default_rng(scene.seed)
    levels_db = {"quiet": settings.quiet_db, "noise": settings.noise_db, "rooms": 0.0}  # their own
    level = np.float32(10 ** (levels_db.get(scene.kind, settings.bed_db) / 20))
    n_samples = round(scene.seconds * SAMPLE_RATE)
    waveform = _bed(n_samples, scene.kind, material, settings, rng) * level
    for event in scene.events:
        if event.snr_db is None:
            continue
        own = np.random.default_rng(event.seed)
        first = round(event.onset_s * SAMPLE_RATE)
        n = round(event.offset_s * SAMPLE_RATE) - first
        sound = _chain(material.sounds[event.label], n, own)
        waveform[first : first + n] += sound * level * np.float32(10 ** (event.snr_db / 20))
    return np.asarray(np.clip(waveform, -1, 1) * 32767, np.int16)


def _chain(stretches: Sequence[Samples], n: int, rng: np.random.Generator) -> Samples:
    # A short sound is followed by another of its label, so that the event lasts.
    sound = np.zeros(n, dtype=np.float32)
    at, fade = 0, round(FADE_S * SAMPLE_RATE)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    while at < n:
        part = stretches[int(rng.integers(0, len(stretches)))][: n - at].copy()
        ends = min(fade, len(part) // 2)
        part[:ends] *= ramp[:ends]
        part[len(part) - ends :] *= ramp[:ends][::-1]
        sound[at : at + len(part)] = part
        at += len(part) + round(CHAIN_GAP_S * SAMPLE_RATE)
    return sound


def _bed(
    n: int, kind: str, material: Material, settings: SceneSettings, rng: np.random.Generator
) -> Samples:
    fade, step = round(CROSSFADE_S * SAMPLE_RATE), round(BED_S * SAMPLE_RATE)
    bed = np.zeros(n + step + fade, dtype=np.float32)
    ramp = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))  # of equal power: they are unrelated
    for at in range(0, n, step):
        if kind == "rooms":
            part = _room(step + fade, material, settings, rng)
        elif rng.random() < NOISE_SHARE.get(kind, 0.0):
            part = _coloured(step + fade, float(rng.uniform(0, 2)), rng)
        else:
            part = np.resize(material.beds[int(rng.integers(0, len(material.beds)))], step + fade)
            part = part.astype(np.float32)
        if at > 0:
            part[:fade] *= ramp
        part[step:] *= ramp[::-1]
        bed[at : at + step + fade] += part
    return bed[:n]


def _room(n: int, material: Material, settings: SceneSettings, rng: np.random.Generator) -> Samples:
    level = np.float32(10 ** (rng.uniform(*settings.rooms_db) / 20))
    if material.pauses and rng.random() < PAUSE_SHARE:
        pause = material.pauses[int(rng.integers(0, len(material.pauses)))]
        return level * mirrored(pause, n)[:n]
    if not material.spectra:
        return level * _coloured(n, float(rng.uniform(0, 2)), rng)
    spectrum = material.spectra[int(rng.integers(0, len(material.spectra)))]
    return level * noise_like(np.resize(spectrum, n), float(rng.uniform(*SMOOTHING_HZ)), rng)


def _coloured(n: int, slope: float, rng: np.random.Generator) -> Samples:
    # Power falls by f^-slope: 0 white, 1 pink, 2 brown; RMS 1.
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE), 20.0)
    wave = np.fft.irfft(spectrum * frequency ** (-slope / 2), n)
    return np.asarray(wave / np.sqrt(np.square(wave).mean()), np.float32)


def render_frames(
    scene: Scene, material: Material, settings: SceneSettings, rate: int = FRAME_RATE
) -> Iterator[NDArray[np.uint8]]:
    """Yield a scene's frames, RGB uint8 `(256, 256, 3)`, sixteen a second or another `rate`."""
    rng = np.random.default_rng((scene.seed, 1))
    shows_events = scene.kind in ("both", "picture")
    waiting = list(scene.events) if shows_events else []
    shown, until_s, event_shown = None, -1.0, False
    for k in range(round(scene.seconds * rate)):
        t_s = k / rate
        while waiting and waiting[0].offset_s <= t_s:
            waiting.pop(0)
        event = waiting[0] if waiting and waiting[0].onset_s <= t_s else None
        if event is not None and (not event_shown or shown is None):
            own = np.random.default_rng((event.seed, 1))
            shown = _open(_one_of(material.pictures[event.label], own))
        elif event is None and (event_shown or t_s >= until_s):
            shown = _open(_one_of(material.scenes, rng))
            until_s = t_s + float(rng.uniform(*settings.scene_s))
        event_shown = event is not None
        if shown is None:
            raise ValueError("a scene begins with a picture")
        yield _as_frame(shown, t_s, rng)


def _one_of(paths: Sequence[Path], rng: np.random.Generator) -> Path:
    return paths[int(rng.integers(0, len(paths)))]


def _open(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def _as_frame(picture: Image.Image, t_s: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    side = min(picture.size) * ZOOM
    phase = 2 * np.pi * t_s / PAN_PERIOD_S
    left = (picture.width - side) * (0.5 + 0.4 * np.sin(phase))
    top = (picture.height - side) * (0.5 + 0.4 * np.cos(1.3 * phase))
    box = (left, top, left + side, top + side)
    frame = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box))
    noise = rng.integers(-3, 4, (SIDE, SIDE, 1), dtype=np.int16)
    return np.asarray(np.clip(frame.astype(np.int16) + noise, 0, 255), np.uint8)
