"""Both trunks on OpenVINO's CPU plugin: resized pictures and log-mels in, features out.

The picture's normalisation is part of the graph, so that pixels go in as the camera's bytes. One
request at a time with the latency hint: a live hop has four frames and one second of sound. Larger
batches go in parts of that size: they gain nothing, and OpenVINO makes code for each size that it
meets, which is done at the start for these few and for no others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from extractors.errors import OpenVinoError
from extractors.frame_transform import FrameTransform, transform_of
from extractors.openvino_graphs import import_openvino, load_graph
from extractors.sound import SOUND_TRUNKS
from extractors.visual import VISUAL_TRUNKS
from weights.printable import first_line

Precision = Literal["float32", "bfloat16"]
_HINTS: dict[str, str] = {"float32": "f32", "bfloat16": "bf16"}
_UINT8_MAX = 255.0
MAX_AT_ONCE = 4  # DenseNet-201: 45 ms for four frames, 187 for sixteen (two AVX-512 BF16 cores)


def computes_bfloat16() -> bool:
    """Tell whether OpenVINO finds bfloat16 units in this CPU.

    Raises:
        OpenVinoError: OpenVINO is not here.
    """
    core = import_openvino().Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoTrunk:
    """One compiled trunk; one thread calls it.

    Args:
        graph: What `extractors.openvino_graphs.load_graph` gave.
        precision: What the CPU computes in; inputs and outputs are float32 all the same.
        n_threads: As torch has, so that both together keep to the cores they were given.

    Raises:
        OpenVinoError: The graph cannot be compiled here.
    """

    def __init__(self, graph: Any, precision: Precision, n_threads: int) -> None:
        properties = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": n_threads,
            "ENABLE_CPU_PINNING": False,  # capture, decoding and torch want these cores too
        }
        try:
            compiled = import_openvino().Core().compile_model(graph, "CPU", properties)
            self._request = compiled.create_infer_request()
            self._prepare()
        except RuntimeError as error:
            reason = first_line(error)
            raise OpenVinoError(f"OpenVINO cannot compile a trunk here: {reason}") from error

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Run a batch through.

        Args:
            batch: As the graph takes it, C-contiguous; read before this returns, never kept.

        Returns:
            The trunk's output, float32, the caller's own.
        """
        if len(batch) <= MAX_AT_ONCE:
            return self._run(batch)
        starts = range(0, len(batch), MAX_AT_ONCE)
        return np.concatenate([self._run(batch[i : i + MAX_AT_ONCE]) for i in starts])

    def _run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        result = self._request.infer({0: batch}, share_inputs=True, share_outputs=False)
        return cast("NDArray[np.float32]", result[0])

    def _prepare(self) -> None:
        """Meet each size of batch once: a size's first takes 50 ms more (DenseNet-201)."""
        taken = self._request.get_compiled_model().input(0)
        shape = [length.get_length() for length in list(taken.get_partial_shape())[1:]]
        dtype = taken.get_element_type().to_dtype()
        for n_rows in range(MAX_AT_ONCE, 0, -1):
            self._run(np.zeros((n_rows, *shape), dtype))


def load_picture_trunk(
    name: str,
    sha256: str,
    make: Callable[[], nn.Module],
    precision: Precision,
    n_threads: int,
    home: Path,
) -> OpenVinoTrunk:
    """Compile a picture trunk: resized RGB `(B, size, size, 3)` uint8 to features `(B, D)`.

    Args:
        name: Of the trunk.
        sha256: Of its weights, the key of the kept graph.
        make: Returns the torch module, float32, on the CPU; called if no graph is kept.
        precision: See `OpenVinoTrunk`.
        n_threads: Likewise.
        home: The store.

    Raises:
        OpenVinoError: OpenVINO is not here or cannot take it.
    """
    transform = transform_of(name)
    shape = (3, transform.size, transform.size)
    graph = load_graph(name, sha256, shape, make, home, VISUAL_TRUNKS.code(name))
    return OpenVinoTrunk(with_pixels_in(graph, transform), precision, n_threads)


def load_sound_trunk(
    name: str,
    sha256: str,
    make: Callable[[], nn.Module],
    precision: Precision,
    n_threads: int,
    home: Path,
) -> OpenVinoTrunk:
    """Compile a sound trunk: what its front end makes to maps; as `load_picture_trunk`."""
    shape = SOUND_TRUNKS.find(name).front_end.shape
    graph = load_graph(name, sha256, shape, make, home, SOUND_TRUNKS.code(name))
    return OpenVinoTrunk(graph, precision, n_threads)


def with_pixels_in(graph: Any, transform: FrameTransform) -> Any:
    """Put a transform's normalisation in front of a picture trunk's graph.

    Args:
        graph: Takes normalized pictures `(B, 3, size, size)`, float32.
        transform: What the trunk's pictures go through.

    Returns:
        A graph that takes RGB `(B, size, size, 3)`, uint8; the given one is used up.
    """
    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(graph)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).mean(
        [value * _UINT8_MAX for value in transform.mean]
    ).scale([value * _UINT8_MAX for value in transform.std])
    return steps.build()
