"""A picture in a terminal: two pixels a cell by half blocks, or shades where there is no colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

UPPER_HALF = "▀"
SHADES = " ░▒▓█"
ASCII_SHADES = " .:-=+*#%@"
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_STEP = 32  # of a colour: neighbours are then alike, and fewer escape sequences are written


def picture_lines(
    image: NDArray[np.uint8], columns: int, rows: int, *, colours: bool, ascii_only: bool
) -> list[Text]:
    """Draw a picture; a cell is taken as twice as high as wide.

    Args:
        image: RGB uint8 `(H, W, 3)`.
        columns: As many at most; the picture is as wide as its height asks for.
        rows: Lines.
        colours: Whether the terminal has any.
        ascii_only: Whether it has nothing but ASCII.
    """
    height, width = image.shape[:2]
    shown_rows = max(1, min(rows, round(columns * height / width / 2)))
    shown_columns = max(1, min(columns, round(2 * shown_rows * width / height)))
    if not colours or ascii_only:
        small = _resized(image, shown_columns, shown_rows)
        ramp = ASCII_SHADES if ascii_only else SHADES
        levels = (small @ LUMA / 256.0 * len(ramp)).astype(int)
        return [Text("".join(ramp[level] for level in line)) for line in levels]
    small = _resized(image, shown_columns, 2 * shown_rows)
    small = np.minimum(255, small.astype(int) // _STEP * _STEP + _STEP // 2)
    lines = []
    for upper, lower in zip(small[::2].tolist(), small[1::2].tolist(), strict=True):
        line = Text(no_wrap=True)
        run, n_run = (upper[0], lower[0]), 0
        for cell in zip(upper, lower, strict=True):
            if cell != run:
                line.append(UPPER_HALF * n_run, _style(*run))
                run, n_run = cell, 0
            n_run += 1
        lines.append(line.append(UPPER_HALF * n_run, _style(*run)))
    return lines


def _resized(image: NDArray[np.uint8], columns: int, rows: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).resize((columns, rows), Image.Resampling.BOX))


def _style(upper: list[int], lower: list[int]) -> Style:
    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
