"""The demo scene as a source: no device, no file, and the same scene every time.

It only plays `realtime.sources.demo_scene`; what is heard and seen, and when, is written there.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from realtime.clock import NS_PER_S
from realtime.packets import SAMPLE_RATE, Sense
from realtime.sources.base import SourceSenses, thread_name
from realtime.sources.demo_pictures import ScenePainter
from realtime.sources.demo_scene import DURATION_S, render_sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime.sources.base import Inlet
    from realtime.sources.playback import Playback

FRAME_RATE = 20  # a second; not the grid's, as a camera's is not
BLOCK_SAMPLES = 800  # 50 ms
_N_BLOCKS = DURATION_S * SAMPLE_RATE // BLOCK_SAMPLES
_N_FRAMES = DURATION_S * FRAME_RATE


class DemoReader:
    """Plays one sense of the scene; see `realtime.sources.base.Reader`.

    Args:
        sense: Which one.
        playback: Shared with the reader of the other sense.
        inlet: Where frames or sound go.
        loop: Whether the scene starts anew when it ends; a stream's time goes on.
    """

    def __init__(self, sense: Sense, playback: Playback, inlet: Inlet, *, loop: bool) -> None:
        self.name = thread_name([sense])
        self.senses = SourceSenses.of([sense])
        self._sense = sense
        self._playback = playback
        self._loop = loop
        self._stop = threading.Event()
        self._count = 0
        self._video = inlet.video_intake()
        self._audio = inlet.audio_intake(SAMPLE_RATE, 1)
        self._painter: ScenePainter | None = None
        self._waveform: NDArray[np.float32] = np.zeros(0, np.float32)

    def open(self) -> None:
        """Synthesize the sound, or make the brushes; a fraction of a second."""
        self._playback.announce(0)
        if self._sense is Sense.PICTURE:
            self._painter = ScenePainter()
        else:
            self._waveform = render_sound()

    def step(self) -> bool:
        """Wait for the next frame or block and hand it on."""
        self._playback.start()
        more = self._step_picture() if self._sense is Sense.PICTURE else self._step_sound()
        return more and not self._stop.is_set()

    def close(self) -> None:
        """Wake a step that waits for its moment."""
        self._stop.set()

    def describe(self) -> str:
        """Return what plays."""
        rate = f"{FRAME_RATE} fps" if self._sense is Sense.PICTURE else f"{SAMPLE_RATE} Hz"
        return f"demo scene, {DURATION_S} s, {rate}"

    def _step_picture(self) -> bool:
        if self._count >= _N_FRAMES and not self._loop:
            self._video.end()
            return False
        media_ns = self._count * NS_PER_S // FRAME_RATE
        if self._playback.wait_until(media_ns, self._stop):
            t_s = (self._count % _N_FRAMES) / FRAME_RATE
            self._video.append_lazy(self._playback.time_ns(media_ns), lambda: self._paint(t_s))
            self._count += 1
        return True

    def _step_sound(self) -> bool:
        if self._count >= _N_BLOCKS and not self._loop:
            self._audio.end()
            return False
        start = self._count * BLOCK_SAMPLES
        end_ns = (start + BLOCK_SAMPLES) * NS_PER_S // SAMPLE_RATE
        if self._playback.wait_until(end_ns, self._stop):
            position = start % len(self._waveform)
            block = self._waveform[position : position + BLOCK_SAMPLES]
            self._audio.append(block, self._playback.time_ns(start * NS_PER_S // SAMPLE_RATE))
            self._count += 1
        return True

    def _paint(self, t_s: float) -> NDArray[np.uint8]:
        if self._painter is None:
            raise ValueError("open the reader first")
        return self._painter.paint(t_s)
