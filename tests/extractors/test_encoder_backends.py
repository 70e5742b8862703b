"""The trunks of an extraction on OpenVINO give torch's features, or refuse in one sentence."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from extractors.encoders import Encoders, load_encoders
from extractors.errors import ExtractorError, OpenVinoError
from extractors.openvino_trunks import Precision, computes_bfloat16
from extractors.sound import make_sound_trunk
from extractors.tolerances import tolerance
from extractors.trunk_weights import WeightsMismatchError
from extractors.visual import make_visual_trunk
from weights.trunk_file import NamedFile


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("trunks")
    trunks = {
        "efficientnet_lite0": make_visual_trunk("efficientnet_lite0"),
        "vggish": make_sound_trunk("vggish"),
        "yamnet": make_sound_trunk("yamnet"),
    }
    for name, trunk in trunks.items():
        save_file(
            {k: v.contiguous() for k, v in trunk.state_dict().items()},
            folder / f"{name}.safetensors",
        )
    return {name: folder / f"{name}.safetensors" for name in trunks}


def vggish(files: dict[str, Path]) -> NamedFile:
    return NamedFile("vggish", files["vggish"])


def encode(encoders: Encoders) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    assert encoders.picture is not None
    assert encoders.sound is not None
    frames = random.integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    waveform = (0.1 * random.standard_normal((2, 16_000))).astype(np.float32)
    return [encoders.picture.encode(frames), *encoders.sound.encode(waveform)]


@pytest.mark.parametrize("sound", ["vggish", "yamnet"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_openvino_gives_torchs_features_within_its_tolerance(
    files: dict[str, Path], tmp_path: Path, precision: Precision, sound: str
) -> None:
    pytest.importorskip("openvino")
    if precision == "bfloat16" and not computes_bfloat16():
        pytest.skip("this CPU has no bfloat16 units")
    picture = NamedFile("efficientnet_lite0", files["efficientnet_lite0"])
    heard = NamedFile(sound, files[sound])
    exact = encode(load_encoders(visual=picture, sound=heard, home=tmp_path))

    encoders = load_encoders(
        visual=picture,
        sound=heard,
        backend="openvino",
        precision=precision,
        home=tmp_path,
    )

    assert encoders.picture is not None
    assert encoders.picture.source.precision == precision
    allowed = [
        tolerance("efficientnet_lite0", precision),
        0.0,  # log-mel is torch's
        tolerance(sound, precision),
    ]
    for one, other, bound in zip(exact, encode(encoders), allowed, strict=True):
        assert one.shape == other.shape
        assert other.dtype == np.float32
        assert np.linalg.norm(one - other) <= bound * np.linalg.norm(one)


def test_graph_that_computes_something_else_is_refused_and_auto_falls_back(
    files: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr("extractors.tolerances.FLOAT32", -1.0)

    with pytest.raises(OpenVinoError, match="use --backend torch"):
        load_encoders(sound=vggish(files), backend="openvino", home=tmp_path)
    assert load_encoders(sound=vggish(files), backend="auto", home=tmp_path).sound is not None
    assert "torch runs the trunks" in caplog.text


def test_auto_is_torch_where_openvino_is_not_installed(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extractors.backends.installed_version", lambda: None)

    assert load_encoders(sound=vggish(files), backend="auto", home=tmp_path).sound is not None
    assert not list(tmp_path.iterdir())
    with pytest.raises(OpenVinoError, match="not installed"):
        load_encoders(sound=vggish(files), backend="openvino", home=tmp_path)


@pytest.mark.parametrize(
    ("backend", "precision", "device"),
    [("torch", "bfloat16", "cpu"), ("auto", "bfloat16", "meta"), ("openvino", "float32", "meta")],
)
def test_contradictions_are_one_sentence(
    files: dict[str, Path], backend: str, precision: Precision, device: str
) -> None:
    with pytest.raises(ExtractorError, match=r"CPU"):
        load_encoders(
            sound=vggish(files),
            backend=backend,
            precision=precision,
            device=device,
        )


def test_a_sound_trunks_file_is_not_taken_for_the_others(files: dict[str, Path]) -> None:
    with pytest.raises(WeightsMismatchError, match="does not fit"):
        load_encoders(sound=NamedFile("yamnet", files["vggish"]))


@pytest.mark.parametrize(("name", "offset"), [("vggish", 0.01), ("yamnet", 0.001)])
def test_silence_is_the_log_of_the_trunks_own_offset(
    files: dict[str, Path], name: str, offset: float
) -> None:
    encoders = load_encoders(sound=NamedFile(name, files[name]))
    assert encoders.sound is not None

    log_mel, _ = encoders.sound.encode(np.zeros((1, 16_000), np.float32))

    np.testing.assert_allclose(log_mel, np.log(offset), atol=1e-5)
