"""The live path for minutes or hours: what is played when, and what came of it.

Two cameras in one program: `yard` is pictures over HTTP (MJPEG) with PulseAudio's null sink as the
microphone, `gate` is RTSP with its own sound (VP8 and G.711). Every picture has its number burnt
in, so that a recording shows which are missing. Sirens are played at known times, in between
nothing happens.
"""

from __future__ import annotations

import statistics
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realtime.packets import SAMPLE_RATE
from realtime.sources.demo_pictures import HEIGHT, WIDTH, ScenePainter
from realtime.sources.demo_scene import SCRIPT, render_sound

N_BITS, BAR_ROWS = 12, 24
PICTURE_HZ, N_PICTURES = 20, 1200  # a minute of pictures, again and again
PERIOD_S, FIRST_S = 40.0, 20.0  # a siren each so often, the first one at
GRACE_S = 2.5  # an event that begins so near to a siren is that siren's
MAX_HOLE_S = 0.15


def write_pictures(folder: Path) -> tuple[Path, Path]:
    """Write a minute of an empty room with numbers: JPEGs, and a video of them.

    Returns:
        What the JPEGs are called, with `%05d` in it, and the video.
    """
    room = ScenePainter().paint(0.0)
    video = folder / "numbers.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=PICTURE_HZ)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 2_000_000
        for number in range(N_PICTURES):
            picture = room.copy()
            for bit in range(N_BITS):
                left, right = (WIDTH * (bit + n) // N_BITS for n in (0, 1))
                picture[:BAR_ROWS, left:right] = 255 * (number >> bit & 1)
            Image.fromarray(picture).save(folder / f"{number:05}.jpg", quality=85)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return folder / "%05d.jpg", video


def number_in(picture: NDArray[np.uint8]) -> int:
    """Read the number that is burnt into a picture of any size."""
    height, width, _ = picture.shape
    rows = slice(height * 4 // HEIGHT, height * (BAR_ROWS - 4) // HEIGHT)
    number = 0
    for bit in range(N_BITS):
        middle = round(width * (bit + 0.5) / N_BITS)
        number |= int(picture[rows, middle - 4 : middle + 4].mean() > 127) << bit
    return number


SIREN_S = SCRIPT[0].offset_s - SCRIPT[0].onset_s


@dataclass(frozen=True)
class Sounds:
    """What is played.

    Attributes:
        room: A quiet room for the whole run, WAV.
        siren: One siren, WAV. It is played by itself each time: a player that is held up falls
            behind for good, and nobody would know when a siren within a long file was heard.
        loop: A period of quiet room with its siren, s16le without a header.
    """

    room: Path
    siren: Path
    loop: Path


def write_sounds(folder: Path, seconds: float) -> Sounds:
    """Write the sounds of a run of so many seconds."""
    siren, scene = SCRIPT[0], render_sound()
    quiet = scene[: round(siren.onset_s * SAMPLE_RATE)]
    event = scene[round(siren.onset_s * SAMPLE_RATE) : round(siren.offset_s * SAMPLE_RATE)]
    period = np.resize(quiet, round(PERIOD_S * SAMPLE_RATE)).astype(np.float32)
    first = round(FIRST_S * SAMPLE_RATE)
    period[first : first + len(event)] = event
    sounds = Sounds(folder / "room.wav", folder / "siren.wav", folder / "loop.pcm")
    _write_wav(sounds.room, np.resize(quiet, round(seconds * SAMPLE_RATE)))
    _write_wav(sounds.siren, event)
    sounds.loop.write_bytes(_samples(period))
    return sounds


def siren_times_s(seconds: float) -> list[float]:
    """Return when sirens begin within a run, in seconds from its beginning."""
    n_sirens = int((seconds - FIRST_S - SIREN_S - 5.0) // PERIOD_S) + 1
    return [FIRST_S + number * PERIOD_S for number in range(n_sirens)]


def _write_wav(path: Path, sound: NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(_samples(sound))


def _samples(sound: NDArray[np.float32]) -> bytes:
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


@dataclass
class Findings:
    """What came of a run.

    Attributes:
        n_played: Sirens that were played into each source.
        told: Sirens told, by source.
        invented: Events of quiet, as text.
        onset_errors_s: Told minus played, by source.
        offset_errors_s: Likewise.
        holes_s: Of each recording, `longest_holes_s`.
        memory_mb: Resident, every ten seconds.
        loads: The machine's load average, every ten seconds.
    """

    n_played: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    invented: list[str] = field(default_factory=list)
    onset_errors_s: dict[str, list[float]] = field(default_factory=dict)
    offset_errors_s: dict[str, list[float]] = field(default_factory=dict)
    holes_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def judge(
        self, source: str, events: Sequence[dict[str, Any]], played: Sequence[tuple[float, float]]
    ) -> None:
        """Compare a source's finished events with what was played, both in UTC seconds."""
        self.n_played[source] = len(played)
        hits: dict[int, tuple[float, float]] = {}
        for event in events:
            onset, offset = event["onset_s"], event["offset_s"]
            near = [
                number
                for number, (began, ended) in enumerate(played)
                if event["label"] == SCRIPT[0].label and began - GRACE_S <= onset <= ended + GRACE_S
            ]
            if near:
                hits.setdefault(near[0], (onset - played[near[0]][0], 0.0))
                hits[near[0]] = (hits[near[0]][0], offset - played[near[0]][1])
            elif played and played[0][0] - 5.0 <= onset <= played[-1][1] + 5.0:
                self.invented.append(f"{source}: {event['label']} at {onset - played[0][0]:.1f} s")
        self.told[source] = len(hits)
        self.onset_errors_s[source] = [onset for onset, _ in hits.values()]
        self.offset_errors_s[source] = [offset for _, offset in hits.values()]

    def _longest(self, source: str, index: int) -> str:
        own = [holes[index] for name, holes in self.holes_s.items() if name.startswith(source)]
        return f"{max(own, default=0.0):.2f} ({len(own)} recordings)"

    def growth_mb_a_minute(self) -> float:
        """How fast resident memory grows after the first five minutes (or the first third)."""
        later = self.memory_mb[min(30, len(self.memory_mb) // 3) :]
        if len(later) < 3:
            return 0.0
        slope, _ = np.polyfit(np.arange(len(later)), later, 1)
        return float(slope) * 6

    def lines(self) -> Iterator[str]:
        """A table of all of it."""
        yield "| | " + " | ".join(self.n_played) + " |"
        yield "| --- |" + " --- |" * len(self.n_played)
        told = (f"{self.told[name]} of {n}" for name, n in self.n_played.items())
        yield "| sirens told | " + " | ".join(told) + " |"
        for name, errors in (("onset", self.onset_errors_s), ("offset", self.offset_errors_s)):
            figures = (_spread(errors[source]) for source in self.n_played)
            yield f"| {name} error, s: median (5 to 95 %) | " + " | ".join(figures) + " |"
        for index, what in enumerate(("pictures missing in a recording", "time without a picture")):
            longest = (self._longest(source, index) for source in self.n_played)
            yield f"| longest {what}, s | " + " | ".join(longest) + " |"
        yield ""
        yield f"invented in quiet: {len(self.invented)} {self.invented[:10]}"
        later = self.memory_mb[min(30, len(self.memory_mb) // 3) :]
        each = [f"{mb:.0f}" for mb in self.memory_mb[::30]]
        yield f"resident every five minutes, MB: {' '.join(each)}"
        yield (
            f"resident: {later[0]:.0f} to {later[-1]:.0f} MB, "
            f"{self.growth_mb_a_minute():+.3f} MB a minute; "
            f"load {statistics.median(self.loads):.1f}"
        )


def _spread(errors: Sequence[float]) -> str:
    if not errors:
        return "-"
    low, middle, high = np.percentile(errors, (5, 50, 95))
    return f"{middle:+.2f} ({low:+.2f} to {high:+.2f})"


def longest_holes_s(recording: Path) -> tuple[float, float]:
    """Look for what a recording lacks.

    Returns:
        Its longest stretch of pictures that are missing by their numbers, and its longest time
        without a new picture, which a sender's own pause makes too. Seconds beyond the usual.
    """
    numbers, times = [], []
    with av.open(str(recording)) as container:
        for frame in container.decode(video=0):
            numbers.append(number_in(frame.to_ndarray(format="rgb24")))
            times.append(float(frame.pts * frame.time_base))
    if len(numbers) < 2:
        return float("inf"), float("inf")
    steps = np.diff(numbers) % N_PICTURES
    steps[steps > N_PICTURES / 2] = 0  # one back is a repeat, no hole
    usual_s = 1 / PICTURE_HZ
    return float(steps.max() * usual_s - usual_s), float(np.diff(times).max() - usual_s)
