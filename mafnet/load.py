"""Building a MAFnet from weights that were verified: strict names, strict shapes, float32.

Refuses to guess: a missing, an extra or a misshapen tensor is an error that names it, never a
partly random network.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from mafnet.architecture import check_architecture, configured, read_architecture
from mafnet.evidence import EvidenceClasses
from mafnet.model import SOUND_MAP, Activation, MAFnet, MAFnetConfig
from mafnet.taught import TaughtRow
from weights.bundle import Bundle, BundleError
from weights.bundle_spec import SOUND_MAPS
from weights.tensor_files import load_tensors

_FLOATS = (torch.float32, torch.float16, torch.bfloat16)


def load_head(bundle: Bundle) -> MAFnet:
    """Build a bundle's MAFnet in evaluation mode, on the CPU, its temperature built in.

    Raises:
        BundleError: The file does not fit the manifest.
    """
    activation: Activation = "sigmoid" if bundle.activation == "sigmoid" else "softmax"
    classes = bundle.head.evidence
    config = MAFnetConfig(
        visual_dim=bundle.visual.dim,
        n_labels=len(bundle.labels),
        sound_map=bundle.audio.sound_map,
        evidence=None
        if classes is None
        else EvidenceClasses(
            sound=classes.sound,
            picture=classes.picture,
            taught=tuple(
                TaughtRow(label=bundle.labels.index(lesson.label), denies=lesson.denies)
                for lesson in classes.lessons
            ),
        ),
        activation=activation,
        temperature=bundle.temperature,
    )
    return load_model(bundle.head.weights, config)


def load_model(path: Path, config: MAFnetConfig | None = None) -> MAFnet:
    """Build a MAFnet from a safetensors file, in evaluation mode, on the CPU.

    Args:
        path: Float32 or half-precision weights under this project's names.
        config: What the weights must fit; None reads width and label count from the file.

    Raises:
        BundleError: Not safetensors, or names, shapes or kinds of numbers that do not fit, or
            weights of another architecture.
    """
    try:
        state = load_tensors(path)
        found = read_architecture(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: not a readable safetensors file ({error})") from error
    if config is None:
        config = config_of(state, str(path), None if found is None else found.sound_map)
    if found is not None:
        config = configured(config, found, path)
    with torch.device("meta"):
        model = MAFnet(config)
    check_state(state, model.state_dict(), str(path))
    model.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
    model.eval().requires_grad_(False)
    if found is not None:
        check_architecture(model, found, path)
    return model


def config_of(
    state: dict[str, Tensor], where: str, sound_map: tuple[int, int, int] | None = None
) -> MAFnetConfig:
    """Read the visual width, the label count and the sound map from a state's shapes.

    Args:
        state: The tensors.
        where: They come from, for errors.
        sound_map: What the file's header says; None where it says nothing, as the oldest do.

    Raises:
        BundleError: The tensors that tell them are missing, or nothing says the sound map.
    """
    picture, head = state.get("picture_dense.weight"), state.get("head.weight")
    if picture is None or head is None or picture.ndim != 2 or head.ndim != 2:
        raise BundleError(f"{where}: these are not MAFnet's weights: convert them first")
    sound = state.get("filmed_block.conv1.weight")
    n_channels = sound.shape[1] if sound is not None and sound.ndim == 4 else SOUND_MAP[0]
    sound_map = sound_map or {sizes[0]: sizes for sizes in SOUND_MAPS.values()}.get(n_channels)
    if sound_map is None:
        raise BundleError(
            f"{where}: nothing says how large its sound maps of {n_channels} channels are: "
            "load them with their bundle"
        )
    return MAFnetConfig(visual_dim=picture.shape[1], n_labels=head.shape[0], sound_map=sound_map)


def check_state(state: dict[str, Tensor], wanted: dict[str, Tensor], where: str) -> None:
    """Compare names, shapes and kinds of numbers before anything is copied.

    Raises:
        BundleError: The first difference, by name.
    """
    missing, extra = sorted(wanted.keys() - state), sorted(state.keys() - wanted)
    if missing or extra:
        raise BundleError(
            f"{where}: these are not the head's weights (missing: {_few(missing)}; "
            f"extra: {_few(extra)})"
        )
    for name, tensor in wanted.items():
        if state[name].shape != tensor.shape:
            raise BundleError(
                f"{where}: {name} must be {tuple(tensor.shape)}, got {tuple(state[name].shape)}"
            )
        if state[name].dtype not in _FLOATS:
            raise BundleError(f"{where}: {name} must be floating point, got {state[name].dtype}")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + ("…" if len(names) > 3 else "") if names else "none"
