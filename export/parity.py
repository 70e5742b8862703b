"""What was written, asked again: each file against the bundle's own networks.

On noise and, if a file is given, on its pictures and sound; at batch sizes and numbers of clips
that the graphs were not made with. A distance is relative L2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.errors import ExportError
from export.graphs import import_onnx
from export.modules import Networks
from extractors.decoding.pictures import as_rgb
from extractors.frame_grid import frames_on_grid
from extractors.media import probe, read_frames, read_sound
from extractors.resample import resample_blocks, whole_seconds
from extractors.sample_rate import SAMPLE_RATE
from extractors.tolerances import relative_distance

# float32 in another order of sums: `mafnet-export starter` prints 8.5e-06 at most.
TOLERANCE = 1e-4
_N_PICTURES = 3
_N_SECONDS = 3

Run = Callable[..., list[Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far one output of one file lies from torch, on some inputs; NaN where it is senseless."""

    file: str
    output: str
    inputs: str
    distance: float

    @property
    def is_within(self) -> bool:
        """Whether it is tolerated; NaN is not."""
        return self.distance <= TOLERANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Pictures `(n, size, size, 3)` uint8 and seconds `(n, 16000)` float32, and what they are."""

    name: str
    images: Tensor
    waveform: Tensor


def noise(size: int) -> Inputs:
    """Return pictures and seconds of noise, the same every time; the last second is silent."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (_N_PICTURES, size, size, 3), dtype=np.uint8)
    waveform = 0.1 * random.standard_normal((_N_SECONDS, SAMPLE_RATE)).astype(np.float32)
    waveform[-1] = 0.0
    return Inputs(
        name="noise", images=torch.from_numpy(images), waveform=torch.from_numpy(waveform)
    )


def of_file(path: Path, networks: Networks) -> Inputs:
    """Return the first pictures and seconds of a video.

    Raises:
        ExportError: It has no picture or no sound.
        extractors.errors.MediaError: It cannot be read.
    """
    info = probe(path)
    if not (info.has_picture and info.has_sound):
        raise ExportError(f"{path}: a video with sound is wanted to compare with")
    frames = islice(frames_on_grid(read_frames(path, info)), 0, None, 8)
    resize = networks.picture.trunk.transform.resize
    images = [resize(as_rgb(frame)) for frame in islice(frames, _N_PICTURES)]
    blocks = resample_blocks(read_sound(path, info), info.sample_rate)
    seconds = [
        np.pad(second, (0, SAMPLE_RATE - len(second)))
        for second in islice(whole_seconds(blocks), _N_SECONDS)
    ]
    if not images or not seconds:
        raise ExportError(f"{path}: no picture or no sound could be decoded")
    waveform: NDArray[np.float32] = np.stack(seconds)
    return Inputs(
        name=path.name,
        images=torch.from_numpy(np.stack(images)),
        waveform=torch.from_numpy(waveform),
    )


@torch.no_grad()
def compare(networks: Networks, inputs: Inputs, folder: Path) -> Iterator[Distance]:
    """Ask every file in a folder, and yield how far its outputs lie from torch's."""
    exact_pictures = networks.picture.trunk(
        networks.picture.trunk.transform.normalize(inputs.images)
    )
    exact_maps = networks.exact_sound(inputs.waveform)
    n_clips = min(len(exact_pictures), len(exact_maps))
    windows = (exact_pictures[None, :n_clips], exact_maps[None, :n_clips].contiguous())
    present = torch.ones((1, n_clips, 2), dtype=torch.bool)
    present[0, -1, 0] = n_clips == 1  # a picture is missing, where there are several
    asked: tuple[tuple[str, tuple[Tensor, ...], dict[str, Tensor]], ...] = (
        ("picture", (inputs.images,), {"features": exact_pictures}),
        ("sound", (inputs.waveform,), {"maps": exact_maps}),
        (
            "head",
            (*windows, present),
            dict(
                zip(
                    ("probabilities", "logits", "attention"),
                    networks.head(*windows, present),
                    strict=True,
                )
            ),
        ),
    )
    for name, given, exact in asked:
        for file in (folder / f"{name}.onnx", folder / f"{name}.pt2"):
            run = _onnx(file) if file.suffix == ".onnx" else _program(file)
            for (output, wanted), got in zip(exact.items(), run(*given), strict=True):
                away = relative_distance(wanted, got) if got.shape == wanted.shape else float("nan")
                yield Distance(file=file.name, output=output, inputs=inputs.name, distance=away)


def _onnx(file: Path) -> Run:
    _, onnxruntime = import_onnx()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(*given: Tensor) -> list[Tensor]:
        feed = {name: each.numpy() for name, each in zip(names, given, strict=True)}
        return [torch.from_numpy(each) for each in session.run(None, feed)]

    return run


def _program(file: Path) -> Run:
    module = torch.export.load(str(file)).module()

    def run(*given: Tensor) -> list[Tensor]:
        output = module(*given)
        return list(output) if isinstance(output, tuple) else [output]

    return run
