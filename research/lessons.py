"""What was heard and seen, put together into windows with soft targets for MAFnet.

Place in the flow: blocks of `research.prepare` and features of `research.pictures` → **lessons** →
`research.train`. Targets are mostly what others think: the teacher on the last seconds, YAMNet on
the newest, the picture trunk's own classes; a file's own label has a smaller say
(docs/lab/starter.md).
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mafnet.attention import PICTURE, SOUND
from mafnet.evidence import ClassEvidence
from research.pictures import Pictures
from research.vocabulary import Vocabulary

TEACHER_OFFSET = 1.0  # its logits run low on short windows
UNHEARD = 0.25  # its probability below which it does not hear a label
HEARD = 0.1  # of a second's power: from here on a file's label is heard in it
OWN_SAY = 0.35  # of a file's own label, beside the teacher's
SEEN_ONLY = 0.9  # target of a label that is seen, where there is no sound
NO_PICTURE, NO_SOUND, AGREES = 0.25, 0.3, 0.6  # shares: windows; of the rest, pictures that fit
LENGTHS = (1, 1, 1, 2, 3, 4, 4, 6, 10)  # of windows, in clips, as often as they stand here
FACE, VOICES = "Face", ("Male speech, man speaking", "Female speech, woman speaking")
MOST = 9.0  # logits of a target
Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Windows of one split.

    Attributes:
        maps: `(N, 10, 1024, 3, 2)` float16.
        short: The teacher's logits of each label on the last four seconds, `(N, n_labels)`.
        long: Likewise on all ten.
        heard: `(N, 10, n_labels)`: each file's label's share of a second's power.
    """

    maps: NDArray[np.float16]
    short: Array
    long: Array
    heard: NDArray[np.float16]


def load_heard(
    folder: Path,
    vocabulary: Vocabulary,
    teacher_names: list[str],
    without: frozenset[str] = frozenset(),
) -> Heard:
    """Read the blocks of a split, but for windows with a file of some sources in them."""
    classes = vocabulary.sound_in(teacher_names)
    blocks: dict[str, list[NDArray[np.float16]]] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as block:
            rows = [without.isdisjoint(str(each).split("|")) for each in block["sources"]]
            for name in ("maps", "short", "long", "heard"):
                blocks.setdefault(name, []).append(block[name][rows])
    joined = {name: np.concatenate(parts) for name, parts in blocks.items()}
    return Heard(
        maps=joined["maps"],
        short=_of_labels(joined["short"], classes),
        long=_of_labels(joined["long"], classes),
        heard=joined["heard"],
    )


def _of_labels(logits: NDArray[np.float16], classes: list[list[int]]) -> Array:
    wide = logits.astype(np.float32)
    return np.stack([wide[:, own].max(axis=1) for own in classes], axis=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Lesson:
    """A batch: what MAFnet gets, and what it should say `(B, n_labels)`."""

    visual: Tensor
    audio: Tensor
    present: Tensor
    target: Tensor


class Lessons:
    """Draws batches.

    Args:
        heard: Windows of a split.
        pictures: Of the table.
        split: Whose pictures.
        vocabulary: The labels.
        evidence: At its start, for what the trunks themselves say.
        without: Sources whose pictures are left out.
    """

    def __init__(
        self,
        heard: Heard,
        pictures: Pictures,
        split: str,
        vocabulary: Vocabulary,
        evidence: ClassEvidence,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self._heard = heard
        self._evidence = evidence
        self._n_labels = len(vocabulary.labels)
        rows = [
            k
            for k, own in enumerate(pictures.splits)
            if own == split and pictures.sources[k] not in without
        ]
        self._features = pictures.features[rows]
        self._shows: list[tuple[int, ...]] = []
        self._of_label: dict[int, list[int]] = {}
        voices = [vocabulary.labels.index(voice) for voice in VOICES]
        for place, k in enumerate(rows):
            name = pictures.labels[k]
            index = vocabulary.index(name)
            shown = tuple(voices) if name == FACE else () if index is None else (index,)
            self._shows.append(shown)
            for label in shown:
                self._of_label.setdefault(label, []).append(place)

    def __len__(self) -> int:
        """Windows."""
        return len(self._heard.maps)

    def epoch(self, rng: np.random.Generator, n_batch: int) -> Iterator[Lesson]:
        """Yield batches over all windows in random order; all windows of one are as long."""
        order = rng.permutation(len(self))
        for first in range(0, len(order) - n_batch + 1, n_batch):
            n_clips = int(rng.choice(LENGTHS))
            yield self.lesson(np.sort(order[first : first + n_batch]), n_clips, rng)

    def lesson(self, windows: NDArray[np.int64], n_clips: int, rng: np.random.Generator) -> Lesson:
        """Make a batch of the last `n_clips` seconds of some windows."""
        maps = self._heard.maps[windows, -n_clips:].astype(np.float32)
        active = np.any(self._heard.heard[windows, -n_clips:] > HEARD, axis=1)  # (B, L)
        audio = torch.from_numpy(maps)
        with torch.no_grad():
            newest = self._evidence(
                torch.zeros(len(windows), self._features.shape[2]), audio[:, -1]
            )
        logits = self._taught(windows, n_clips, newest[:, SOUND].numpy())
        visual = np.zeros((len(windows), n_clips, self._features.shape[2]), np.float32)
        present = np.ones((len(windows), n_clips, 2), np.bool_)
        own: NDArray[np.bool_] = np.zeros_like(
            active
        )  # labels of which a file's own label has a say
        seen_only = np.zeros(len(windows), np.bool_)
        for row in range(len(windows)):
            own[row] = active[row]
            chance = rng.random()
            if chance < NO_PICTURE:
                present[row, :, PICTURE] = False
                continue
            place = self._picture(active[row], rng)
            views = rng.integers(0, self._features.shape[1], n_clips)
            visual[row] = self._features[place, views]
            if chance < NO_PICTURE + NO_SOUND:
                present[row, :, SOUND] = False
                seen_only[row] = True
                own[row] = False
                if len(self._shows[place]) == 1:  # a face tells no voice
                    own[row, list(self._shows[place])] = True
        with torch.no_grad():
            seen = self._evidence(torch.from_numpy(visual).mean(dim=1), audio[:, -1])[:, PICTURE]
        shown: NDArray[np.bool_] = np.any(present[:, :, PICTURE], axis=1)
        logits[seen_only] = self._evidence.sound_missing.detach().numpy()
        logits = logits + seen.numpy() * shown[:, None]
        target = 1.0 / (1.0 + np.exp(-np.clip(logits, -MOST, MOST)))
        say = np.where(seen_only[:, None], SEEN_ONLY, OWN_SAY) * own
        target = target * (1 - say) + say
        return Lesson(
            torch.from_numpy(visual),
            audio,
            torch.from_numpy(present),
            torch.from_numpy(target.astype(np.float32)),
        )

    def _picture(self, active: NDArray[np.bool_], rng: np.random.Generator) -> int:
        fitting = [label for label in np.flatnonzero(active) if int(label) in self._of_label]
        if fitting and rng.random() < AGREES:
            return int(rng.choice(self._of_label[int(rng.choice(fitting))]))
        return int(rng.integers(0, len(self._features)))

    def _taught(self, windows: NDArray[np.int64], n_clips: int, newest: Array) -> Array:
        """Logits: on one second half YAMNet's, then the teacher's on the nearest length."""
        short, long = self._heard.short[windows], self._heard.long[windows]
        if n_clips == 1:
            return 0.5 * (newest + short + TEACHER_OFFSET)
        share = np.float32(np.clip((n_clips - 4) / 6, 0, 1))
        return (1 - share) * short + share * long + np.float32(TEACHER_OFFSET)
