import pytest
import torchvision

from extractors.sound import make_sound_trunk
from mafnet.model import MAFnet, MAFnetConfig
from weights.errors import ConvertError
from weights.layouts import Shape, lay_out, source_shape

NORM = ("beta", "pop_mean", "pop_var", "scale")


def authors_graph(visual_dim: int = 1920, n_labels: int = 28) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    kernels = {
        "FILM_for_sound_fc": (visual_dim, 1024),
        "FILMed_block_sound_conv1": (1, 1, 512, 512),
        "FILMed_block_sound_conv2": (3, 3, 512, 512),
        "time_distributed": (visual_dim, 512),
        "time_distributed_1": (512, 512),
        "dense": (512, 512),
        "dense_1": (512, 1),
        "multimodal_fc_1": (1024, n_labels),
    }
    for layer, kernel in kernels.items():
        shapes[f"{layer}/kernel"] = kernel
        shapes[f"{layer}/bias"] = kernel[-1:]
    widths = {"FILMed_block_sound_BN": 512, "image_BN_1": 512, "sound_BN_1": 512}
    for layer, width in {**widths, "multimodal_BN_1": n_labels}.items():
        shapes |= {f"{layer}/{leaf}": (width,) for leaf in NORM}
    return shapes


def renamed(shapes: dict[str, Shape], old: str, new: str) -> dict[str, Shape]:
    return {name.replace(f"{old}/", f"{new}/"): shape for name, shape in shapes.items()}


@pytest.mark.parametrize(("visual_dim", "n_labels"), [(1920, 28), (512, 7), (1, 1)])
def test_every_tensor_of_mafnet_has_its_variable(visual_dim: int, n_labels: int) -> None:
    layout = lay_out("mafnet", "tensorflow", authors_graph(visual_dim, n_labels))
    model = MAFnet(MAFnetConfig(visual_dim=visual_dim, n_labels=n_labels))
    state = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert dict(layout.wanted) == state
    assert sorted(layout.found.values()) == sorted(state)


def test_optimiser_variables_are_dropped() -> None:
    extra: dict[str, Shape] = {
        "dense/kernel/Adam": (512, 512),
        "dense/kernel/Adam_3": (512, 512),
        "beta1_power": (),
        "beta2_power_2": (),
    }
    layout = lay_out("mafnet", "tensorflow", {**authors_graph(), **extra})
    assert set(layout.dropped) == set(extra)


def test_automatic_names_are_matched_by_shape_when_the_graph_was_built_second() -> None:
    shapes = authors_graph()
    for old, new in (("dense", "dense_3"), ("dense_1", "dense_2")):  # numbers the wrong way round
        shapes = renamed(shapes, old, f"swapped_{new}")
    shapes = {name.replace("swapped_", ""): shape for name, shape in shapes.items()}
    shapes = renamed(shapes, "time_distributed_1", "time_distributed_5")
    shapes = renamed(shapes, "time_distributed", "time_distributed_4")

    found = lay_out("mafnet", "tensorflow", shapes).found

    assert found["dense_3/kernel"] == "attention.hidden.weight"
    assert found["dense_2/bias"] == "attention.scorer.bias"
    assert found["time_distributed_4/kernel"] == "picture_dense.weight"
    assert found["time_distributed_5/bias"] == "sound_dense.bias"


def test_names_in_a_scope_are_matched() -> None:
    scoped = {f"tower/{name}": shape for name, shape in authors_graph().items()}
    assert len(lay_out("mafnet", "tensorflow", scoped).found) == 32


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"resnet/kernel": (1, 1)}, "an unknown variable: resnet/kernel"),
        ({"dense_2/kernel": (512, 512)}, "more dense layers than MAFnet has"),
        ({"dense/gain": (512,)}, "an unknown variable: dense/gain"),
        ({"image_BN_2/scale": (512,)}, "two variables for picture_norm.weight"),
        ({"dense_7/bias": (512,)}, "the kernel beside dense_7/bias is missing"),
    ],
)
def test_surplus_variable_is_named(extra: dict[str, Shape], message: str) -> None:
    with pytest.raises(ConvertError, match=message):
        lay_out("mafnet", "tensorflow", {**authors_graph(), **extra})


def test_file_of_another_network_is_refused() -> None:
    with pytest.raises(ConvertError, match="unknown variable"):
        lay_out("mafnet", "tensorflow", {"conv1/kernel": (3, 3, 1, 64)})
    with pytest.raises(ConvertError, match="not MAFnet's weights"):
        lay_out("mafnet", "tensorflow", {})


def test_densenet_names_are_torchvisions() -> None:
    state = {
        name: tuple(value.shape)
        for name, value in torchvision.models.densenet201(weights=None).state_dict().items()
    }
    layout = lay_out("densenet201", "torch", state)
    kept = {name: shape for name, shape in state.items() if name in layout.found}
    assert dict(layout.wanted) == kept
    assert all("classifier" in name or "num_batches" in name for name in layout.dropped)


def test_torchvisions_published_names_are_understood() -> None:
    state = {
        name.replace("norm1", "norm.1").replace("conv2", "conv.2"): tuple(value.shape)
        for name, value in torchvision.models.densenet201(weights=None).state_dict().items()
    }
    layout = lay_out("densenet201", "torch", state)
    assert set(layout.found.values()) == set(layout.wanted)


def test_torchvggish_positions_become_layers() -> None:
    found = lay_out(
        "vggish",
        "torch",
        {"features.13.weight": (512, 512, 3, 3), "embeddings.0.weight": (4096, 12288)},
    ).found
    assert found == {"features.13.weight": "conv4_2.weight"}


def test_axes_turn_to_the_source() -> None:
    assert source_shape("conv/kernel", (64, 3, 7, 5), "keras") == (7, 5, 3, 64)
    assert source_shape("fc/kernel", (28, 1024), "tensorflow") == (1024, 28)
    assert source_shape("fc.weight", (28, 1024), "torch") == (28, 1024)
    depthwise = "net/layer_with_weights-2/depthwise_kernel/.ATTRIBUTES/VARIABLE_VALUE"
    assert source_shape(depthwise, (64, 1, 7, 5), "tensorflow") == (7, 5, 64, 1)


def test_yamnet_lies_where_extractors_looks_for_it() -> None:
    layout = lay_out("yamnet", "tensorflow", {})
    state = make_sound_trunk("yamnet").state_dict()
    wanted = {
        name: tuple(value.shape)
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }
    assert dict(layout.wanted) == wanted


@pytest.mark.parametrize(
    "name",
    [
        "layer_with_weights-55/kernel/.ATTRIBUTES/VARIABLE_VALUE",
        "layer_with_weights-1/gamma/.ATTRIBUTES/VARIABLE_VALUE",
        "layer_with_weights-0/kernel",
        "optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE",
    ],
)
def test_variable_that_yamnet_has_not_is_named(name: str) -> None:
    with pytest.raises(ConvertError, match=f"an unknown variable: {name}"):
        lay_out("yamnet", "tensorflow", {name: (1,)})
