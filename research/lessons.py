"""What was heard and seen, put together into windows with soft targets for MAFnet.

Place in the flow: blocks of `research.prepare` and features of `research.pictures` → **lessons** →
`research.train`. Targets are mostly what others think: the teacher on the last seconds, YAMNet on
the newest, the picture trunk's own classes; a file's own label has a smaller say
(docs/lab/starter.md).
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mafnet.attention import PICTURE, SOUND
from mafnet.evidence import ClassEvidence
from research.pictures import Pictures
from research.says import HEARD, SAY_OTHER, TRACE, says_of
from research.sound_corpus import BACKGROUND
from research.vocabulary import Vocabulary

TEACHER_OFFSET = 1.0  # its logits run low on short windows
UNHEARD = 0.25  # its probability below which it does not hear a label
SEEN_ONLY = 0.9  # target of a label that is seen, where there is no sound
NO_PICTURE, NO_SOUND, AGREES = 0.25, 0.3, 0.6  # shares: windows; of the rest, pictures that fit
LENGTHS = (1, 1, 1, 2, 3, 4, 4, 6, 10)  # of windows, in clips, as often as they stand here
FACE, VOICES = "Face", ("Male speech, man speaking", "Female speech, woman speaking")
MOST = 9.0  # logits of a target
LEAST = 1e-4  # as a probability
Array = NDArray[np.float32]


class Late(Protocol):
    """YAMNet's late blocks: `research.yamnet_parts.LateEars`."""

    def maps(self, early: NDArray[np.float16]) -> NDArray[np.float16]:
        """Go on from what the early blocks made."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Windows of one split.

    Attributes:
        maps: `(N, 10, 1024, 3, 2)` float16.
        short: The teacher's logits of each label on the last four seconds, `(N, n_labels)`.
        long: Likewise on all ten.
        heard: `(N, 10, n_labels)`: each file's label's share of a second's power.
        empty: `(N,)` bool: there is nothing else in it.
    """

    maps: NDArray[np.float16]
    short: Array
    long: Array
    heard: NDArray[np.float16]
    empty: NDArray[np.bool_]


def load_heard(
    folder: Path,
    vocabulary: Vocabulary,
    teacher_names: list[str],
    late: Late,
    without: frozenset[str] = frozenset(),
    most: int | None = None,
) -> Heard:
    """Read the blocks of a split, and go on from YAMNet's early blocks.

    Args:
        folder: Of the blocks.
        vocabulary: The labels.
        teacher_names: Its classes.
        late: What the maps come from.
        without: Sources; windows with a file of one in them are left out.
        most: Blocks to read; None for all.
    """
    classes = vocabulary.sound_in(teacher_names)
    blocks: dict[str, list[NDArray[Any]]] = {}
    for path in sorted(folder.glob("*.npz"))[:most]:
        with np.load(path) as block:
            rows = [without.isdisjoint(str(each).split("|")) for each in block["sources"]]
            blocks.setdefault("maps", []).append(late.maps(block["early"][rows]))
            for name in ("short", "long", "heard", "empty"):
                blocks.setdefault(name, []).append(block[name][rows])
    joined = {name: np.concatenate(parts) for name, parts in blocks.items()}
    return Heard(
        maps=joined["maps"],
        short=_of_labels(joined["short"], classes),
        long=_of_labels(joined["long"], classes),
        heard=joined["heard"],
        empty=joined["empty"],
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
        most: Blocks to read; None for all.
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
        self._vocabulary = vocabulary
        self._is_named = heard.empty | np.any(heard.heard > HEARD, axis=(1, 2))
        rows = [
            k
            for k, own in enumerate(pictures.splits)
            if own == split and pictures.sources[k] not in without
        ]
        self._features = pictures.features[rows]
        self._is_told = np.array([pictures.labels[k] != FACE for k in rows])  # what it shows
        self._is_scene = np.array([pictures.labels[k] == BACKGROUND for k in rows])
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
        own = self._heard.heard[windows, -n_clips:]
        active: NDArray[np.bool_] = np.any(own > HEARD, axis=1)  # (B, L)
        says = says_of(
            active,
            np.any(own > TRACE, axis=1),
            self._is_named[windows],
            self._heard.empty[windows],
            self._vocabulary,
        )
        audio = torch.from_numpy(maps)
        with torch.no_grad():
            newest = self._evidence(
                torch.zeros(len(windows), self._features.shape[2]), audio[:, -1]
            )
        taught = self._taught(windows, n_clips, newest[:, SOUND].numpy())
        thought = torch.sigmoid(torch.from_numpy(taught).clamp(-MOST, MOST))
        heard = says.join(thought).clamp(LEAST, 1 - LEAST)
        visual = np.zeros((len(windows), n_clips, self._features.shape[2]), np.float32)
        present = np.ones((len(windows), n_clips, 2), np.bool_)
        shows = np.zeros_like(active)
        places = np.zeros(len(windows), np.int64)
        seen_only = np.zeros(len(windows), np.bool_)
        for row in range(len(windows)):
            chance = rng.random()
            if chance < NO_PICTURE:
                present[row, :, PICTURE] = False
                continue
            places[row] = place = self._picture(active[row], rng)
            views = rng.integers(0, self._features.shape[1], n_clips)
            visual[row] = self._features[place, views]
            if chance < NO_PICTURE + NO_SOUND:
                present[row, :, SOUND] = False
                seen_only[row] = True
            if self._is_told[place]:
                shows[row, list(self._shows[place])] = True
        with torch.no_grad():
            seen = self._evidence(torch.from_numpy(visual).mean(dim=1), audio[:, -1])[:, PICTURE]
        is_seen: NDArray[np.bool_] = np.any(present[:, :, PICTURE], axis=1)
        shown = is_seen & self._is_told[places]
        sees = says_of(shows, shows, shown, shown & self._is_scene[places], self._vocabulary)
        missing = self._evidence.sound_missing.detach()
        seen = seen * torch.from_numpy(is_seen)[:, None]
        alone = sees.join(torch.sigmoid(missing + seen), SEEN_ONLY)
        both = heard.logit() + seen * (1 - SAY_OTHER * torch.from_numpy(sees.excluded))
        both = torch.sigmoid(both.clamp(-MOST, MOST))
        target = torch.where(torch.from_numpy(seen_only)[:, None], alone, both)
        return Lesson(torch.from_numpy(visual), audio, torch.from_numpy(present), target)

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
