"""A module as a `torch.export` program and an ONNX graph, with free sizes where they may differ."""

from __future__ import annotations

import io
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.errors import ExportError
from weights.files import written_whole
from weights.printable import first_line

OPSET = 18
PIP_COMMAND = "pip install 'mafnet-live[export]'"
_MOST = 65_536  # of a batch or of a window's clips


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One network to write.

    Attributes:
        name: Of its files.
        module: In eval mode, on the CPU.
        example: Inputs with at least two of everything that is free.
        inputs: Their names.
        outputs: Names of what it returns.
        free: Names of the leading axes that may have any length, of every input.
    """

    name: str
    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    free: tuple[str, ...]


def import_onnx() -> tuple[Any, Any]:
    """Import ONNX and ONNX Runtime.

    Raises:
        ExportError: One of them, or onnxscript, is not installed.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  # torch.onnx wants it
    except ImportError as error:
        raise ExportError(
            f"the export wants onnx, onnxscript and onnxruntime: {PIP_COMMAND}"
        ) from (error)
    return onnx, onnxruntime


def write_graph(graph: Graph, folder: Path) -> tuple[Path, Path]:
    """Write `NAME.pt2` and `NAME.onnx`.

    Returns:
        Both paths.

    Raises:
        ExportError: torch cannot export the module, or a file cannot be written.
    """
    onnx, _ = import_onnx()
    sizes = [torch.export.Dim(name, min=1, max=_MOST) for name in graph.free]
    shapes = tuple(dict(enumerate(sizes)) for _ in graph.inputs)
    program, model = folder / f"{graph.name}.pt2", folder / f"{graph.name}.onnx"
    for talkative in ("torch.onnx", "onnx_ir", "onnxscript"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of torch's own parts that torch will replace
            exported = torch.export.export(graph.module, graph.example, dynamic_shapes=shapes)
            made = torch.onnx.export(
                exported,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
            proto = made.model_proto  # type: ignore[union-attr]  # None only when given a path
            _name_axes(proto, graph)
            onnx.checker.check_model(proto)
            saved = io.BytesIO()
            torch.export.save(exported, saved)
            with written_whole(program) as temporary:
                temporary.write_bytes(saved.getbuffer())
            with written_whole(model) as temporary:
                onnx.save(proto, str(temporary))
    except OSError as error:
        raise ExportError(f"cannot write into {folder}: {error.strerror or error}") from error
    except (RuntimeError, ValueError, TypeError) as error:
        raise ExportError(f"torch cannot export the {graph.name}: {first_line(error)}") from error
    return program, model


def _name_axes(proto: Any, graph: Graph) -> None:
    # torch calls them s43 and the like.
    for value in (*proto.graph.input, *proto.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, graph.free, strict=False):
            axis.dim_param = name
