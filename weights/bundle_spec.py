"""What a bundle says, as frozen data: specs of its files, its labels, its event settings.

Nothing is read or checked here; `weights.bundle` does both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

# Channels, time and mel of each sound trunk's map; `extractors.sound` has the same.
SOUND_MAPS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"vggish": (512, 12, 8), "yamnet": (1024, 3, 2)}
)
N_SOUND_CLASSES: Mapping[str, int] = MappingProxyType({"yamnet": 521})  # AudioSet's, as it has them
N_PICTURE_CLASSES = 1000  # ImageNet-1k
GRIDS_HZ = (2, 4, 8, 16)  # the paper: 16
MAX_SMOOTH = 1000  # decisions
MAX_GROUP_LEVELS = 8  # of groups within groups; AudioSet's ontology has six


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
    """The sound trunk: its name in `extractors` and its verified weights file."""

    weights: Path
    sha256: str = ""
    trunk: str = "vggish"

    @property
    def sound_map(self) -> tuple[int, int, int]:
        """Channels, time and mel of what the trunk makes of a second."""
        return SOUND_MAPS[self.trunk]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSpec:
    """Which of the trunks' own classes mean each label, by their positions.

    Attributes:
        sound: Of each label in turn, one class of the sound trunk or more.
        picture: Of each label in turn, classes of ImageNet-1k; may be none.
    """

    sound: tuple[tuple[int, ...], ...]
    picture: tuple[tuple[int, ...], ...]


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
class EventSpec:
    """How probabilities become events; all that the validation set settled.

    Attributes:
        on: Probability in (0, 1] at which an event may start.
        off: Probability in (0, on] below which it ends.
        per_label: ``{label: {"on": …, "off": …}}`` where a label has its own; both are given.
        min_duration_s: Shorter events are not told.
        merge_gap_s: Two events of a label nearer than this are one.
        cool_down_s: Silence of a label after its event.
        confirm: (n, m): n of the last m steps must be over ``on``.
        context: 0…1, see the event tracker.
        smooth: A score is the mean over so many decisions.
        kin: Groups of labels that are hard to tell apart; see the event tracker.
        groups: Label → the wider label that it belongs to; see the event tracker.
    """

    on: float = 0.5
    off: float = 0.35
    per_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    min_duration_s: float = 0.5
    merge_gap_s: float = 0.5
    cool_down_s: float = 0.0
    confirm: tuple[int, int] = (2, 3)
    context: float = 0.0
    smooth: int = 1
    kin: tuple[tuple[str, ...], ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)


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
