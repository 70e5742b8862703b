"""Small media files, made on the spot."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from extractor_fakes import FakePictureEncoder, FakeSoundEncoder, MakeVideo

from extractors.encoders import Encoders


@pytest.fixture
def encoders() -> Encoders:
    return Encoders(
        picture=FakePictureEncoder(),  # type: ignore[arg-type]  # a fake of the same shape
        sound=FakeSoundEncoder(),  # type: ignore[arg-type]
    )


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Writes a video whose frame k is grey level 10 * k, with a steady sample value as sound."""

    def make(
        name: str = "video.mkv",
        *,
        n_frames: int = 16,
        rate: int = 16,
        seconds: float | None = None,
        sample_rate: int = 16_000,
        level: float = 0.25,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = n_frames / rate if seconds is None else seconds
        with av.open(str(path), "w") as container:
            video = container.add_stream("ffv1", rate=rate) if n_frames else None
            audio = None
            if seconds:
                audio = container.add_stream("pcm_s16le", rate=sample_rate, layout="mono")
            if video is not None:
                video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
                video.time_base = Fraction(1, rate)
                for k in range(n_frames):
                    grey = np.full((32, 48, 3), 10 * k % 256, np.uint8)
                    frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                    frame.pts, frame.time_base = k, Fraction(1, rate)
                    container.mux(video.encode(frame))
                container.mux(video.encode(None))
            if audio is not None:
                n_samples = round(seconds * sample_rate)
                samples = np.full((1, n_samples), round(level * 32768), np.int16)
                block = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                block.sample_rate, block.pts = sample_rate, 0
                container.mux(audio.encode(block))
                container.mux(audio.encode(None))
        return path

    return make
