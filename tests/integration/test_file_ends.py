"""A file is recognized to its last sample and frame, as `extractors features` counts it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from extractors.clip_features import extract_media
from extractors.encoders import Encoders
from extractors.frame_transform import DENSENET201_TRANSFORM
from integration.quick_runs import run_file
from quick_recognition import FLASH, TONE
from stamped_media import joined, write_stamped

pytestmark = pytest.mark.timeout(60)

DARK, BRIGHT = 20, 235
FPS25 = [k / 25 for k in range(250)]


class Brightness:
    transform = DENSENET201_TRANSFORM

    def encode(self, frames):
        return frames.mean(axis=(1, 2, 3), dtype=np.float32)[:, None]


class Loudness:
    def encode(self, waveform):
        level = np.abs(waveform).mean(axis=1)[:, None, None, None].astype(np.float32)
        return np.zeros((len(level), 96, 64), np.float32), level + np.zeros((1, 512, 12, 8))


ENCODERS = Encoders(picture=Brightness(), sound=Loudness())  # type: ignore[arg-type]


def n_clips_of_features(path: Path) -> int:
    return extract_media(path, ENCODERS).n_clips


FILES = {
    "a frame a second": ("a.mp4", {"pictures": range(7), "picture_s": 1.0}),
    "a frame each five seconds": ("a.mp4", {"pictures": (0, 5, 10), "picture_s": 5.0}),
    "a picture that stands for eight seconds": (
        "a.mp4", {"pictures": [*FPS25[:50], *(8 + t for t in FPS25[50:100])]},
    ),
    "one frame alone": ("a.mp4", {"pictures": (0,), "picture_s": 3.0}),
    "one frame of an instant": ("a.mkv", {"pictures": (0,)}),
    "frames of ever other lengths": (
        "a.mp4", {"pictures": np.cumsum(np.tile([0.04, 0.9, 0.2, 3.0], 3)).tolist()},
    ),
    "sound five seconds longer": ("a.mkv", {"pictures": FPS25[:75], "sounds": [(0, 8)]}),
    "picture five seconds longer": ("a.mkv", {"pictures": FPS25[:200], "sounds": [(0, 3)]}),
    "a slow picture after the sound": (
        "a.mp4", {"pictures": range(9), "picture_s": 1.0, "sounds": [(0, 2)]},
    ),
    "a pause in the sound": ("a.mkv", {"pictures": FPS25[:200], "sounds": [(0, 2), (6, 8)]}),
    "a pause in the picture": (
        "a.mkv", {"pictures": [*FPS25[:50], *FPS25[150:200]], "sounds": [(0, 8)]},
    ),
    "sound alone of 2.6 seconds": ("a.mkv", {"sounds": [(0, 2.6)]}),
    "a start at a hundred seconds": (
        "a.ts", {"pictures": FPS25[:75], "sounds": [(0, 3)], "offset_s": 100.0},
    ),
    "time stamps below zero": (
        "a.mkv", {"pictures": FPS25[:75], "sounds": [(0, 3)], "offset_s": -0.5},
    ),
    "an edit list that delays the picture": (
        "a.mp4", {"pictures": [2 + t for t in FPS25[:100]], "sounds": [(0, 3)]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_seconds_agree_with_features_at_any_rate_and_pause(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_name, made = FILES[name]
    path = write_stamped(tmp_path / file_name, **made)

    by_second = run_file(path, monkeypatch, hop_s=1.0)
    finer = run_file(path, monkeypatch, hop_s=0.25)

    n_clips = n_clips_of_features(path)
    assert len(by_second.predictions) == n_clips
    assert sum(p.end_t_ns % 1_000_000_000 == 0 for p in finer.predictions) == n_clips


JOINS = {
    "one part": {},
    "other PIDs": {"options": {"mpegts_start_pid": "600"}},
    "PIDs swapped": {"sound_first": True},
    "other codecs": {"video": "mpeg4", "audio": "aac"},
}


@pytest.mark.parametrize("name", JOINS)
def test_seconds_of_joined_files_agree_with_features(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"pictures": [0.4 + t for t in FPS25[:65]], "sounds": [(0, 3.3)], "loud": [(1.1, 1.5)]}
    parts = [
        write_stamped(tmp_path / "a.ts", **made),
        write_stamped(tmp_path / "b.ts", **made, **JOINS[name]),
    ]
    path = joined(tmp_path / "joined.ts", *parts)

    run = run_file(path, monkeypatch, hop_s=1.0)
    features = extract_media(path, ENCODERS)

    assert len(run.predictions) == features.n_clips == 7
    heard = features.audio[:, 0, 0, 0] > 0.05
    assert heard.tolist() == [p.newest[TONE] > 0.3 for p in run.predictions]


def test_last_frame_is_seen_when_a_silent_file_has_one_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_stamped(
        tmp_path / "a.mp4", pictures=range(9), picture_s=1.0, levels=[DARK] * 8 + [BRIGHT]
    )

    runs = [run_file(path, monkeypatch) for _ in range(3)]

    assert [run.end_s for run in runs] == [9.0] * 3
    assert all(run.predictions[-1].newest[FLASH] > 0.8 for run in runs)
    assert all(run.predictions[28].newest[FLASH] < 0.2 for run in runs)


def test_pictures_after_the_sound_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = [DARK] * 175 + [BRIGHT] * 25
    path = write_stamped(tmp_path / "a.mkv", pictures=FPS25[:200], levels=levels, sounds=[(0, 2)])

    run = run_file(path, monkeypatch)

    last = run.predictions[-1]
    assert run.end_s == 8.0
    assert last.newest[FLASH] > 0.8
    assert last.present[-1].tolist() == [True, False]


def test_sound_after_the_pictures_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_stamped(tmp_path / "a.mkv", pictures=FPS25[:50], sounds=[(0, 8)], loud=[(7.5, 8)])

    run = run_file(path, monkeypatch)

    last = run.predictions[-1]
    assert run.end_s == pytest.approx(8.0, abs=0.3)
    assert last.newest[TONE] > 0.8
    assert last.present[-1].tolist() == [False, True]


def test_last_rest_of_the_sound_is_heard_when_it_is_shorter_than_a_hop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_stamped(tmp_path / "a.mkv", sounds=[(0, 3.12)], loud=[(3.0, 3.12)])

    last = run_file(path, monkeypatch).predictions[-1]

    assert last.newest[TONE] > 0.3
