"""MAFnet's convolutions on OpenVINO, where the trunks run there: most of the head's work.

Over VGGish's map one clip took 8.0 ms of a thread in torch, 6.7 of them two convolutions; OpenVINO
computes these in 4.7 ms in float32 and 2.5 in bfloat16 (one AVX-512 BF16 core). All else of the
head is small and stays in torch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from extractors.backends import N_THREADS
from extractors.errors import OpenVinoError
from extractors.openvino_graphs import load_graph
from extractors.openvino_trunks import OpenVinoTrunk, Precision
from extractors.tolerances import relative_distance, tolerance
from mafnet.film import SoundConvolutions
from mafnet.model import MAFnet

logger = logging.getLogger(__name__)

Convolve = Callable[[Tensor], Tensor]


@torch.inference_mode()
def openvino_convolutions(
    head: MAFnet, sha256: str, precision: Precision, home: Path
) -> Convolve | None:
    """Return what computes `FilmedBlock.convolve` on OpenVINO; None where torch had better.

    Args:
        head: In evaluation mode, on the CPU.
        sha256: Of its weights.
        precision: The trunks'.
        home: The store, for the graph.
    """
    exact = SoundConvolutions(head.filmed_block).eval()
    sound_map = head.config.sound_map
    try:
        graph = load_graph("mafnet_sound", sha256, sound_map, lambda: exact, home)
        compiled = OpenVinoTrunk(graph, precision, N_THREADS)
    except OpenVinoError as error:
        logger.warning("%s; torch runs MAFnet", error)
        return None

    def convolve(audio: Tensor) -> Tensor:
        return torch.from_numpy(compiled.encode(np.ascontiguousarray(audio.numpy())))

    audio = torch.rand((1, *sound_map), generator=torch.Generator().manual_seed(0))
    expected = exact(audio)
    away = relative_distance(expected, convolve(audio))
    if not away <= tolerance("mafnet_sound", precision):  # NaN is no match either
        logger.warning("OpenVINO's MAFnet lies %.2g from torch's; torch runs it", away)
        return None
    return convolve
