"""Converting foreign weights to safetensors: all names and shapes matched first, or nothing.

The file is written whole beside its target and then takes its place, so that a failed conversion
leaves what was there. The result's bytes depend on the input alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from weights.errors import ConvertError
from weights.files import sha256_of, written_whole
from weights.foreign import open_foreign
from weights.layouts import Kind, Layout, Origin, Shape, lay_out, our_axes, source_shape
from weights.tensor_files import save_arrays

_NOTHING: Mapping[str, Shape] = MappingProxyType({})
KINDS: tuple[Kind, ...] = ("mafnet", "vggish", "yamnet", "densenet201")


@dataclass(frozen=True, slots=True)
class Match:
    """One variable and the tensor that it became."""

    source: str
    source_shape: Shape
    target: str
    target_shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertReport:
    """What a conversion read and wrote.

    Attributes:
        matches: Every tensor written, by our names.
        dropped: Variables known and not needed, with the reason.
        n_values: Numbers written.
        sha256: Of the file written.
    """

    origin: Origin
    matches: tuple[Match, ...]
    dropped: Mapping[str, str]
    n_values: int
    sha256: str


def convert(
    path: Path,
    kind: Kind,
    target: Path,
    expect: Mapping[str, Shape] = _NOTHING,
    half: bool = False,
) -> ConvertReport:
    """Convert one foreign weights file.

    Args:
        path: A TensorFlow checkpoint's prefix or folder, a Keras .h5, or a torch .pth.
        kind: What network it holds.
        target: The safetensors file to write.
        expect: Shapes of ours that a file of this kind may have otherwise, such as the number of
            labels, and this one must have.
        half: Write kernels in half precision; biases and the statistics of norms, some of which
            are smaller than it reaches, stay as they are.

    Raises:
        ConvertError: Anything does not fit; nothing is written then.
    """
    if target.suffix != ".safetensors":
        raise ConvertError(f"{target}: the target must end in .safetensors")
    origin, variables = open_foreign(path)
    shapes = variables.shapes()
    try:
        layout = lay_out(kind, origin, shapes)
        _check(layout, shapes, origin)
        for name, shape in expect.items():
            if layout.wanted[name] != shape:
                raise ConvertError(f"{name} must be {shape}, got {layout.wanted[name]}")
    except ConvertError as error:
        raise ConvertError(f"{path}: {error}") from error
    tensors: dict[str, NDArray[np.floating]] = {}
    matches = []
    for source, name in sorted(layout.found.items(), key=lambda item: item[1]):
        array = variables.read(source)
        if not np.isfinite(array).all():
            raise ConvertError(f"{path}: {source} holds values that are not finite")
        array = array.transpose(our_axes(source, array.ndim, origin))
        tensors[name] = np.ascontiguousarray(array, np.float16 if half and array.ndim > 1 else None)
        matches.append(Match(source, shapes[source], name, tensors[name].shape))
    try:
        with written_whole(target) as temporary:
            save_arrays(tensors, temporary)
    except (OSError, SafetensorError) as error:  # the latter where the disk is full
        reason = getattr(error, "strerror", None) or error
        raise ConvertError(f"{target}: cannot be written ({reason})") from error
    return ConvertReport(
        origin=origin,
        matches=tuple(matches),
        dropped=layout.dropped,
        n_values=sum(tensor.size for tensor in tensors.values()),
        sha256=sha256_of(target),
    )


def _check(layout: Layout, shapes: Mapping[str, Shape], origin: Origin) -> None:
    missing = sorted(layout.wanted.keys() - set(layout.found.values()))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ConvertError(f"no variable for {missing[0]}{more}")
    for source, name in layout.found.items():
        wanted = source_shape(source, layout.wanted[name], origin)
        if shapes[source] != wanted:
            raise ConvertError(f"{source} must be {wanted}, got {shapes[source]}")
