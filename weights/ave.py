"""What the bundle `ave` is made of: the paper's trunks, the authors' weights, AVE's labels.

The labels' order is alphabetical: in the features that the authors' own script writes, `Church
bell` is column 8 and `Truck` column 25. Most other projects on AVE count from `Church bell`,
`Male speech`, `Bark`, …: with that order the authors' weights would name the wrong events.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from weights.bundle import AudioSpec, Bundle, EventSpec, HeadSpec, VisualSpec
from weights.bundle_spec import SOUND_MAPS

AVE_LABELS: tuple[str, ...] = (
    "Accordion",
    "Acoustic guitar",
    "Baby cry, infant cry",
    "Banjo",
    "Bark",
    "Bus",
    "Cat",
    "Chainsaw",
    "Church bell",
    "Clock",
    "Female speech, woman speaking",
    "Fixed-wing aircraft, airplane",
    "Flute",
    "Frying (food)",
    "Goat",
    "Helicopter",
    "Horse",
    "Male speech, man speaking",
    "Mandolin",
    "Motorcycle",
    "Race car, auto racing",
    "Rodents, rats, mice",
    "Shofar",
    "Toilet flush",
    "Train horn",
    "Truck",
    "Ukulele",
    "Violin, fiddle",
)


_PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "densenet201": "torchvision densenet201 IMAGENET1K_V1",
        "vggish": "VGGish on AudioSet",
        "mafnet": "numediart/MAFnet on AVE (arXiv 2106.06736)",
    }
)


def ave_bundle(
    densenet201: Path, vggish: Path, mafnet: Path, *, unverified: Mapping[str, str]
) -> Bundle:
    """Describe the bundle `ave` over three converted files.

    AVE has no background label, and its one label a video says nothing about thresholds; those
    here are the event tracker's defaults, not tuned ones.

    Args:
        densenet201: The picture trunk.
        vggish: The sound trunk.
        mafnet: The head.
        unverified: Why a part, by name, is not known to be the published one.
    """
    parts = (
        f"not verified to be {what}" if name in unverified else what
        for name, what in _PUBLISHED.items()
    )
    return Bundle(
        name="ave",
        version="1",
        path=mafnet.parent,
        labels=AVE_LABELS,
        background=None,
        activation="softmax",
        temperature=1.0,
        sample_rate=16000,
        visual=VisualSpec(trunk="densenet201", dim=1920, weights=densenet201),
        audio=AudioSpec(trunk="vggish", sound_map=SOUND_MAPS["vggish"], weights=vggish),
        head=HeadSpec(weights=mafnet),
        events=EventSpec(),
        licence=(
            "DenseNet-201: BSD-3-Clause, ImageNet's terms; VGGish: Apache-2.0; "
            "MAFnet: the authors' (LGPL/GPL)"
        ),
        provenance=f"{'; '.join(parts)}; converted, not retrained",
        unverified=tuple(f"{name}: {why}" for name, why in unverified.items()),
    )
