"""What was decoded of a file or a stream goes on to the rings, at the rate at which it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.sources.decoded import DecodedPicture, DecodedSound

if TYPE_CHECKING:
    from realtime.sources.audio_intake import AudioIntake
    from realtime.sources.base import Inlet, SourceSenses
    from realtime.sources.video_intake import VideoIntake


class DecodedIntake:
    """Takes one reader's pictures and sound; one thread calls it.

    Args:
        inlet: The stream's.
    """

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._video: VideoIntake | None = None
        self._audio: AudioIntake | None = None

    def begin_pictures(self) -> VideoIntake:
        """Begin with the pictures, if the first has not come yet."""
        if self._video is None:
            self._video = self._inlet.video_intake()
        return self._video

    def take(self, item: DecodedPicture | DecodedSound, time_ns: int) -> None:
        """Hand a frame or a block on, which begins at `time_ns` of the run's clock."""
        if isinstance(item, DecodedPicture):
            self.begin_pictures().append_lazy(time_ns, item.render, item.length_ns)
            return
        n_channels = item.samples.shape[1]
        if self._audio is None:
            self._audio = self._inlet.audio_intake(item.sample_rate, n_channels)
        self._audio.retune(item.sample_rate, n_channels)
        self._audio.append(item.samples, time_ns)

    def end(self, senses: SourceSenses) -> None:
        """End the rings of these senses, also of one that gave nothing."""
        if senses.picture:
            self.begin_pictures().end()
        if self._audio is not None:
            self._audio.end()
        elif senses.sound:
            self._inlet.sounds.end()
