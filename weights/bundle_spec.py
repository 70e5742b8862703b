"""What a bundle says, as frozen data: specs of its files, and its labels.

Nothing is read or checked here; `weights.bundle` does both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from weights.event_spec import EventSpec

# Channels, time and mel of the maps of bundles that do not say them: those trunks are the oldest.
SOUND_MAPS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"vggish": (512, 12, 8), "yamnet": (1024, 3, 2)}
)
N_SOUND_CLASSES: Mapping[str, int] = MappingProxyType({"yamnet": 521})  # AudioSet's, as it has them
N_PICTURE_CLASSES = 1000  # ImageNet-1k
GRIDS_HZ = (2, 4, 8, 16)  # the paper: 16


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualSpec:
    """The picture trunk: its name in `extractors`, feature width, and verified weights file.

    Attributes:
        package: The Python package that ships ``weights``, or None for a file of the bundle.
        sha256: Of ``weights``; may be empty for `write_bundle`, which fills it in.
        grid_hz: Pictures a second that are computed of a stream, one of `GRIDS_HZ`.
    """

    trunk: str
    dim: int
    weights: Path
    sha256: str = ""
    package: str | None = None
    grid_hz: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSpec:
    """The sound trunk: its name in `extractors` and its verified weights file.

    Attributes:
        sound_map: Channels, time and mel of what the trunk makes of a second.
    """

    trunk: str
    sound_map: tuple[int, int, int]
    weights: Path
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a user taught, one row of the head's weights.

    Attributes:
        label: What it is about.
        denies: What was shown is not that label; else it is.
        made: When, ISO 8601 with a zone.
        origin: From what, for people.
    """

    label: str
    denies: bool
    made: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSpec:
    """Which of the trunks' own classes mean each label, by their positions.

    Attributes:
        sound: Of each label in turn, one class of the sound trunk or more; none of a taught one.
        picture: Of each label in turn, classes of ImageNet-1k; may be none.
        lessons: What a user taught, in the order of the rows.
    """

    sound: tuple[tuple[int, ...], ...]
    picture: tuple[tuple[int, ...], ...]
    lessons: tuple[Lesson, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSpec:
    """MAFnet's verified weights file (safetensors, float32 or float16).

    Attributes:
        evidence: What the trunks' own classes say of the labels; None where MAFnet has none.
    """

    weights: Path
    sha256: str = ""
    evidence: EvidenceSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Weights with everything needed to use them.

    Attributes:
        path: The bundle's folder.
        labels: In the order of the head's outputs.
        background: The label that means "nothing is happening", or None.
        activation: softmax or sigmoid.
        temperature: What logits are divided by before the activation.
        sample_rate: Hz that the sound trunk's log-mel expects.
        unverified: What nobody vouches for, a sentence each: files of which no publisher's hash
            was checked.
    """

    name: str
    version: str
    path: Path
    labels: tuple[str, ...]
    background: str | None
    activation: str
    temperature: float
    sample_rate: int
    visual: VisualSpec
    audio: AudioSpec
    head: HeadSpec
    events: EventSpec
    licence: str
    provenance: str
    unverified: tuple[str, ...] = ()
