"""Changes to a still picture that make it look like a frame of a live camera.

Place in the flow: before training only. The starter's pictures are product shots and portraits; a
camera sees a part of a room, in poor light, through a lossy codec, with the thing somewhere in
it.
"""

from io import BytesIO

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter
from PIL.Image import Resampling, Transpose

FRAME = 256  # short side of what comes out: the trunk's own resize follows


def as_frame(
    picture: Image.Image, scene: Image.Image | None, rng: np.random.Generator
) -> Image.Image:
    """Make one frame of a picture.

    Args:
        picture: RGB, any size.
        scene: RGB background to stand the picture in, or None for the picture alone.
        rng: Source of every random choice.

    Returns:
        RGB, at least 256 pixels on the short side.
    """
    frame = _cropped(picture, rng) if scene is None else _placed(picture, scene, rng)
    if rng.random() < 0.5:
        frame = frame.transpose(Transpose.FLIP_LEFT_RIGHT)
    return _through_camera(frame, rng)


def _cropped(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = picture.size
    side = min(width, height) * np.sqrt(rng.uniform(0.45, 1.0))
    aspect = np.exp(rng.uniform(-0.22, 0.22))
    w, h = min(width, side * aspect), min(height, side / aspect)
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    box = (left, top, left + w, top + h)
    return picture.resize((FRAME, FRAME), Resampling.BILINEAR, box=box)


def _placed(picture: Image.Image, scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    frame = _cropped(scene, rng)
    scale = FRAME * rng.uniform(0.4, 0.9) / max(picture.size)
    size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
    at = (int(rng.integers(0, FRAME - size[0] + 1)), int(rng.integers(0, FRAME - size[1] + 1)))
    frame.paste(picture.resize(size, Resampling.BILINEAR), at)
    return frame


def _through_camera(frame: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < 0.7:
        frame = ImageEnhance.Brightness(frame).enhance(float(np.exp(rng.uniform(-1.0, 0.35))))
        frame = ImageEnhance.Contrast(frame).enhance(rng.uniform(0.6, 1.3))
        frame = ImageEnhance.Color(frame).enhance(rng.uniform(0.3, 1.4))
    if rng.random() < 0.3:
        frame = frame.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.0)))
    pixels = np.asarray(frame, dtype=np.float32)
    cast = np.exp(rng.uniform(-0.12, 0.12, 3)).astype(np.float32)  # white balance
    noise = rng.standard_normal(pixels.shape, dtype=np.float32) * rng.uniform(0, 8)
    frame = Image.fromarray(np.clip(pixels * cast + noise, 0, 255).astype(np.uint8))
    buffer = BytesIO()
    frame.save(buffer, "JPEG", quality=int(rng.integers(30, 92)))
    return Image.open(buffer).convert("RGB")
