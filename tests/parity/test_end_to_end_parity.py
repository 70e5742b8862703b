"""Against reference/end_to_end: two videos through the authors' two extractor scripts.

Sound: log-mel within 0.1 (resampy 0.2.2 there, soxr here; docs/lab/2026-11-23-resampling.md has the
figures), VGGish maps within 0.5 % of their largest value. Picture: the authors' own decoded frames
give their features within 1e-4; from the video, whose frames pass through our JPEG encoder and
decoder instead of theirs, within 5 % on average.
"""

import lzma
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from extractors.authors_jpeg import through_jpeg
from extractors.clip_features import ClipFeatures, encode_frames, encode_sound, extract_media
from extractors.decoding.pictures import as_rgb
from extractors.encoders import Encoders, load_encoders
from extractors.frame_grid import frames_on_grid
from extractors.media import probe, read_frames, read_sound
from extractors.resample import resample_blocks
from weights.trunk_file import NamedFile

_REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
_VIDEOS = _REFERENCE / "end_to_end" / "AVE_Dataset" / "AVE"

pytestmark = pytest.mark.skipif(not _REFERENCE.is_dir(), reason="the reference arrays are not here")


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Encoders:
    folder = tmp_path_factory.mktemp("weights")
    for name in ("densenet201", "vggish"):
        packed = (_REFERENCE / name / "weights_keras.h5.xz").read_bytes()
        (folder / f"{name}.h5").write_bytes(lzma.decompress(packed))
    return load_encoders(
        visual=NamedFile("densenet201", folder / "densenet201.h5"),
        sound=NamedFile("vggish", folder / "vggish.h5"),
    )


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    folder = _REFERENCE / "end_to_end"
    with (
        np.load(folder / "e2e_features.npz") as features,
        np.load(folder / "e2e_logmel.npz") as log_mel,
        np.load(folder / "e2e_frames_decoded_first16.npz") as frames,
    ):
        arrays = {f"{name} log-mel": log_mel[name] for name in ("clipA", "clipB")}
        for row, name in enumerate(("clipA", "clipB")):
            arrays[f"{name} visual"] = features["visual"][row]
            arrays[f"{name} audio"] = features["audio"][row]
            arrays[f"{name} frames"] = frames[name]
    return arrays


@pytest.mark.parametrize("name", ["clipA", "clipB"])
def test_the_sound_of_a_video_equals_the_authors(
    name: str, encoders: Encoders, reference: dict[str, np.ndarray]
) -> None:
    path = _VIDEOS / f"{name}.mp4"
    features = ClipFeatures()
    assert encoders.sound is not None

    blocks = resample_blocks(read_sound(path), probe(path).sample_rate)
    encode_sound(blocks, encoders.sound, 10, features)

    assert features.log_mel is not None
    assert features.audio is not None
    expected = reference[f"{name} audio"]
    np.testing.assert_allclose(features.log_mel, reference[f"{name} log-mel"], atol=0.1)
    difference = np.abs(features.audio.transpose(0, 2, 3, 1) - expected).max()
    assert difference <= 0.005 * expected.max()


@pytest.mark.parametrize("name", ["clipA", "clipB"])
def test_the_authors_decoded_frames_give_their_features(
    name: str, encoders: Encoders, reference: dict[str, np.ndarray]
) -> None:
    assert encoders.picture is not None

    features = ClipFeatures()
    encode_frames(reference[f"{name} frames"], encoders.picture, None, features)

    assert features.visual is not None
    np.testing.assert_allclose(features.visual, reference[f"{name} visual"][:1], atol=1e-4)


def test_a_video_differs_by_the_jpeg_decoder_alone(
    encoders: Encoders, reference: dict[str, np.ndarray]
) -> None:
    features = extract_media(_VIDEOS / "clipA.mp4", encoders, n_clips=1, jpeg=True)

    assert features.visual is not None
    expected = reference["clipA visual"][0]
    difference = np.abs(features.visual[0] - expected).mean() / expected.mean()
    assert difference <= 0.05


@pytest.mark.parametrize("name", ["clipA", "clipB"])
def test_jpeg_brings_the_pixels_nearer_to_the_authors(
    name: str, encoders: Encoders, reference: dict[str, np.ndarray]
) -> None:
    assert encoders.picture is not None
    transform = encoders.picture.transform
    frames = list(islice(frames_on_grid(read_frames(_VIDEOS / f"{name}.mp4")), 16))
    expected = reference[f"{name} frames"].astype(int)

    plain = np.stack([transform.resize(as_rgb(frame)) for frame in frames])
    jpeg = np.stack([transform.resize(rgb) for rgb in through_jpeg(frames)])

    assert np.abs(jpeg - expected).mean() < 0.7 * np.abs(plain - expected).mean()
