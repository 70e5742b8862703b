"""Prints what a bundle hears and sees, second by second, in a folder of real clips.

    python -m benchmarks.starter_clips --bundle starter --clips ../shared/data/clips

For looking, never for training: fifteen clips that were tuned to would tell nothing more. It goes
straight from file to head, a window of ten clips at a hop of one second, without the stream's
threads; `python run_stream.py --source FILE` is the real thing.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE, LogMel
from extractors.sound import load_sound_trunk
from extractors.visual import load_visual_trunk
from mafnet.load import load_head
from weights.bundle import Bundle, load_bundle

N_FRAMES = 4  # of the sixteen a second: enough for looking
WINDOW_CLIPS = 10


def sound_of(path: Path) -> NDArray[np.float32]:
    """Decode a file's sound, mono, 16 kHz."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.zeros(0, dtype=np.float32)
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
        parts = [
            out.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for out in resampler.resample(frame)
        ]
        parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def frames_of(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Decode some frames of each second, with their times."""
    taken = -1
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is None or int(frame.time * N_FRAMES) == taken:
                continue
            taken = int(frame.time * N_FRAMES)
            yield frame.time, frame.to_ndarray(format="rgb24")


class Networks:
    """A bundle's networks, loaded once."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.eyes = load_visual_trunk(bundle.visual.trunk, bundle.visual.weights)
        self.ears = load_sound_trunk(bundle.audio.trunk, bundle.audio.weights)
        self.head = load_head(bundle)


@torch.inference_mode()
def scores_of(path: Path, networks: Networks, sense: str) -> NDArray[np.float32]:
    """Joined scores `(n_seconds, n_labels)` of one file."""
    bundle, trunk, head = networks.bundle, networks.eyes, networks.head
    sound = sound_of(path)
    n_clips = max(1, len(sound) // SAMPLE_RATE)
    waves = torch.from_numpy(sound[: n_clips * SAMPLE_RATE].reshape(n_clips, SAMPLE_RATE))
    maps = networks.ears(LogMel()(waves))
    seen: list[list[NDArray[np.uint8]]] = [[] for _ in range(n_clips)]
    for time_s, frame in frames_of(path):
        if int(time_s) < n_clips:
            seen[int(time_s)].append(trunk.transform.resize(frame))
    visual = torch.zeros(n_clips, bundle.visual.dim)
    present = torch.ones(n_clips, 2, dtype=torch.bool)
    for k, frames in enumerate(seen):
        present[k, 0] = bool(frames)
        if frames:
            visual[k] = trunk(trunk.transform.normalize(torch.from_numpy(np.stack(frames)))).mean(0)
    if sense != "both":
        present[:, 0 if sense == "sound" else 1] = False
    codes = head.encode_clips(visual, maps, present)
    alone = head.decide(codes.vectors[:, None], codes.scores[:, None], present[:, None])
    at = torch.arange(n_clips)[:, None] - torch.arange(WINDOW_CLIPS - 1, -1, -1)
    inside = at >= 0
    at = at.clamp_min(0)
    window = head.decide(codes.vectors[at], codes.scores[at], present[at] & inside[:, :, None])
    share = bundle.events.context
    joined = window.probabilities**share * alone.probabilities ** (1 - share)
    return np.asarray(joined.numpy(), dtype=np.float32)


def main() -> None:
    """Print one line a second of each clip; a star marks a score over its label's threshold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--clips", type=Path, default=Path("../shared/data/clips"))
    parser.add_argument("--sense", choices=("both", "sound", "picture"), default="both")
    parser.add_argument("--brief", action="store_true", help="only a line for each clip")
    args = parser.parse_args()
    bundle = load_bundle(args.bundle)
    networks = Networks(bundle)
    on = {
        name: bundle.events.per_label.get(name, {"on": bundle.events.on})["on"]
        for name in bundle.labels
    }
    truth: dict[str, str] = {}
    table = args.clips.parent / "clips.csv"
    if table.exists():
        with table.open(newline="") as file:
            truth = {Path(row["file"]).name: row["label"] for row in csv.DictReader(file)}
    for path in sorted(args.clips.iterdir()):
        scores = scores_of(path, networks, args.sense)
        mean = scores.mean(axis=0)
        best = np.argsort(-mean)[:4]
        print(
            f"{path.name} [{truth.get(path.name, '?')}]",
            "; ".join(f"{bundle.labels[k]} {mean[k]:.2f}" for k in best),
        )
        if args.brief:
            continue
        for second, row in enumerate(scores):
            top = np.argsort(-row)[:3]
            line = "; ".join(
                f"{bundle.labels[k]} {row[k]:.2f}"
                + (
                    "*"
                    if bundle.labels[k] != bundle.background and row[k] >= on[bundle.labels[k]]
                    else ""
                )
                for k in top
            )
            print(f"  {second:2d} s  {line}")


if __name__ == "__main__":
    main()
