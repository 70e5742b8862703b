"""A trunk as an OpenVINO graph: made once from the torch module, kept in the store, read back.

Place in the flow: torch trunk → **graph on disk** → `extractors.openvino_trunks`. A kept graph
belongs to one weights file (its sha256), one OpenVINO release and one `GRAPH_VERSION`; it is hashed
before it is read, and made anew when anything differs.

A program with a camera phones nobody: the package by which OpenVINO reports to its makers is ruled
out first (`weights.dependencies`). Nor does it go through `openvino.convert_model`, which has more
to tell: the PyTorch frontend below it does the same work
(docs/design/adr/0005-openvino-backend.md).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from extractors.errors import OpenVinoError
from weights.dependencies import rule_out_telemetry
from weights.files import sha256_of, written_whole
from weights.printable import first_line

logger = logging.getLogger(__name__)

GRAPH_VERSION = 1  # raise it when graphs are made another way
PIP_COMMAND = "pip install openvino"


def installed_version() -> str | None:
    """Return OpenVINO's release, or None where it is not installed; imports nothing of it."""
    if not _is_found():
        return None
    try:
        return importlib.metadata.version("openvino")
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_found() -> bool:
    try:
        return importlib.util.find_spec("openvino") is not None
    except ValueError:  # sys.modules holds None, which is how an import is ruled out
        return False


def import_openvino() -> Any:
    """Import the package, without the one by which it reports to its makers.

    Raises:
        OpenVinoError: It is not installed, or does not load here.
    """
    rule_out_telemetry()
    try:
        import openvino
    except ImportError as error:
        raise OpenVinoError(
            f"the package openvino is wanted and cannot be imported ({error}): {PIP_COMMAND}"
        ) from error
    return openvino


def load_graph(
    name: str,
    sha256: str,
    shape: tuple[int, ...],
    make: Callable[[], nn.Module],
    home: Path,
    code: str | None = "",
) -> Any:
    """Return a trunk's graph, with a free batch size; from the store if it is there and whole.

    Args:
        name: The trunk, for the file's name.
        sha256: Of the weights that `make` loads.
        shape: Of one input, without the batch.
        make: Builds the torch trunk, on the CPU in eval mode; called only if there is no graph.
        home: The store's folder, which need not exist. Where it cannot be written to, the graph
            is made each time.
        code: The source that the graph was made of: one of other code is not used. None where it
            is not known; then the graph is made each time.

    Returns:
        An `openvino.Model`, float32, input `(B, *shape)`.

    Raises:
        OpenVinoError: OpenVINO is not here, or cannot convert or read the trunk.
    """
    openvino = import_openvino()
    folder = home / "openvino"
    made_of = hashlib.sha256(repr((shape, code)).encode()).hexdigest()[:8]
    stem = f"{name}-{sha256[:16]}-{made_of}-{installed_version()}-{GRAPH_VERSION}"
    if code is None:
        return convert(make(), shape)
    if _is_whole(folder, stem, sha256):
        try:
            return openvino.Core().read_model(str(folder / f"{stem}.xml"))
        except RuntimeError as error:  # whole, and yet not to be read: make another
            logger.info("%s: not readable (%s)", folder / stem, error)
    logger.info("making the OpenVINO graph of %s, once", name)
    graph = convert(make(), shape)
    try:
        _keep(openvino, graph, folder, stem, sha256)
    except (OSError, RuntimeError, UnicodeError) as error:  # the latter of a folder's name
        logger.warning("the graph cannot be kept in %s and is made each time (%s)", folder, error)
    return graph


def convert(trunk: nn.Module, shape: tuple[int, ...]) -> Any:
    """Trace a torch trunk and turn it into an OpenVINO graph with a free batch size.

    Args:
        trunk: On the CPU, in eval mode, one tensor in and one out.
        shape: Of one input, without the batch.

    Raises:
        OpenVinoError: OpenVINO is not here or cannot do it.
    """
    openvino = import_openvino()
    from openvino.frontend import FrontEndManager, OpConversionFailure
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros((2, *shape))  # two: a batch of one would be taken for a constant
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # Tracing warns of the trunks' shape checks, and of itself.
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(  # type: ignore[no-untyped-call]  # torch's
                trunk, example, check_trace=False
            )
            frontend = FrontEndManager().load_by_framework("pytorch")
            # Named, so that it lives until all is converted; the graph has copies of the weights.
            decoder = TorchScriptPythonDecoder(traced, shared_memory=False)
            graph = frontend.convert(frontend.load(decoder))
        graph.reshape({graph.inputs[0]: openvino.PartialShape([-1, *shape])})
    except (OpConversionFailure, RuntimeError, TypeError, ValueError) as error:
        reason = first_line(error)
        raise OpenVinoError(f"OpenVINO cannot convert {type(trunk).__name__}: {reason}") from error
    return graph


def _keep(openvino: Any, graph: Any, folder: Path, stem: str, sha256: str) -> None:
    """Write both files, then the record that makes them valid, each in one rename."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{stem}.") as fresh:
        written = Path(fresh) / "graph.xml"
        openvino.save_model(graph, str(written), compress_to_fp16=False)
        record = {"weights": sha256}
        for kind in ("xml", "bin"):
            file = written.with_suffix(f".{kind}")
            record[kind] = sha256_of(file)
            file.replace(folder / f"{stem}.{kind}")
    with written_whole(folder / f"{stem}.json") as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _is_whole(folder: Path, stem: str, sha256: str) -> bool:
    try:
        record = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
        found = {kind: sha256_of(folder / f"{stem}.{kind}") for kind in ("xml", "bin")}
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        logger.info("%s: the kept graph cannot be read (%s)", folder / stem, error)
        return False
    if record != {"weights": sha256, **found}:
        logger.info("%s: the kept graph is damaged", folder / stem)
        return False
    return True
