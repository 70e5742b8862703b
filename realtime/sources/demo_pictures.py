"""The pictures of the demo scene, drawn frame by frame: a room, a police car, a car, a clock.

Drawn with Pillow at twice the size and scaled down, with a little camera noise and sway, so that
a trunk that knows photographs is not handed flat colours. The same time gives the same picture.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from realtime.sources.demo_scene import event_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WIDTH, HEIGHT = 480, 360  # pixels
_SCALE = 2  # drawn larger, then reduced: smooth edges
_SEED = 20_212
_N_NOISES = 7
_NOISE_LEVEL = 4.0  # of 255: a webcam indoors
_SWAY_PIXELS = 3
_FLASH_HZ = 2.5
_CLOCK_CENTRE = (240.0, 178.0)

_Draw = ImageDraw.ImageDraw


class ScenePainter:
    """Paints the scene at any time; one thread calls it. What stands still is drawn once."""

    def __init__(self) -> None:
        rng = np.random.default_rng(_SEED)
        noise = rng.normal(0.0, _NOISE_LEVEL, (_N_NOISES, HEIGHT, WIDTH, 1))
        self._noise = noise.astype(np.int16)
        self._still: dict[str, Image.Image] = {}
        self._painters: dict[str, tuple[Callable[[_Draw], None], Callable[[_Draw, float], None]]]
        self._painters = {
            "": (_paint_room, _paint_nothing),
            "Siren": (_paint_police_car, _paint_flashing_lights),
            "Car horn": (_paint_car, _paint_headlights),
            "Clock": (_paint_clock_face, _paint_hands),
        }

    def paint(self, t_s: float) -> NDArray[np.uint8]:
        """Return the picture at scene time `t_s`, RGB uint8 `(360, 480, 3)`."""
        event = event_at(t_s)
        label = event.label if event is not None else ""
        paint_still, paint_moving = self._painters[label]
        if label not in self._still:
            self._still[label] = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE))
            paint_still(ImageDraw.Draw(self._still[label]))
        image = self._still[label].copy()
        paint_moving(ImageDraw.Draw(image), t_s)
        pixels = np.asarray(image.reduce(_SCALE), np.int16)
        sway = round(_SWAY_PIXELS * math.sin(0.9 * t_s))
        pixels = pixels[:, np.clip(np.arange(WIDTH) + sway, 0, WIDTH - 1)]
        noise = self._noise[round(t_s * 1000) % _N_NOISES]
        noisy: NDArray[np.uint8] = np.clip(pixels + noise, 0, 255).astype(np.uint8)
        return noisy


def _box(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    """A rectangle in units of the finished picture."""
    return x * _SCALE, y * _SCALE, (x + width) * _SCALE, (y + height) * _SCALE


def _disc(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return _box(x - radius, y - radius, 2 * radius, 2 * radius)


def _shape(*points: tuple[float, float]) -> list[tuple[float, float]]:
    return [(x * _SCALE, y * _SCALE) for x, y in points]


def _shade(
    draw: _Draw, top: int, bottom: int, first: tuple[int, ...], last: tuple[int, ...]
) -> None:
    """Fill rows `[top, bottom)` with a smooth change of colour."""
    for y in range(top * _SCALE, bottom * _SCALE):
        share = (y - top * _SCALE) / ((bottom - top) * _SCALE)
        colour = tuple(round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
        draw.line((0, y, WIDTH * _SCALE, y), fill=colour)


def _paint_nothing(draw: _Draw, t_s: float) -> None:
    """Nothing moves in an empty room."""


def _paint_room(draw: _Draw) -> None:
    _shade(draw, 0, 250, (206, 200, 186), (178, 170, 154))
    _shade(draw, 250, 360, (132, 98, 66), (94, 66, 42))
    draw.rectangle(_box(0, 244, 480, 8), fill=(226, 222, 212))
    draw.rectangle(_box(56, 44, 128, 132), fill=(240, 238, 232))
    draw.rectangle(_box(64, 52, 112, 116), fill=(150, 186, 214))
    draw.rectangle(_box(116, 52, 6, 116), fill=(240, 238, 232))
    draw.rectangle(_box(64, 106, 112, 6), fill=(240, 238, 232))
    draw.polygon(_shape((270, 196), (430, 196), (438, 214), (262, 214)), fill=(120, 82, 50))
    for x in (272, 418):
        draw.rectangle(_box(x, 214, 10, 104), fill=(96, 64, 38))
    draw.polygon(_shape((330, 120), (376, 120), (390, 160), (316, 160)), fill=(236, 214, 160))
    draw.rectangle(_box(350, 160, 6, 36), fill=(70, 62, 54))
    draw.ellipse(_box(336, 190, 34, 10), fill=(70, 62, 54))


def _paint_street(draw: _Draw) -> None:
    _shade(draw, 0, 196, (118, 150, 190), (204, 214, 222))
    for i, (x, width, height) in enumerate(
        ((0, 90, 120), (98, 70, 90), (300, 90, 130), (396, 84, 100))
    ):
        colour = (128 + 9 * i, 112 + 5 * i, 104)
        draw.rectangle(_box(x, 200 - height, width, height), fill=colour)
        for wx in range(x + 10, x + width - 14, 22):
            for wy in range(210 - height, 180, 26):
                draw.rectangle(_box(wx, wy, 11, 15), fill=(70, 80, 94))
    _shade(draw, 196, 216, (158, 154, 148), (142, 138, 132))
    _shade(draw, 216, 360, (84, 84, 88), (58, 58, 62))
    for x in range(-20, 480, 90):
        draw.polygon(
            _shape((x, 326), (x + 46, 326), (x + 40, 334), (x - 8, 334)), fill=(216, 212, 190)
        )


def _paint_side_view(draw: _Draw, body: tuple[int, int, int], trim: tuple[int, int, int]) -> None:
    """A saloon car from the side, on the street."""
    draw.ellipse(_box(74, 284, 340, 24), fill=(40, 40, 44))
    draw.polygon(
        _shape((70, 236), (96, 214), (158, 206), (196, 164), (300, 162), (346, 206), (404, 216),
               (416, 244), (414, 278), (72, 278)),
        fill=body,
    )  # fmt: skip
    draw.polygon(_shape((174, 205), (204, 172), (244, 171), (244, 205)), fill=(46, 56, 66))
    draw.polygon(_shape((252, 205), (252, 171), (294, 170), (328, 205)), fill=(46, 56, 66))
    draw.rectangle(_box(72, 240, 342, 14), fill=trim)
    draw.line(_shape((248, 206), (248, 276)), fill=(60, 60, 64), width=2 * _SCALE)
    draw.ellipse(_box(398, 220, 16, 14), fill=(250, 240, 200))
    draw.rectangle(_box(70, 222, 10, 14), fill=(190, 30, 30))
    for x in (140, 346):
        draw.ellipse(_disc(x, 278, 30), fill=(24, 24, 26))
        draw.ellipse(_disc(x, 278, 17), fill=(170, 174, 180))
        draw.ellipse(_disc(x, 278, 6), fill=(70, 72, 76))


def _paint_police_car(draw: _Draw) -> None:
    _paint_street(draw)
    _paint_side_view(draw, (240, 242, 246), (24, 60, 150))
    draw.text((196 * _SCALE, 216 * _SCALE), "POLICE", fill=(24, 40, 110), font_size=20 * _SCALE)


def _paint_flashing_lights(draw: _Draw, t_s: float) -> None:
    is_blue = int(t_s * _FLASH_HZ * 2) % 2 == 0
    draw.rectangle(_box(222, 152, 56, 11), fill=(40, 40, 46))
    left, right = ((60, 110, 255), (90, 20, 20)) if is_blue else ((20, 30, 90), (255, 50, 40))
    draw.rectangle(_box(222, 146, 27, 14), fill=left)
    draw.rectangle(_box(251, 146, 27, 14), fill=right)
    glow_x = 235 if is_blue else 265
    glow = (130, 170, 255) if is_blue else (255, 140, 130)
    draw.ellipse(_disc(glow_x, 152, 11), fill=glow)


def _paint_car(draw: _Draw) -> None:
    """A red car from the front."""
    _paint_street(draw)
    draw.ellipse(_box(96, 306, 288, 28), fill=(36, 36, 40))
    for x in (106, 326):
        draw.rounded_rectangle(_box(x, 262, 48, 62), 8 * _SCALE, fill=(22, 22, 24))
    draw.polygon(_shape((150, 196), (178, 126), (302, 126), (330, 196)), fill=(150, 24, 26))
    draw.polygon(_shape((164, 192), (188, 136), (292, 136), (316, 192)), fill=(60, 74, 88))
    draw.polygon(_shape((190, 190), (206, 140), (236, 140), (220, 190)), fill=(96, 112, 126))
    draw.rounded_rectangle(_box(98, 192, 284, 108), 22 * _SCALE, fill=(186, 32, 34))
    draw.polygon(_shape((120, 200), (360, 200), (340, 224), (140, 224)), fill=(206, 52, 50))
    for y in range(236, 268, 8):
        draw.rectangle(_box(182, y, 116, 5), fill=(30, 30, 34))
    for x in (140, 340):
        draw.ellipse(_disc(x, 244, 24), fill=(200, 204, 210))
    draw.rounded_rectangle(_box(104, 276, 272, 18), 6 * _SCALE, fill=(44, 44, 48))
    draw.rectangle(_box(206, 274, 68, 20), fill=(236, 236, 230))
    draw.text((212 * _SCALE, 276 * _SCALE), "AVE 2021", fill=(20, 20, 20), font_size=13 * _SCALE)


def _paint_headlights(draw: _Draw, t_s: float) -> None:
    """They flash with the horn."""
    is_lit = int(t_s * 6) % 2 == 0
    for x in (140, 340):
        draw.ellipse(_disc(x, 244, 19), fill=(255, 250, 214) if is_lit else (226, 226, 216))


def _paint_clock_face(draw: _Draw) -> None:
    """A wall clock, close."""
    _shade(draw, 0, 360, (214, 206, 190), (178, 168, 150))
    x, y = _CLOCK_CENTRE
    draw.ellipse(_disc(x + 5, y + 9, 150), fill=(140, 130, 114))
    draw.ellipse(_disc(x, y, 150), fill=(64, 42, 28))
    draw.ellipse(_disc(x, y, 141), fill=(104, 72, 46))
    draw.ellipse(_disc(x, y, 132), fill=(248, 246, 238))
    for minute in range(60):
        angle = math.tau * minute / 60
        inner = 112 if minute % 5 == 0 else 121
        width = 4 if minute % 5 == 0 else 1
        ends = [(x + r * math.sin(angle), y - r * math.cos(angle)) for r in (inner, 127)]
        draw.line(_shape(*ends), fill=(30, 30, 32), width=width * _SCALE)
    for hour in range(1, 13):
        angle = math.tau * hour / 12
        place = ((x + 95 * math.sin(angle)) * _SCALE, (y - 95 * math.cos(angle)) * _SCALE)
        draw.text(place, str(hour), fill=(24, 24, 26), font_size=24 * _SCALE, anchor="mm")


def _paint_hands(draw: _Draw, t_s: float) -> None:
    """Eight minutes past ten; the second hand jumps with every other tick."""
    x, y = _CLOCK_CENTRE
    seconds = math.floor(t_s)
    for turns, length, width, colour in (
        (10 / 12 + 8 / 720, 62, 7, (24, 24, 26)),
        (8 / 60, 92, 5, (24, 24, 26)),
        (seconds % 60 / 60, 106, 2, (190, 30, 30)),
    ):
        angle = math.tau * turns
        tip = (x + length * math.sin(angle), y - length * math.cos(angle))
        draw.line(_shape((x, y), tip), fill=colour, width=width * _SCALE)
    draw.ellipse(_disc(x, y, 7), fill=(24, 24, 26))
