"""Which tensor of a foreign weights file is which of ours: names, shapes, axes, nothing more.

Four networks, and for each the files that are about: MAFnet from the authors' TensorFlow graph,
VGGish from Keras, TensorFlow or torchvggish, YAMNet from the variables of a TensorFlow SavedModel,
DenseNet-201 from Keras or torchvision. A layout maps a source's names to our state dict's, and says
what is known and dropped. Pure: no file is opened.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from weights.errors import ConvertError

Shape = tuple[int, ...]
Kind = Literal["mafnet", "vggish", "yamnet", "densenet201"]
Origin = Literal["tensorflow", "keras", "torch"]

# TensorFlow, Keras and torch's names of the same parameter of a layer.
_LEAVES = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "weights": "weight",
    "biases": "bias",
    "bias": "bias",
    "gamma": "weight",
    "scale": "weight",
    "beta": "bias",
    "pop_mean": "running_mean",
    "pop_var": "running_var",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What a conversion must find and make.

    Attributes:
        wanted: Our names and shapes.
        found: Source name → our name.
        dropped: Source names that are known and not needed, with the reason.
    """

    wanted: Mapping[str, Shape]
    found: Mapping[str, str]
    dropped: Mapping[str, str]


def lay_out(kind: Kind, origin: Origin, shapes: Mapping[str, Shape]) -> Layout:
    """Assign a file's variables to a network's tensors.

    Raises:
        ConvertError: An unknown variable, or two for one tensor. Missing ones and wrong shapes
            are the caller's to find, by ``wanted``.
    """
    if kind == "mafnet":
        if origin != "tensorflow":
            raise ConvertError("MAFnet's weights come as a TensorFlow checkpoint, not as this file")
        return _mafnet(shapes)
    if kind == "vggish":
        return _named(shapes, _vggish_shapes(), _vggish_torch if origin == "torch" else _vggish_tf)
    if kind == "yamnet":
        if origin != "tensorflow":
            raise ConvertError(
                "YAMNet's weights come as a SavedModel's variables (its folder), not as this file"
            )
        return _named(shapes, _yamnet_shapes(), _yamnet)
    if origin == "tensorflow":
        raise ConvertError("DenseNet-201 comes as torchvision's .pth or a Keras .h5, not as this")
    return _named(
        shapes, _densenet_shapes(), _densenet_torch if origin == "torch" else _densenet_keras
    )


def our_axes(source: str, n_axes: int, origin: Origin) -> tuple[int, ...]:
    """Give the order in which a source's axes become ours.

    Args:
        source: The variable's name in the source.
        n_axes: How many axes it has.
        origin: What wrote the source.
    """
    if origin == "torch":
        return tuple(range(n_axes))
    if "depthwise_kernel" in source.split("/"):  # HWI1, a kernel for each channel in → I1HW
        return (2, 3, 0, 1)
    return (3, 2, 0, 1) if n_axes == 4 else tuple(reversed(range(n_axes)))  # HWIO → OIHW


def source_shape(source: str, shape: Shape, origin: Origin) -> Shape:
    """Give the shape that one of our tensors has in a source's axis order."""
    axes = our_axes(source, len(shape), origin)
    return tuple(shape[axes.index(axis)] for axis in range(len(shape)))


# A source's name → ours, None where it is unknown.
_Rename = Callable[[str], str | None]
_DROP = "\0"  # a rename's answer for "known, not needed"; the reason follows


def _named(shapes: Mapping[str, Shape], wanted: Mapping[str, Shape], rename: _Rename) -> Layout:
    found: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for name in shapes:
        target = rename(name)
        if target is not None and target.startswith(_DROP):
            dropped[name] = target[1:]
        elif target is None or target not in wanted:
            raise ConvertError(f"an unknown variable: {name} {shapes[name]}")
        elif target in found.values():
            raise ConvertError(f"two variables for {target}: {name} is the second")
        else:
            found[name] = target
    return Layout(wanted, found, dropped)


# MAFnet ---------------------------------------------------------------------------------------

_OPTIMISER = re.compile(r"(.*/)?(Adam(_\d+)?|beta[12]_power(_\d+)?|global_step)")
# Layers that the authors named; TensorFlow appends a number to a name that was taken.
_MAFNET_LAYERS = {
    "FILM_for_sound_fc": "film.generator",
    "FILMed_block_sound_conv1": "filmed_block.conv1",
    "FILMed_block_sound_conv2": "filmed_block.conv2",
    "FILMed_block_sound_BN": "filmed_block.norm",
    "image_BN": "picture_norm",
    "sound_BN": "sound_norm",
    "multimodal_fc": "head",
    "multimodal_BN": "head_norm",
}
# Layers that TensorFlow named, in the order of the graph: told apart by shape, then by number.
_MAFNET_AUTOMATIC = {
    "time_distributed": ("picture_dense", "sound_dense"),
    "dense": ("attention.hidden", "attention.scorer"),
}


def _mafnet_shapes(visual_dim: int, n_labels: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {
        "film.generator.weight": (1024, visual_dim),
        "film.generator.bias": (1024,),
        "filmed_block.conv1.weight": (512, 512, 1, 1),
        "filmed_block.conv1.bias": (512,),
        "filmed_block.conv2.weight": (512, 512, 3, 3),
        "filmed_block.conv2.bias": (512,),
        "picture_dense.weight": (512, visual_dim),
        "picture_dense.bias": (512,),
        "sound_dense.weight": (512, 512),
        "sound_dense.bias": (512,),
        "attention.hidden.weight": (512, 512),
        "attention.hidden.bias": (512,),
        "attention.scorer.weight": (1, 512),
        "attention.scorer.bias": (1,),
        "head.weight": (n_labels, 1024),
        "head.bias": (n_labels,),
    }
    norms = {"filmed_block": 512, "picture": 512, "sound": 512, "head": n_labels}
    for name, width in norms.items():
        layer = "filmed_block.norm" if name == "filmed_block" else f"{name}_norm"
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{layer}.{leaf}"] = (width,)
    return shapes


def _mafnet(shapes: Mapping[str, Shape]) -> Layout:
    dropped = {name: "optimiser" for name in shapes if _OPTIMISER.fullmatch(name)}
    model = {name: shape for name, shape in shapes.items() if name not in dropped}
    layers = _mafnet_layers(model)
    kernels = {
        layers[name.rpartition("/")[0]]: shape for name, shape in model.items() if _is_kernel(name)
    }
    film, head = kernels.get("film.generator", ()), kernels.get("head", ())
    if len(film) != 2 or len(head) != 2:
        raise ConvertError("no FILM_for_sound_fc and multimodal_fc kernels: not MAFnet's weights")
    wanted = _mafnet_shapes(visual_dim=film[0], n_labels=head[1])
    layout = _named(
        model,
        wanted,
        lambda name: f"{layers[name.rpartition('/')[0]]}.{_LEAVES.get(name.rpartition('/')[2])}",
    )
    return Layout(wanted, layout.found, dropped)


def _is_kernel(name: str) -> bool:
    return name.rpartition("/")[2] == "kernel"


def _mafnet_layers(shapes: Mapping[str, Shape]) -> dict[str, str]:
    layers: dict[str, str] = {}
    automatic: dict[str, list[tuple[bool, int, str]]] = defaultdict(list)
    for name, shape in shapes.items():
        layer, _, leaf = name.rpartition("/")
        last = layer.rpartition("/")[2]
        match = re.fullmatch(r"(.*?)(?:_(\d+))?", last)
        stem, number = (match[1], int(match[2] or 0)) if match else (last, 0)
        if last in _MAFNET_LAYERS or stem in _MAFNET_LAYERS:
            layers[layer] = _MAFNET_LAYERS.get(last) or _MAFNET_LAYERS[stem]
        elif stem in _MAFNET_AUTOMATIC:
            if leaf == "kernel":
                # The second of each pair is the narrow one: [512, 512] beside [D, 512], and
                # [512, 1] beside [512, 512].
                narrow = shape == ((512, 512) if stem == "time_distributed" else (512, 1))
                automatic[stem].append((narrow, number, layer))
        else:
            raise ConvertError(f"an unknown variable: {name} {shape}")
    for stem, candidates in automatic.items():
        targets = _MAFNET_AUTOMATIC[stem]
        if len(candidates) > len(targets):
            names = ", ".join(layer for _, _, layer in candidates)
            raise ConvertError(f"more {stem} layers than MAFnet has: {names}")
        for (_, _, layer), target in zip(sorted(candidates), targets, strict=False):
            layers[layer] = target
    for name in shapes:
        if name.rpartition("/")[0] not in layers:
            raise ConvertError(f"the kernel beside {name} is missing")
    return layers


# VGGish ---------------------------------------------------------------------------------------

_VGGISH = {
    "conv1": (1, 64),
    "conv2": (64, 128),
    "conv3_1": (128, 256),
    "conv3_2": (256, 256),
    "conv4_1": (256, 512),
    "conv4_2": (512, 512),
}
# Positions in torchvggish's nn.Sequential; ReLUs and pools stand between.
_VGGISH_TORCH = dict(zip(("0", "3", "6", "8", "11", "13"), _VGGISH, strict=True))


def _vggish_shapes() -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for layer, (n_in, n_out) in _VGGISH.items():
        shapes[f"{layer}.weight"] = (n_out, n_in, 3, 3)
        shapes[f"{layer}.bias"] = (n_out,)
    return shapes


def _vggish_tf(name: str) -> str | None:
    layer, _, leaf = name.rpartition("/")
    last = layer.rpartition("/")[2]
    if last in _VGGISH:
        return f"{last}.{_LEAVES.get(leaf)}"
    if re.fullmatch(r"fc\d(_\d)?|fc_\d", last) or _OPTIMISER.fullmatch(name):
        return f"{_DROP}behind conv4_2"
    return None


def _vggish_torch(name: str) -> str | None:
    match = re.fullmatch(r"features\.(\d+)\.(weight|bias)", name)
    if match and match[1] in _VGGISH_TORCH:
        return f"{_VGGISH_TORCH[match[1]]}.{match[2]}"
    if name in _vggish_shapes():
        return name
    if name.startswith(("embeddings.", "pproc.")):
        return f"{_DROP}behind conv4_2"
    return None


# YAMNet ---------------------------------------------------------------------------------------

_YAMNET_STEM, _YAMNET_CLASSES = 32, 521
_YAMNET_BLOCKS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def _yamnet_layers() -> list[str]:
    """Name our layers in the order that Keras numbers them in."""
    layers = ["stem.conv", "stem.norm"]
    for block in range(len(_YAMNET_BLOCKS)):
        layers += [f"blocks.{block}.{part}" for part in ("0.conv", "0.norm", "1.conv", "1.norm")]
    return [*layers, "classifier"]


def _yamnet_shapes() -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}

    def normed(layer: str, kernel: Shape) -> None:
        shapes[f"{layer}.conv.weight"] = kernel
        for leaf in ("bias", "running_mean", "running_var"):  # no scale
            shapes[f"{layer}.norm.{leaf}"] = kernel[:1]

    normed("stem", (_YAMNET_STEM, 1, 3, 3))
    width = _YAMNET_STEM
    for block, wider in enumerate(_YAMNET_BLOCKS):
        normed(f"blocks.{block}.0", (width, 1, 3, 3))
        normed(f"blocks.{block}.1", (wider, width, 1, 1))
        width = wider
    shapes["classifier.weight"] = (_YAMNET_CLASSES, width)
    shapes["classifier.bias"] = (_YAMNET_CLASSES,)
    return shapes


def _yamnet(name: str) -> str | None:
    match = re.fullmatch(
        r"(?:.*/)?layer_with_weights-(\d+)/(\w+)/\.ATTRIBUTES/VARIABLE_VALUE", name
    )
    layers = _yamnet_layers()
    if match and int(match[1]) < len(layers):
        return f"{layers[int(match[1])]}.{_LEAVES.get(match[2])}"
    if name == "_CHECKPOINTABLE_OBJECT_GRAPH" or name.startswith(("keras_api/", "save_counter/")):
        return f"{_DROP}Keras's own"
    return None


# DenseNet-201 ---------------------------------------------------------------------------------

_BLOCKS = (6, 12, 48, 32)  # Huang et al. 2017, table 1
_GROWTH, _STEM, _BOTTLENECK = 32, 64, 4 * 32


def _densenet_shapes() -> dict[str, Shape]:
    shapes: dict[str, Shape] = {"features.conv0.weight": (_STEM, 3, 7, 7)}

    def norm(layer: str, width: int) -> None:
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"features.{layer}.{leaf}"] = (width,)

    norm("norm0", _STEM)
    width = _STEM
    for block, n_layers in enumerate(_BLOCKS, start=1):
        for number in range(1, n_layers + 1):
            layer = f"denseblock{block}.denselayer{number}"
            norm(f"{layer}.norm1", width)
            shapes[f"features.{layer}.conv1.weight"] = (_BOTTLENECK, width, 1, 1)
            norm(f"{layer}.norm2", _BOTTLENECK)
            shapes[f"features.{layer}.conv2.weight"] = (_GROWTH, _BOTTLENECK, 3, 3)
            width += _GROWTH
        if block < len(_BLOCKS):
            norm(f"transition{block}.norm", width)
            shapes[f"features.transition{block}.conv.weight"] = (width // 2, width, 1, 1)
            width //= 2
    norm("norm5", width)
    return shapes


_KERAS_PARTS = {"0_bn": "norm1", "1_conv": "conv1", "1_bn": "norm2", "2_conv": "conv2"}
_KERAS_SINGLE = {"conv1/conv": "conv0", "conv1/bn": "norm0", "bn": "norm5"}


def _densenet_keras(name: str) -> str | None:
    layer, _, leaf = name.rpartition("/")
    ours = _LEAVES.get(leaf)
    if layer in _KERAS_SINGLE:
        return f"features.{_KERAS_SINGLE[layer]}.{ours}"
    match = re.fullmatch(r"conv([2-5])_block(\d+)_([012]_(?:bn|conv))", layer)
    if match and match[3] in _KERAS_PARTS:
        place = f"denseblock{int(match[1]) - 1}.denselayer{match[2]}"
        return f"features.{place}.{_KERAS_PARTS[match[3]]}.{ours}"
    match = re.fullmatch(r"pool([2-4])_(bn|conv)", layer)
    if match:
        part = "norm" if match[2] == "bn" else "conv"
        return f"features.transition{int(match[1]) - 1}.{part}.{ours}"
    if re.fullmatch(r"fc1000|predictions", layer):
        return f"{_DROP}the classifier"
    return None


def _densenet_torch(name: str) -> str | None:
    if name.endswith(".num_batches_tracked"):
        return f"{_DROP}a training counter"
    if name.startswith("classifier."):
        return f"{_DROP}the classifier"
    # torchvision's published file is older than its module: `norm.1` there is `norm1` today.
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name)
