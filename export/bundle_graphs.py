"""A bundle's three graphs, and a page of JSON with all that a program needs beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from export.errors import ExportError
from export.graphs import OPSET, Graph, write_graph
from export.modules import Networks
from extractors import mel_frames
from extractors.log_mel import LogMel
from extractors.sample_rate import SAMPLE_RATE
from weights.bundle_spec import Bundle
from weights.files import sha256_of, written_whole

MANIFEST = "model.json"
FORMAT = 1


def graphs_of(networks: Networks, bundle: Bundle) -> tuple[Graph, ...]:
    """Return what is written of a bundle: picture, sound and head."""
    size = networks.picture.trunk.transform.size
    n_batch, n_clips = 2, 3  # neither 1, which would be taken for a constant
    return (
        Graph(
            name="picture",
            module=networks.picture,
            example=(torch.zeros((n_batch, size, size, 3), dtype=torch.uint8),),
            inputs=("images",),
            outputs=("features",),
            free=("n",),
        ),
        Graph(
            name="sound",
            module=networks.sound,
            example=(torch.zeros((n_batch, SAMPLE_RATE)),),
            inputs=("waveform",),
            outputs=("maps",),
            free=("n",),
        ),
        Graph(
            name="head",
            module=networks.head,
            example=(
                torch.zeros((n_batch, n_clips, bundle.visual.dim)),
                torch.zeros((n_batch, n_clips, *bundle.audio.sound_map)),
                torch.ones((n_batch, n_clips, 2), dtype=torch.bool),
            ),
            inputs=("visual", "audio", "present"),
            outputs=("probabilities", "logits", "attention"),
            free=("batch", "clips"),
        ),
    )


def write_graphs(
    networks: Networks, bundle: Bundle, folder: Path, report: Callable[[str], None]
) -> None:
    """Write all graphs and, last, `model.json`.

    Args:
        networks: Of the bundle.
        bundle: What is described.
        folder: Where to; made if it is not there.
        report: Told which graph comes next.

    Raises:
        ExportError: torch cannot export one, or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"cannot write into {folder}: {error.strerror or error}") from error
    files: list[Path] = []
    graphs = graphs_of(networks, bundle)
    for number, graph in enumerate(graphs, 1):
        report(f"{number} of {len(graphs)}: {graph.name}")
        files += write_graph(graph, folder)
    described = describe(networks, bundle)
    described["files"] = {path.name: sha256_of(path) for path in files}
    try:
        with written_whole(folder / MANIFEST) as temporary:
            text = json.dumps(described, indent=2, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ExportError(f"cannot write {folder / MANIFEST}: {error.strerror or error}") from error


def describe(networks: Networks, bundle: Bundle) -> dict[str, object]:
    """Return what `model.json` says."""
    transform = networks.picture.trunk.transform
    sound: dict[str, object] = {
        "trunk": bundle.audio.trunk,
        "sample_rate": SAMPLE_RATE,
        "map": list(bundle.audio.sound_map),
        "front_end": {"name": type(networks.front_end).__name__, "is_inside": True},
    }
    if isinstance(networks.front_end, LogMel):
        sound["log_mel"] = {
            "n_mel_frames": mel_frames.N_MEL_FRAMES,
            "n_mels": mel_frames.N_MELS,
            "win_length": mel_frames.WIN_LENGTH,
            "hop_length": mel_frames.HOP_LENGTH,
            "n_fft": mel_frames.N_FFT,
            "f_min": mel_frames.F_MIN,
            "f_max": mel_frames.F_MAX,
            "offset": networks.front_end.offset,
        }
    return {
        "format": FORMAT,
        "bundle": {"name": bundle.name, "version": bundle.version},
        "torch": torch.__version__,
        "opset": OPSET,
        "labels": list(bundle.labels),
        "background": bundle.background,
        "activation": bundle.activation,
        "temperature": bundle.temperature,
        "thresholds": _thresholds(bundle),
        "picture": {
            "trunk": bundle.visual.trunk,
            "dim": bundle.visual.dim,
            "pictures_a_clip": bundle.visual.grid_hz,
            "transform": {
                "resize_to": transform.resize_to,
                "size": transform.size,
                "crop": transform.crop,
                "interpolation": transform.interpolation,
                "mean": list(transform.mean),
                "std": list(transform.std),
                "is_normalised_inside": True,
            },
        },
        "sound": sound,
        "licence": bundle.licence,
        "provenance": bundle.provenance,
        "unverified": list(bundle.unverified),
    }


def _thresholds(bundle: Bundle) -> dict[str, dict[str, float]]:
    return {
        label: dict(zip(("on", "off"), bundle.events.thresholds(label), strict=True))
        for label in bundle.labels
        if label != bundle.background
    }
