"""Damaged files end in features or in one sentence, never in another exception."""

import collections
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from extractor_fakes import MakeVideo

from extractors.clip_features import extract_media
from extractors.encoders import Encoders
from extractors.errors import MediaError
from extractors.media import read_frames, read_sound
from stamped_media import write_stamped


def _damaged(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 40)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    if chance.random() < 0.3:
        del damaged[chance.randrange(len(damaged)) :]
    if chance.random() < 0.3:
        start = chance.randrange(len(damaged) or 1)
        damaged[start : start + 500] = bytes(500)
    return bytes(damaged)


def _try(content: bytes, path: Path, encoders: Encoders, jpeg: bool) -> None:
    path.write_bytes(content)
    problem = ""
    try:
        features = extract_media(path, encoders, n_clips=3, jpeg=jpeg)
    except MediaError as error:
        problem = str(error)
    assert "\n" not in problem
    assert problem or features.visual is not None or features.audio is not None


@pytest.mark.parametrize("name", ["video.mkv", "video.avi"])
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_features_or_one_sentence(
    name: str, seed: int, make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    content = make_video(name, n_frames=16).read_bytes()

    _try(_damaged(content, random.Random(seed)), tmp_path / f"bad-{name}", encoders, seed % 2 == 0)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", ["video.mkv", "video.avi"])
def test_many_damaged_files_are_features_or_one_sentence(
    name: str, make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    content = make_video(name, n_frames=16).read_bytes()
    chance = random.Random(0)

    for _ in range(150):
        bad = _damaged(content, chance)
        _try(bad, tmp_path / f"bad-{name}", encoders, chance.random() < 0.5)


@pytest.mark.parametrize(
    ("suffix", "what"), [(".ts", "picture"), (".mkv", "picture"), (".mkv", "sound")]
)
def test_file_that_is_all_gaps_is_refused_before_it_costs_memory(
    tmp_path: Path, suffix: str, what: str
) -> None:
    starts = [1700.0 * k for k in range(20)]
    if what == "picture":
        path = write_stamped(tmp_path / f"clip{suffix}", pictures=starts)
        read: Iterator[object] = read_frames(path)
    else:
        path = write_stamped(tmp_path / f"clip{suffix}", sounds=[(t, t + 0.1) for t in starts])
        read = read_sound(path)

    with pytest.raises(MediaError, match=rf"s of {what} in 2 hours by its time stamps"):
        collections.deque(read, maxlen=0)


def test_recording_with_long_gaps_is_read(tmp_path: Path) -> None:
    path = write_stamped(tmp_path / "clip.mkv", sounds=[(t, t + 0.1) for t in (0.0, 1700.0)])

    assert sum(len(block) for block in read_sound(path)) == pytest.approx(1700 * 16_000, rel=0.01)
