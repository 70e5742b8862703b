"""Against reference/images/frame_selection.json: ffmpeg 5.1's fps=16, as the authors call it."""

import json
import re
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pytest

from extractors.frame_grid import frames_on_grid

_SELECTION: dict[str, list[int]] = json.loads(
    (Path(__file__).parent / "frame_selection_reference.json").read_text()
)


@pytest.mark.parametrize("source", sorted(_SELECTION))
def test_the_grid_shows_ffmpegs_frames(source: str) -> None:
    match = re.fullmatch(r"(\S+) fps, (\d+) frames", source)
    assert match is not None
    rate, n_frames = Fraction(match[1]), int(match[2])
    frames = [(index / rate, 1 / rate, index) for index in range(n_frames)]

    shown = list(islice(frames_on_grid(frames), 160))  # the authors stop after ten seconds

    assert shown == _SELECTION[source]
