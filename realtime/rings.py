"""What a stream's capture threads fill: both rings, their signal, and the stream's time."""

from __future__ import annotations

from realtime.addresses import is_network
from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import FrameRing
from realtime.buffers.lag import MAX_LAG_NS, Lag
from realtime.buffers.signal import DataSignal
from realtime.clock import NS_PER_S, Timeline
from realtime.config import SourceConfig
from realtime.packets import CLIP_SAMPLES, CLIP_SLOTS, GRID_HZ, Sense
from realtime.stats import Stats
from realtime.threads.mailbox import Policy

RING_S = 4  # a reader may run this far ahead of recognition; a held frame may be this old


def _sound_ring_s(source: SourceConfig) -> int:
    """How much sound is kept: a microphone's waits where the camera beside it lags behind."""
    lags = source.camera is not None and is_network(source.camera)
    return RING_S + (MAX_LAG_NS // NS_PER_S if lags else 0)


class Rings:
    """What the capture threads fill: both rings, their signal and the stream's time."""

    def __init__(
        self,
        source: SourceConfig,
        size: int,
        timeline: Timeline,
        stats: Stats,
        all_streams: DataSignal | None = None,
        grid_hz: int = GRID_HZ,
        *,
        catches_up: bool = False,
    ) -> None:
        """Make them.

        A stream that `catches_up` (`realtime.clips.assembler`) gets its past at once, of which
        recognition keeps three seconds of sound that it has heard: twice as much has room.
        """
        policy = Policy.DROP_OLDEST if source.live else Policy.WAIT
        self.timeline = timeline
        self.signal = DataSignal(all_streams)
        self.frames = FrameRing(
            RING_S * CLIP_SLOTS, size, policy, self.signal, stats, GRID_HZ // grid_hz
        )
        sound_s = _sound_ring_s(source) + (RING_S if catches_up else 0)
        self.sounds = AudioRing(sound_s * CLIP_SAMPLES, policy, self.signal, stats)
        self.lag = Lag()

    def end(self, sense: Sense) -> None:
        """Say that no more comes of one sense."""
        (self.frames if sense is Sense.PICTURE else self.sounds).end()

    def close(self) -> None:
        """Free whoever waits for room."""
        self.frames.close()
        self.sounds.close()
