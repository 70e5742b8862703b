from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import MakeVideo
from PIL import Image

from extractors.clip_features import extract_media, extract_picture, n_clips_of
from extractors.encoders import Encoders
from extractors.errors import MediaError


@pytest.mark.parametrize(
    ("n_frames", "n_clips"), [(0, 0), (1, 1), (7, 1), (23, 1), (24, 2), (159, 10), (163, 10)]
)
def test_clips_are_whole_seconds_a_half_rounded_up(n_frames: int, n_clips: int) -> None:
    assert n_clips_of(n_frames, 16) == n_clips


def test_a_clip_is_the_mean_of_its_16_frames(make_video: MakeVideo, encoders: Encoders) -> None:
    features = extract_media(make_video(n_frames=24, rate=8), encoders)

    assert features.visual is not None
    # Frame k has grey 10 * k and is shown twice; a clip shows eight of them.
    np.testing.assert_allclose(features.visual[:, 0], [35, 115, 195], atol=1.5)


def test_sound_follows_the_pictures_length_when_a_length_is_asked_for(
    make_video: MakeVideo, encoders: Encoders
) -> None:
    features = extract_media(make_video(n_frames=32, seconds=5), encoders, n_clips=2)

    assert features.audio is not None
    assert features.audio.shape == (2, 512, 12, 8)
    np.testing.assert_allclose(features.audio, 0.25, atol=1e-4)
    assert features.notes == []


def test_each_sense_goes_to_its_own_end_when_all_of_a_file_is_wanted(
    make_video: MakeVideo, encoders: Encoders
) -> None:
    features = extract_media(make_video(n_frames=32, seconds=5), encoders)

    assert features.visual is not None
    assert features.audio is not None
    assert (len(features.visual), len(features.audio), features.n_clips) == (2, 5, 5)


def test_the_last_frame_is_repeated_and_the_sound_padded_when_a_file_is_short(
    make_video: MakeVideo, encoders: Encoders
) -> None:
    features = extract_media(make_video(n_frames=8, seconds=0.5), encoders, n_clips=3)

    assert features.visual is not None
    assert features.audio is not None
    # Half of the first clip is frames 0 to 7, the other half frame 7 again.
    np.testing.assert_allclose(features.visual[:, 0], [52.5, 70, 70], atol=1.5)
    np.testing.assert_allclose(features.audio[:, 0, 0, 0], [0.125, 0, 0], atol=1e-4)
    assert features.notes == [
        "last frame repeated for 2.5 s",
        "sound padded with 2.5 s of silence",
    ]


def test_a_short_file_keeps_its_length_when_it_is_not_to_be_filled(
    make_video: MakeVideo, encoders: Encoders
) -> None:
    features = extract_media(make_video(n_frames=32), encoders, n_clips=10, fill=False)

    assert features.visual is not None
    assert features.audio is not None
    assert len(features.visual) == len(features.audio) == 2


def test_a_long_file_is_read_no_further_than_wanted(
    make_video: MakeVideo, encoders: Encoders
) -> None:
    extract_media(make_video(n_frames=160), encoders, n_clips=2)

    assert encoders.picture.n_frames == 32  # type: ignore[union-attr]  # the fake counts


@pytest.mark.parametrize("sample_rate", [8000, 44_100, 48_000])
def test_sound_of_any_rate_keeps_its_length(
    make_video: MakeVideo, encoders: Encoders, sample_rate: int
) -> None:
    video = make_video("sound.wav", n_frames=0, seconds=3, sample_rate=sample_rate)

    features = extract_media(video, encoders)

    assert features.audio is not None
    np.testing.assert_allclose(features.audio[:, 0, 0, 0], [0.25] * 3, atol=1e-3)
    assert features.visual is None
    assert features.notes == ["no picture"]


def test_a_missing_sound_is_noted(make_video: MakeVideo, encoders: Encoders) -> None:
    features = extract_media(make_video(seconds=0), encoders)

    assert features.audio is None
    assert features.notes == ["no sound"]


def test_silence_is_noted(make_video: MakeVideo, encoders: Encoders) -> None:
    assert extract_media(make_video(level=0.0), encoders).notes == ["the sound is silent"]


def test_a_file_without_the_wanted_sense_is_refused(
    make_video: MakeVideo, encoders: Encoders
) -> None:
    with pytest.raises(MediaError, match="holds no sound"):
        extract_media(make_video(seconds=0), replace(encoders, picture=None))


def test_jpeg_gives_nearly_the_same_features(make_video: MakeVideo, encoders: Encoders) -> None:
    video = make_video(n_frames=16)

    plain, jpeg = extract_media(video, encoders), extract_media(video, encoders, jpeg=True)

    assert plain.visual is not None
    assert jpeg.visual is not None
    np.testing.assert_allclose(jpeg.visual, plain.visual, atol=3)


def test_a_still_is_one_clip(tmp_path: Path, encoders: Encoders) -> None:
    Image.new("RGB", (20, 30), (90, 90, 90)).save(tmp_path / "still.png")
    assert encoders.picture is not None

    features = extract_picture(tmp_path / "still.png", encoders.picture)

    assert features.visual is not None
    np.testing.assert_allclose(features.visual, [[90, 90, 90]])
