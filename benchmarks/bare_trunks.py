"""What the engine is held against: the trunks called bare in a loop, and the naive program.

The floor is a live hop's work without the engine: the new frames and one second of sound through
the trunks. The naive program keeps nothing: at each hop it runs the whole window.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from extractors.tolerances import noise
from realtime.packets import CLIP_SLOTS
from realtime.recognition.models import Models


@torch.inference_mode()
def bare_factor(models: Models, size: int, hop_s: float, stream_s: float) -> float:
    """Return seconds of the bare trunks' work per second of stream.

    Args:
        models: On their backend.
        size: Of a resized frame.
        hop_s: Time between decisions.
        stream_s: How much stream's work to time, after one hop of warming up.
    """
    images, log_mel = noise(size, round(hop_s * CLIP_SLOTS), models.front_end.shape)
    n_hops = max(1, round(stream_s / hop_s))
    started = 0.0
    for hop in range(n_hops + 1):
        if hop == 1:
            started = time.perf_counter()
        models.trunks.encode_pictures(images)
        models.trunks.encode_log_mel(log_mel).cpu()
    return (time.perf_counter() - started) / (n_hops * hop_s)


@torch.inference_mode()
def naive_factor(models: Models, size: int, hop_s: float, n_clips: int) -> float:
    """Return seconds of the naive program's work per second of stream.

    One second of its window is timed and counted `n_clips` times; the head runs the whole window.
    """
    images, log_mel = noise(size, CLIP_SLOTS, models.front_end.shape)
    visual = torch.zeros((1, n_clips, models.head.config.visual_dim), device=models.device)
    sound = torch.zeros((1, n_clips, *models.head.config.sound_map), device=models.device)
    second_s, head_s = [], []
    for _ in range(3):
        started = time.perf_counter()
        models.trunks.encode_pictures(images)
        models.trunks.encode_log_mel(log_mel).cpu()
        between = time.perf_counter()
        models.head(visual, sound).probabilities.cpu()
        second_s.append(between - started)
        head_s.append(time.perf_counter() - between)
    return float(n_clips * np.median(second_s) + np.median(head_s)) / hop_s
