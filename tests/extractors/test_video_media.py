from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from extractor_fakes import MakeVideo
from PIL import Image

from extractors.authors_jpeg import through_jpeg
from extractors.decoding.pictures import as_rgb
from extractors.errors import MediaError
from extractors.media import MediaInfo, probe, read_frames, read_picture, read_sound


def test_probe_tells_both_senses_and_the_rate(make_video: MakeVideo) -> None:
    info = probe(make_video(sample_rate=44_100))

    assert (info.has_picture, info.has_sound, info.sample_rate) == (True, True, 44_100)


def test_probe_tells_a_missing_sense(make_video: MakeVideo) -> None:
    assert not probe(make_video("silent.mkv", seconds=0)).has_sound
    assert not probe(make_video("blind.mkv", n_frames=0, seconds=1)).has_picture


def test_frames_come_in_order_with_exact_times(make_video: MakeVideo) -> None:
    frames = list(read_frames(make_video(n_frames=12, rate=12)))

    assert len(frames) == 12
    # Matroska dates frames in whole milliseconds.
    assert all(abs(t - Fraction(k, 12)) <= Fraction(1, 1000) for k, (t, _, _) in enumerate(frames))
    assert all(abs(d - Fraction(1, 12)) <= Fraction(1, 1000) for _, d, _ in frames)


def test_a_frame_is_the_picture_that_was_encoded(make_video: MakeVideo) -> None:
    _, _, frame = list(read_frames(make_video(n_frames=8)))[7]

    rgb = as_rgb(frame)

    assert rgb.shape == (32, 48, 3)
    assert np.abs(rgb.astype(int) - 70).max() <= 2


def test_sound_is_mono_samples_in_the_files_own_rate(make_video: MakeVideo) -> None:
    samples = np.concatenate(list(read_sound(make_video(seconds=0.7, sample_rate=22_050))))

    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, np.full(15_435, 0.25, np.float32))


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="stereo")
        samples = np.tile(np.array([16384, -8192], np.int16), 800)[None]
        block = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        block.sample_rate = 8000
        container.mux(stream.encode(block))
        container.mux(stream.encode(None))

    samples = np.concatenate(list(read_sound(path)))

    np.testing.assert_allclose(samples, np.full(800, 0.125), atol=1e-7)


def test_jpeg_keeps_a_flat_picture_and_gives_one_for_each_frame(make_video: MakeVideo) -> None:
    frames = [frame for _, _, frame in read_frames(make_video(n_frames=4))]

    pictures = list(through_jpeg(frames))

    assert [round(float(p.mean()) / 10) for p in pictures] == [0, 1, 2, 3]


def test_a_cut_file_gives_what_can_be_decoded(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video(n_frames=64, seconds=4).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2])

    n_frames = len(list(read_frames(cut)))

    assert 0 < n_frames < 64


def test_damaged_packets_are_counted_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "damaged.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb24"
        for k in range(5):
            grey = np.full((32, 32, 3), 40 * k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    second = content.index(b"\x89PNG", content.index(b"\x89PNG") + 1)
    path.write_bytes(content[:second] + b"\0" * 40 + content[second + 40 :])
    info = MediaInfo(has_picture=True, has_sound=False, sample_rate=0)

    n_frames = len(list(read_frames(path, info)))

    # A neighbour may go with the damaged one: decoders work on several frames at a time.
    assert n_frames in (3, 4)
    assert info.n_damaged == 1


@pytest.mark.parametrize("content", [b"", b"not a video\n" * 100])
def test_a_file_of_something_else_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)

    with pytest.raises(MediaError, match=r"cannot open .*video\.mp4"):
        probe(path)


def test_an_absent_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="there is no file"):
        probe(tmp_path / "absent.mp4")
    with pytest.raises(MediaError, match="is a folder"):
        probe(tmp_path)


def test_asking_for_a_sense_that_is_not_there_is_refused(make_video: MakeVideo) -> None:
    with pytest.raises(MediaError, match="holds no sound"):
        next(read_sound(make_video("silent.mkv", seconds=0)))
    with pytest.raises(MediaError, match="holds no picture"):
        next(read_frames(make_video("blind.mkv", n_frames=0, seconds=1)))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_any_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (7, 5)).save(tmp_path / "picture.png")

    assert read_picture(tmp_path / "picture.png").shape == (5, 7, 3)


def test_a_broken_picture_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")

    with pytest.raises(MediaError, match="cannot read the picture"):
        read_picture(tmp_path / "picture.jpg")
