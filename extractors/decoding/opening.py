"""A file as FFmpeg is to open it: one file, no pattern, and no picture larger than is read."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from extractors.decoding.limits import DECODER_LIMIT
from weights.paths import ONE_FILE, for_ffmpeg

METADATA_ERRORS = "replace"  # a title in another encoding is no reason to refuse a file


def input_options(from_byte: int = 0) -> dict[str, str]:
    """Returns FFmpeg's options for a file or URL.

    Args:
        from_byte: What lies before is passed over.
    """
    options = dict(DECODER_LIMIT)
    if from_byte:
        options["skip_initial_bytes"] = str(from_byte)
    return options


def open_file(file: str | Path | IO[bytes], from_byte: int = 0) -> Any:
    """Opens a local path, or bytes, as PyAV's container; the caller closes it.

    Raises:
        av.FFmpegError, OSError, ValueError: It cannot be opened.
    """
    import av

    named = for_ffmpeg(file) if isinstance(file, str | Path) else file
    options = {**ONE_FILE, **input_options(from_byte)}
    return av.open(named, options=options, metadata_errors=METADATA_ERRORS)
