"""A finished clip as the view shows it: a strip of its key frames and its sound's log-mel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extractors.errors import MediaError
from extractors.key_frames import read_key_frames
from extractors.media import probe, read_sound
from realtime.outputs.explain.material import PICTURE_HEIGHT, Film, MelStrip
from realtime.packets import SAMPLE_RATE

if TYPE_CHECKING:
    from pathlib import Path

MAX_SOUND_S = 600  # a recording has ten minutes at most


def read_clip(path: Path, starts_s: float) -> tuple[Film, MelStrip | None]:
    """Read a recording of ours.

    Args:
        path: The MP4.
        starts_s: Where it begins, stream seconds: the times of what is returned are the stream's.

    Returns:
        Its pictures and its sound; without sound, or at a foreign rate, None.

    Raises:
        MediaError: It cannot be read.
    """
    film = Film()
    for time_s, image in read_key_frames(path, PICTURE_HEIGHT):
        film.add(starts_s + time_s, image)
    info = probe(path)
    if not info.has_sound or info.sample_rate != SAMPLE_RATE:
        return film, None
    sound, n_samples = MelStrip(starts_s), 0
    for block in read_sound(path, info, from_zero=True):
        sound.add(block)
        n_samples += len(block)
        if n_samples > MAX_SOUND_S * SAMPLE_RATE:
            raise MediaError(f"{path} is longer than a recording")
    return film, sound
