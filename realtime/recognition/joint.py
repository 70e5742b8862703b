"""What is due of all streams through the networks in joint batches: pictures, sounds, clips.

Place in the flow: clips of one stream or of many → here → each stream's `Recognizer`, which keeps
its window and decides. Which stream is due when is not its business (`realtime.rounds`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from realtime.clock import Clock
from realtime.packets import Clip, GridFrame, Prediction
from realtime.recognition.features import MAX_BATCH, FeatureExtractor, Models
from realtime.recognition.recognizer import Recognizer


class JointRecognizer:
    """Recognizes streams together; one thread calls it.

    Args:
        models: The bundle's networks, the same as of each stream's recognizer.
        clock: The run's clock.
    """

    def __init__(self, models: Models, clock: Clock) -> None:
        self._models = models
        self._extractor = FeatureExtractor(models)
        self._clock = clock

    def encode(self, work: Sequence[tuple[Recognizer, Sequence[GridFrame]]]) -> None:
        """Pass frames through the picture trunk before their clips are complete."""
        frames = [(recognizer, frame) for recognizer, each in work for frame in each]
        for start in range(0, len(frames), MAX_BATCH):
            batch = frames[start : start + MAX_BATCH]
            features = self._extractor.encode_frames([frame.image for _, frame in batch])
            first = 0
            while first < len(batch):  # neighbours of one stream are kept together
                recognizer = batch[first][0]
                stop = first
                while stop < len(batch) and batch[stop][0] is recognizer:
                    stop += 1
                slots = (frame.slot for _, frame in batch[first:stop])
                recognizer.keep(slots, features[first:stop])
                first = stop

    @torch.inference_mode()
    def step(self, work: Sequence[tuple[Recognizer, Clip]]) -> list[Prediction | None]:
        """Take one clip each of some streams in.

        Returns:
            For each clip its prediction, None where no decision is due.
        """
        if not work:
            return []
        started_ns = self._clock.now_ns()
        self.encode([(recognizer, clip.new_frames) for recognizer, clip in work])
        visual = torch.stack([recognizer.pool(clip) for recognizer, clip in work])
        heard = [row for row, (_, clip) in enumerate(work) if clip.has_sound]
        waveforms = [clip.waveform for _, clip in work if clip.waveform is not None]
        if len(heard) == len(work):
            sound = self._extractor.encode_sounds(waveforms)
        else:
            sound_map = self._models.head.config.sound_map
            sound = torch.zeros((len(work), *sound_map), device=self._models.device)
            if heard:
                sound[heard] = self._extractor.encode_sounds(waveforms)
        present = torch.tensor(
            [[clip.has_picture, clip.has_sound] for _, clip in work], device=self._models.device
        )
        head = self._models.head
        convolved = (self._models.convolve or head.filmed_block.convolve)(sound)
        codes = head.encode_clips(visual, sound, present, lambda _: convolved)
        alone = head.unmodulated(codes, convolved)
        predictions: list[Prediction | None] = []
        for row, (recognizer, clip) in enumerate(work):
            recognizer.append(clip, codes, alone, row)
            predictions.append(recognizer.decide(clip, started_ns) if clip.decide else None)
        return predictions
