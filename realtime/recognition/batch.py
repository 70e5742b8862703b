"""One recognizer of many streams: what is due of all through the networks in one batch.

Place in the flow: clips of one stream or of many → **features, codes, decisions** → predictions.
It owns each stream's memory (`realtime.recognition.memory`), under the stream's name. Which stream
is due when is not its business (`realtime.scheduler`).

Only what is new is computed, the rest comes from the memory. A step costs the frames that came
since the last clip, one second of sound, one clip of MAFnet and a softmax over 2·T scores, whatever
T and the hop are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime.clock import NS_PER_MS, Clock
from realtime.packets import Clip, GridFrame, Prediction
from realtime.recognition.features import MAX_BATCH, FeatureExtractor
from realtime.recognition.memory import StreamMemory
from realtime.recognition.models import Models, have_same_codes
from realtime.recognition.window import WindowCodes
from realtime.stats import Stats


class BatchRecognizer:
    """Recognizes streams together; one thread calls it.

    Args:
        models: The bundle's networks.
        clock: The run's clock.

    Attributes:
        models: The same.
    """

    def __init__(self, models: Models, clock: Clock) -> None:
        self.models = models
        self._extractor = FeatureExtractor(models)
        self._clock = clock
        self._memories: dict[str, StreamMemory] = {}

    def add(self, name: str, *, n_clips: int, stride_ns: int, stats: Stats, dated: bool) -> None:
        """Begin a stream's memory; see `StreamMemory` for what each means."""
        self._memories[name] = StreamMemory(
            self.models.head.config,
            self.models.device,
            n_clips=n_clips,
            stride_ns=stride_ns,
            stats=stats,
            dated=dated,
        )

    def forget(self, name: str) -> None:
        """End a stream's memory; one that there is not does no harm."""
        self._memories.pop(name, None)

    def adopt(self, models: Models, places: Sequence[int | None]) -> None:
        """Go on with another head on the same trunks; see `StreamMemory.adopt`."""
        same_codes = have_same_codes(self.models.head, models.head)
        self.models = models
        for memory in self._memories.values():
            memory.adopt(places, same_codes=same_codes)

    def encode(self, work: Sequence[tuple[str, Sequence[GridFrame]]]) -> None:
        """Pass frames of some streams through the picture trunk before their clips are complete."""
        frames = [(name, frame) for name, each in work for frame in each]
        for start in range(0, len(frames), MAX_BATCH):
            batch = frames[start : start + MAX_BATCH]
            features = self._extractor.encode_frames([frame.image for _, frame in batch])
            first = 0
            while first < len(batch):  # neighbours of one stream are kept together
                name = batch[first][0]
                stop = first
                while stop < len(batch) and batch[stop][0] == name:
                    stop += 1
                slots = (frame.slot for _, frame in batch[first:stop])
                self._memories[name].keep(slots, features[first:stop])
                first = stop

    @torch.inference_mode()
    def step(self, work: Sequence[tuple[str, Clip]]) -> list[Prediction | None]:
        """Take one clip each of some streams in.

        Returns:
            For each clip its prediction, None where no decision is due.
        """
        if not work:
            return []
        started_ns = self._clock.now_ns()
        self.encode([(name, clip.new_frames) for name, clip in work])
        memories = [self._memories[name] for name, _ in work]
        clips = [clip for _, clip in work]
        visual = torch.stack([each.pool(clip) for each, clip in zip(memories, clips, strict=True)])
        sound = self._encode_sounds(clips)
        present = torch.tensor(
            [[clip.has_picture, clip.has_sound] for clip in clips], device=self.models.device
        )
        head = self.models.head
        convolved = (self.models.convolve or head.filmed_block.convolve)(sound)
        codes = head.encode_clips(visual, sound, present, lambda _: convolved)
        alone = head.unmodulated(codes, convolved)
        predictions: list[Prediction | None] = []
        for row, (memory, clip) in enumerate(zip(memories, clips, strict=True)):
            memory.append(clip, codes, alone, row)
            predictions.append(self._decide(memory, clip, started_ns) if clip.decide else None)
        return predictions

    def _encode_sounds(self, clips: Sequence[Clip]) -> Tensor:
        """Return the clips' sound maps `(N, C, H, W)`; zeros where the sound is missing."""
        waveforms = [clip.waveform for clip in clips if clip.waveform is not None]
        if len(waveforms) == len(clips):
            return self._extractor.encode_sounds(waveforms)
        sound_map = self.models.head.config.sound_map
        sound = torch.zeros((len(clips), *sound_map), device=self.models.device)
        if waveforms:
            heard = [row for row, clip in enumerate(clips) if clip.has_sound]
            sound[heard] = self._extractor.encode_sounds(waveforms)
        return sound

    def _decide(self, memory: StreamMemory, clip: Clip, started_ns: int) -> Prediction:
        """Decide over the window that ends with `clip`, which was appended.

        Args:
            memory: The stream's.
            clip: The newest.
            started_ns: When its computation began, on the run's clock.

        Returns:
            The prediction. Where a window has neither sense all probabilities are 0.
        """
        head = self.models.head
        codes = memory.window()
        present = codes.present
        window = head.decide(*codes)
        newest = head.decide(*codes.newest())
        alone = self._decide_alone(memory.senses_alone(codes.evidence))
        anything, anything_new = bool(present.any()), bool(present[:, -1].any())
        now_ns = self._clock.now_ns()
        memory.stats.count("predictions")
        return Prediction(
            end_t_ns=clip.end_t_ns,
            window=_numpy(window.probabilities[0]) * np.float32(anything),
            newest=_numpy(newest.probabilities[0]) * np.float32(anything_new),
            attention=_numpy(window.attention[0]),
            present=present[0].cpu().numpy(),
            newest_ns=clip.newest_ns,
            latency_ms=(now_ns - clip.newest_ns) / NS_PER_MS if memory.dated else None,
            compute_ms=(now_ns - started_ns) / NS_PER_MS,
            av_skew_ms=clip.av_skew_ms,
            gap_samples=clip.gap_samples,
            alone=alone,
            independent=head.config.activation == "sigmoid",
            clip_ends_t_ns=memory.ends_t_ns(),
        )

    def _decide_alone(self, each: WindowCodes) -> NDArray[np.float32]:
        """Return what each sense says by itself, `(2, 2, n_labels)`; see `Prediction.alone`."""
        newest = each.newest()
        probabilities = [self.models.head.decide(*part).probabilities for part in (each, newest)]
        anything = [part.present.flatten(1).any(dim=1) for part in (each, newest)]
        return _numpy(torch.stack(probabilities, dim=1) * torch.stack(anything, dim=1)[:, :, None])


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
