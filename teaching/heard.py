"""What the trunks and MAFnet make of a recording, hop by hop, and kept.

Place in the flow: a user's recordings → **codes of each hop** → examples → rows. The trunks run
once a recording; whatever rows are tried afterwards costs a product of matrices.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.backends import choose_trunks
from extractors.decoding.pictures import as_rgb
from extractors.errors import MediaError
from extractors.frame_grid import GRID_RATE_HZ, frames_on_grid
from extractors.frame_transform import transform_of
from extractors.log_mel import SAMPLE_RATE
from extractors.media import probe, read_frames, read_sound
from extractors.resample import resample_blocks
from extractors.sound import make_front_end
from mafnet.load import load_head
from weights.bundle import Bundle
from weights.files import sha256_of, written_whole

if TYPE_CHECKING:
    from av import VideoFrame

HOPS_A_SECOND = 4
HOP_SAMPLES = SAMPLE_RATE // HOPS_A_SECOND
PICTURES_A_SECOND = 2  # of the grid's 16: a second's mean moves little
N_BATCH = 32
MAX_S = 600.0  # of one recording, or of one span of it
KEPT_FORM = 1  # of what is kept; another number keeps anew
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A recording's hops; row k is of the second that ends at `1 + k / HOPS_A_SECOND`.

    Attributes:
        pooled: The means of the sound maps, `(n, C)`; zeros without sound.
        visual: The pooled visual vectors, `(n, D)`; zeros without a picture.
        present: Bool `(2,)`, picture first.
        vectors: MAFnet's, `(n, 2, 512)`.
        scores: Its attention's, `(n, 2)`.
        level: RMS of the second's sound, `(n,)`, full scale 1.
    """

    pooled: Array
    visual: Array
    present: NDArray[np.bool_]
    vectors: Array
    scores: Array
    level: Array

    def __len__(self) -> int:
        """How many hops."""
        return len(self.pooled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a file, in seconds; all of it without an end."""

    start_s: float = 0.0
    end_s: float | None = None


class Listener:
    """Runs a bundle's trunks and MAFnet over recordings; one thread.

    Args:
        bundle: Whose.
        home: The store, for graphs.
        kept: Folder of what was heard before; made when it is needed.
        device: Where.
    """

    def __init__(self, bundle: Bundle, home: Path, kept: Path, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._bundle = bundle
        self._home = home
        self._kept = kept
        self._key = f"{KEPT_FORM} {bundle.visual.sha256} {bundle.audio.sha256} {bundle.head.sha256}"
        self._loaded = False

    def listen(self, path: Path, span: Span) -> Heard:
        """Return what is heard and seen in a file, or in a part of it.

        Raises:
            MediaError: It cannot be read, or holds neither sound nor picture.
        """
        try:
            told = f"{self._key} {sha256_of(path)} {span.start_s} {span.end_s}"
        except OSError as error:
            raise MediaError(f"{path} cannot be read ({error.strerror})") from error
        file = self._kept / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.npz"
        found = _read(file)
        if found is None:
            found = self._run(path, span)
            with written_whole(file) as temporary, temporary.open("wb") as out:
                kept: dict[str, Any] = {
                    f.name: _half(getattr(found, f.name)) for f in fields(found)
                }
                np.savez(out, **kept)
            found = _read(file) or found  # the same numbers the first time and later
        return found

    def _load(self) -> None:
        if not self._loaded:
            bundle = self._bundle
            self._trunks = choose_trunks(
                bundle, self._device, "float32", "auto", self._home, live=False
            )
            self._front_end = make_front_end(bundle.audio.trunk)
            self._transform = transform_of(bundle.visual.trunk)
            self._head = load_head(bundle)
            self._loaded = True

    @torch.inference_mode()
    def _run(self, path: Path, span: Span) -> Heard:
        self._load()
        info = probe(path)
        wave = _sound_of(path, span) if info.has_sound else np.zeros(0, np.float32)
        seen = self._pictures_of(path, span) if info.has_picture else None
        seconds = len(wave) / SAMPLE_RATE if len(wave) else 0.0
        if seen is not None:
            seconds = max(seconds, len(seen) / PICTURES_A_SECOND)
        n = max(1, 1 + round((seconds - 1.0) * HOPS_A_SECOND))
        present = torch.tensor([seen is not None, len(wave) > 0])
        wave = np.pad(wave, (0, max(0, SAMPLE_RATE + (n - 1) * HOP_SAMPLES - len(wave))))
        windows = np.lib.stride_tricks.sliding_window_view(wave, SAMPLE_RATE)[::HOP_SAMPLES][:n]
        visual = _means(seen, n, self._bundle.visual.dim)
        parts = []
        for k in range(0, n, N_BATCH):
            sounds = torch.from_numpy(windows[k : k + N_BATCH].copy())
            maps = self._trunks.encode_log_mel(self._front_end(sounds)).cpu()
            rows = present.expand(len(maps), 2)
            codes = self._head.encode_clips(torch.from_numpy(visual[k : k + N_BATCH]), maps, rows)
            parts.append(
                (maps.mean(dim=(2, 3)).numpy(), codes.vectors.numpy(), codes.scores.numpy())
            )
        pooled, vectors, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Heard(
            pooled=pooled if len(wave) and bool(present[1]) else np.zeros_like(pooled),
            visual=visual,
            present=present.numpy(),
            vectors=vectors,
            scores=scores,
            level=np.sqrt(np.square(windows).mean(axis=1)),
        )

    def _pictures_of(self, path: Path, span: Span) -> Array | None:
        step = GRID_RATE_HZ // PICTURES_A_SECOND
        first = round(span.start_s * GRID_RATE_HZ)
        last = first + round(_length_s(span) * GRID_RATE_HZ)
        frames: Iterator[VideoFrame] = frames_on_grid(read_frames(path), from_zero=True)
        rows: list[Array] = []
        batch: list[NDArray[np.uint8]] = []
        for frame in islice(frames, first, last, step):
            batch.append(self._transform.resize(as_rgb(frame)))
            if len(batch) == N_BATCH:
                rows.append(self._trunks.encode_pictures(np.stack(batch)).cpu().numpy())
                batch = []
        if batch:
            rows.append(self._trunks.encode_pictures(np.stack(batch)).cpu().numpy())
        return np.concatenate(rows) if rows else None


def _sound_of(path: Path, span: Span) -> Array:
    info = probe(path)
    first = round(span.start_s * SAMPLE_RATE)
    last = first + round(_length_s(span) * SAMPLE_RATE)
    parts, at = [], 0
    for block in resample_blocks(read_sound(path, info, from_zero=True), info.sample_rate):
        parts.append(block[max(0, first - at) : max(0, last - at)])
        at += len(block)
        if at >= last:
            break
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _length_s(span: Span) -> float:
    return MAX_S if span.end_s is None else min(MAX_S, span.end_s - span.start_s)


def _means(seen: Array | None, n: int, dim: int) -> Array:
    if seen is None:
        return np.zeros((n, dim), np.float32)
    rows = np.zeros((n, dim), np.float32)
    for k in range(n):
        first = min(k * PICTURES_A_SECOND // HOPS_A_SECOND, len(seen) - 1)
        rows[k] = seen[first : max(first + 1, first + PICTURES_A_SECOND)].mean(axis=0)
    return rows


def _half(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values.astype(np.float16) if values.dtype == np.float32 else values


def _read(file: Path) -> Heard | None:
    """Return what was kept; None where nothing was, or what is there is torn."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            values = {f.name: kept[f.name] for f in fields(Heard)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Heard(
        **{
            name: value.astype(np.float32) if value.dtype == np.float16 else value
            for name, value in values.items()
        }
    )
