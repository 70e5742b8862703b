"""A stream's features, kept, and what any head makes of them: the recognizer without its threads.

Place in the flow: composed scenes and media files → **features of each hop** → scores → event
tracker (`research.streaming.replay`). The trunks run once a stream, so that heads and settings
are tried in seconds. It differs from the pipeline in one thing: a second's picture is the mean of
`FRAMES_A_SECOND` frames, not of sixteen.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.log_mel import SAMPLE_RATE
from extractors.openvino_graphs import convert
from extractors.openvino_trunks import OpenVinoTrunk
from extractors.visual import load_visual_trunk
from mafnet.attention import PICTURE, SOUND
from mafnet.film import SOUND_CHANNELS
from mafnet.model import MAFnet
from research.prepare import Ears
from research.streaming.replay import Scores
from research.yamnet_parts import LateEars
from weights.bundle import packaged_efficientnet_lite0
from weights.files import written_whole

HOP_S = 0.25
HOPS_A_SECOND = 4
FRAMES_A_SECOND = 2
WINDOW_CLIPS = 10
N_BATCH = 64
NS_PER_HOP = 250_000_000
Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamFeatures:
    """One row a hop; the first ends at one second.

    Attributes:
        early: `(n_hops, 512, 6, 4)` float16, of YAMNet's early blocks; zeros without sound.
        visual: `(n_hops, 1280)` float16; zeros without a picture.
        present: Bool `(2,)`: which senses the stream has.
    """

    early: NDArray[np.float16]
    visual: NDArray[np.float16]
    present: NDArray[np.bool_]

    def write(self, path: Path) -> None:
        """Keep them, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, early=self.early, visual=self.visual, present=self.present)


def read_features(path: Path) -> StreamFeatures:
    """Read what `StreamFeatures.write` wrote."""
    with np.load(path) as kept:
        return StreamFeatures(early=kept["early"], visual=kept["visual"], present=kept["present"])


class Eyes:
    """Lite0 on one thread; a picture that repeats is looked at once."""

    def __init__(self) -> None:
        trunk = load_visual_trunk("efficientnet_lite0", packaged_efficientnet_lite0().weights)
        self._transform = trunk.transform
        assert isinstance(trunk, EfficientNetLite0Trunk)
        trunk.fold()
        self._network = OpenVinoTrunk(convert(trunk, (3, 224, 224)), "float32", 1)

    def look(self, frames: list[NDArray[np.uint8]]) -> Array:
        """Return pooled features `(n, 1280)` of RGB frames."""
        resized = np.stack([self._transform.resize(frame) for frame in frames])
        pixels = self._transform.normalize(torch.from_numpy(resized)).contiguous().numpy()
        return self._network.encode(pixels)


def hear(waveform: Array, ears: Ears) -> NDArray[np.float16]:
    """Return what the early blocks make of the last second at each hop."""
    n_hops = (len(waveform) - SAMPLE_RATE) // round(HOP_S * SAMPLE_RATE) + 1
    step = round(HOP_S * SAMPLE_RATE)
    seconds = np.lib.stride_tricks.sliding_window_view(waveform, SAMPLE_RATE)[::step][:n_hops]
    parts = [
        ears.early(np.ascontiguousarray(seconds[k : k + N_BATCH]).reshape(-1))
        for k in range(0, n_hops, N_BATCH)
    ]
    return np.concatenate(parts)


def see(frames: Iterator[NDArray[np.uint8]], n_hops: int, eyes: Eyes) -> NDArray[np.float16]:
    """Return the mean feature of each hop's second.

    Args:
        frames: `FRAMES_A_SECOND` a second.
        n_hops: How many hops.
        eyes: The trunk.
    """
    parts = []
    while batch := list(itertools.islice(frames, 16)):
        parts.append(eyes.look(batch))
    features = np.concatenate(parts)
    rows = np.zeros((n_hops, features.shape[1]), np.float16)
    for hop in range(n_hops):
        end = 1.0 + hop * HOP_S
        first = min(round((end - 1.0) * FRAMES_A_SECOND), len(features) - 1)
        last = max(first + 1, round(end * FRAMES_A_SECOND))
        rows[hop] = features[first:last].mean(axis=0)
    return rows


@torch.inference_mode()
def score(
    model: MAFnet,
    late: LateEars,
    features: StreamFeatures,
    only: int | None = None,
    corrects: bool = True,
) -> Scores:
    """Return what the recognizer would say at each hop.

    Args:
        model: In evaluation.
        late: What its sound maps come from.
        features: Of the stream.
        only: `PICTURE` or `SOUND` to mask the other sense.
        corrects: Whether its head adds anything; the fixed rule's does not, and its convolutions
            are left out.
    """
    n_hops = len(features.early)
    has = torch.from_numpy(features.present.copy())
    if only is not None:
        has[SOUND if only == PICTURE else PICTURE] = False
    parts = []
    for k in range(0, n_hops, N_BATCH):
        audio = torch.from_numpy(late.maps(features.early[k : k + N_BATCH]).astype(np.float32))
        visual = torch.from_numpy(features.visual[k : k + N_BATCH].astype(np.float32))
        convolve = None if corrects else _nothing_convolved
        parts.append(model.encode_clips(visual, audio, has.expand(len(audio), 2), convolve))
    vectors = torch.cat([part.vectors for part in parts])
    attention = torch.cat([part.scores for part in parts])
    evidence = torch.cat([part.evidence for part in parts if part.evidence is not None])
    windows: list[Array] = []
    newest: list[Array] = []
    back = torch.arange(-(WINDOW_CLIPS - 1), 1) * HOPS_A_SECOND
    for k in range(0, n_hops, N_BATCH):
        at = torch.arange(k, min(k + N_BATCH, n_hops))[:, None] + back  # (n, T)
        inside = (at >= 0)[:, :, None] & has
        at = at.clamp_min(0)
        for rows, out in ((slice(None), windows), (slice(-1, None), newest)):
            picked = at[:, rows]
            decision = model.decide(
                vectors[picked], attention[picked], inside[:, rows], evidence[picked]
            )
            out.append(decision.probabilities.numpy())
    ends = (HOPS_A_SECOND + np.arange(n_hops, dtype=np.int64)) * NS_PER_HOP
    return Scores(end_t_ns=ends, window=np.concatenate(windows), newest=np.concatenate(newest))


def _nothing_convolved(audio: Tensor) -> Tensor:
    return torch.zeros(len(audio), 2, SOUND_CHANNELS, *audio.shape[2:])
