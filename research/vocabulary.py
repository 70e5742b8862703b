"""The starter's labels, and the classes of AudioSet and ImageNet that mean each.

Reads `vocabulary.csv` (label, AudioSet class names, ImageNet class numbers). A label without an
AudioSet class of its own hears by its parent's, from further below: see `BORROWED`.
"""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from research.audioset_classes import AUDIOSET_CLASSES

# YAMNet has no class for these; what it hears of them is their parent's class.
BORROWED = {
    "Male speech, man speaking": "Speech",
    "Female speech, woman speaking": "Speech",
}
# Spellings of the sound and picture tables → labels of the vocabulary.
ALIASES = {
    "Throat clearing": "Cough",
    "Telephone bell ringing": "Telephone",
    "Typewriter": "Computer keyboard",
    "Waterfall": "Stream",
    "Slam": "Door",
    "Street music": "Music",
    "Gull, seagull": "Bird",
}
_INSTRUMENTS = (
    *("Acoustic guitar", "Electric guitar", "Double bass", "Banjo", "Mandolin", "Ukulele"),
    *("Sitar", "Harp", "Violin, fiddle", "Cello", "Piano", "Organ", "Accordion", "Harmonica"),
    *("Flute", "Clarinet", "Saxophone", "Trumpet", "Trombone", "French horn", "Bagpipes", "Drum"),
    *("Marimba, xylophone", "Tambourine"),
)
_VOICES = (
    *("Male speech, man speaking", "Female speech, woman speaking", "Child speech, kid speaking"),
)
PARENTS = {
    **dict.fromkeys(_INSTRUMENTS, "Music"),
    **dict.fromkeys(_VOICES, "Speech"),
    "Rooster": "Chicken",
    "Race car, auto racing": "Car",
    "Skidding": "Car",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Labels and their classes.

    Attributes:
        labels: In the order of the table.
        sound: Positions of YAMNet's classes, of each label; at least one.
        picture: Positions of ImageNet's classes, of each label; may be empty.
        parents: Child → parent, both labels.
    """

    labels: tuple[str, ...]
    sound: tuple[tuple[int, ...], ...]
    picture: tuple[tuple[int, ...], ...]
    parents: dict[str, str]

    def index(self, name: str) -> int | None:
        """Return the label that a table's spelling means, None where it is none."""
        name = ALIASES.get(name, name)
        return self.labels.index(name) if name in self.labels else None

    def sound_in(self, names: Sequence[str]) -> list[list[int]]:
        """Return each label's classes by position in another list of AudioSet names.

        A label whose own name is in the list has that class too: other lists know more voices.
        """
        found = []
        for label, classes in zip(self.labels, self.sound, strict=True):
            own = {label} if label in names else {AUDIOSET_CLASSES[k] for k in classes}
            own |= {AUDIOSET_CLASSES[k] for k in classes} if label not in BORROWED else set()
            found.append(sorted(names.index(name) for name in own))
        return found


def load_vocabulary(table: Path) -> Vocabulary:
    """Read `vocabulary.csv`.

    Raises:
        ValueError: A class that AudioSet's 521 or ImageNet's 1000 have not.
    """
    with table.open(newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    sound, picture = [], []
    for label, row in rows.items():
        names = rows[BORROWED.get(label, label)]["audioset_classes"].split("|")
        unknown = [name for name in names if name not in AUDIOSET_CLASSES]
        if unknown:
            raise ValueError(f"{table}: {label} names classes that YAMNet has not: {unknown}")
        sound.append(tuple(AUDIOSET_CLASSES.index(name) for name in names))
        picture.append(_numbers(row["imagenet_classes"] or ""))
    labels = tuple(rows)
    return Vocabulary(labels=labels, sound=tuple(sound), picture=tuple(picture), parents=PARENTS)


def _numbers(text: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in filter(None, text.split("|")):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    if numbers and not 0 <= min(numbers) <= max(numbers) < 1000:
        raise ValueError(f"ImageNet has classes 0 to 999, got {text}")
    return tuple(numbers)
