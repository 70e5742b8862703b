"""Display matrices are applied as FFmpeg's own player does: turned and mirrored, all eight."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.authors_jpeg import through_jpeg
from extractors.decoding.orientation import oriented, upright
from extractors.decoding.pictures import as_rgb
from extractors.media import read_frames, read_picture
from realtime.sources.container import MediaContainer
from realtime.sources.decoded import DecodedPicture
from realtime.stats import Stats
from turned_media import ORIENTATIONS, shown, stored_picture, write_photograph, write_turned

CODING = 12.0  # mean level by which a lossy codec may change this picture; a wrong turn: 60


def _first_live(path: Path) -> NDArray[np.uint8]:
    container = MediaContainer(str(path), picture=True, sound=False, stats=Stats())
    while (decoded := container.read()) is not None:
        for item in decoded:
            assert isinstance(item, DecodedPicture)
            picture = item.render()
            container.close()
            return picture
    raise AssertionError("no picture came")


def _assert_same(picture: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> None:
    assert picture.shape == wanted.shape
    assert np.abs(picture.astype(int) - wanted).mean() < CODING


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_frames_are_shown_as_their_matrix_says(tmp_path: Path, orientation: str) -> None:
    path = write_turned(tmp_path / "clip.mp4", orientation)
    wanted = shown(stored_picture(), orientation)

    frames = [frame for _, _, frame in read_frames(path)]

    _assert_same(as_rgb(frames[0]), wanted)
    _assert_same(next(through_jpeg(frames)), wanted)
    _assert_same(_first_live(path), wanted)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_frames_equal_those_of_ffmpegs_autorotate(tmp_path: Path, orientation: str) -> None:
    path = write_turned(tmp_path / "clip.mov", orientation)
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1"]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    ours = _first_live(path)

    reference = np.frombuffer(raw, np.uint8).reshape(ours.shape)

    assert np.abs(ours.astype(int) - reference).mean() < 2.0  # chroma is turned before or after
    np.testing.assert_array_equal(ours, as_rgb(next(iter(read_frames(path)))[2]))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_photographs_are_shown_as_exif_says(tmp_path: Path, orientation: str) -> None:
    path = write_photograph(tmp_path / "photograph.jpg", orientation)

    _assert_same(read_picture(path), shown(stored_picture(), orientation))
    _assert_same(_first_live(path), shown(stored_picture(), orientation))


def test_matrix_of_another_angle_is_taken_for_the_nearest(tmp_path: Path) -> None:
    stored = stored_picture()
    nearly = np.array([2000, 65_500, 0, -65_500, 2000, 0, 0, 0, 1 << 30], np.int32)  # 88 degrees

    np.testing.assert_array_equal(oriented(stored, nearly.tobytes()), shown(stored, "turned right"))


@pytest.mark.parametrize("matrix", [b"", b"\0" * 36, b"\x01\x02"])
def test_matrix_that_says_nothing_leaves_the_picture(matrix: bytes) -> None:
    np.testing.assert_array_equal(oriented(stored_picture(), matrix), stored_picture())


def test_frame_goes_with_its_last_user() -> None:
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
    gc.disable()
    try:
        n_users = sys.getrefcount(frame)
        upright(frame.to_ndarray(format="rgb24"), frame)
        assert sys.getrefcount(frame) == n_users
    finally:
        gc.enable()
