"""Where a step's milliseconds go: each part of a live hop by itself, on one backend.

    python benchmarks/step_parts.py [--bundle starter] [--backend openvino] [--threads N]

Hops with four frames and one second of sound: median and 95th percentile of the time that passed,
and the least processor time of all threads, which a busy machine disturbs less. Machines and their
load differ: compare the lines of one run, or runs made side by side.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from mafnet.attention import HIDDEN
from mafnet.model import MAFnet
from realtime.build import frame_transform
from realtime.bundle_settings import find_bundle
from realtime.clock import NS_PER_S
from realtime.errors import RecognizerError
from realtime.packets import CLIP_SAMPLES
from realtime.recognition.features import FeatureExtractor
from realtime.recognition.models import load_models
from realtime.recognition.window import ClipWindow
from weights.store import default_home

N_FRAMES = 4


@torch.inference_mode()
def main() -> int:
    """Print one line a part."""
    parser = argparse.ArgumentParser(description="where a step's milliseconds go")
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--threads", type=int, help="torch's, once the trunks are loaded")
    parser.add_argument("--hops", type=int, default=40)
    arguments = parser.parse_args()
    bundle = find_bundle(arguments.bundle)
    transform = frame_transform(bundle)
    models = load_models(bundle, backend=arguments.backend, home=default_home())
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    random = np.random.default_rng(0)
    camera = random.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    image = transform.resize(camera)
    waveform = (0.1 * random.standard_normal(CLIP_SAMPLES)).astype(np.float32)
    log_mel = models.front_end(torch.from_numpy(waveform)[None])
    extractor = FeatureExtractor(models)
    picture = extractor.encode_frames([image] * N_FRAMES)[:1]
    sound = extractor.encode_sounds([waveform])
    present = torch.ones((1, 2), dtype=torch.bool)
    convolve = models.convolve or models.head.filmed_block.convolve
    convolved = convolve(sound)
    codes = models.head.encode_clips(picture, sound, present)
    window = ClipWindow(10, NS_PER_S, HIDDEN, n_labels=_n_evidence(models.head))
    for second in range(1, 11):
        evidence = None if codes.evidence is None else codes.evidence[0]
        window.append(second * NS_PER_S, codes.vectors[0], codes.scores[0], present[0], evidence)
    parts: dict[str, Callable[[], object]] = {
        "resize four 720p frames (capture thread)": lambda: [
            transform.resize(camera) for _ in range(N_FRAMES)
        ],
        "four frames through the picture trunk": lambda: extractor.encode_frames(
            [image] * N_FRAMES
        ),
        "log-mel": lambda: models.front_end(torch.from_numpy(waveform)[None]),
        "sound trunk": lambda: models.trunks.encode_log_mel(log_mel),
        "MAFnet's convolutions, one clip": lambda: convolve(sound),
        "MAFnet, the rest of one clip": lambda: models.head.encode_clips(
            picture, sound, present, lambda _: convolved
        ),
        "the same, each sense alone": lambda: models.head.unmodulated(codes, convolved),
        "MAFnet, decide over ten clips": lambda: models.head.decide(*window.gather()),
    }
    times_ms: dict[str, list[float]] = {name: [] for name in parts}
    cpu_ms: dict[str, list[float]] = {name: [] for name in parts}
    for hop in range(arguments.hops + 1):
        for name, part in parts.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            part()
            if hop:  # the first one warms up
                cpu_ms[name].append((time.process_time() - cpu_started) * 1e3)
                times_ms[name].append((time.perf_counter() - started) * 1e3)
    print(f"{bundle.name}, {models.describe()}, torch on {torch.get_num_threads()} threads")
    for name, each in times_ms.items():
        p50, p95 = np.percentile(each, (50, 95))
        print(f"{name:42} p50 {p50:8.2f} ms   p95 {p95:8.2f} ms   cpu {min(cpu_ms[name]):8.2f} ms")
    return 0


def _n_evidence(head: MAFnet) -> int:
    return 0 if head.config.evidence is None else head.config.n_labels


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RecognizerError as error:
        print(f"step_parts: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
