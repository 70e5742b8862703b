"""MAFnet as it starts: the trunks' own classes by the fixed rule, and a head that adds nothing."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.sound import load_sound_trunk
from extractors.visual import load_visual_trunk
from extractors.yamnet import YAMNetTrunk
from mafnet.evidence import EvidenceClasses
from mafnet.model import MAFnet, MAFnetConfig
from research.vocabulary import BORROWED, Vocabulary
from weights.bundle import packaged_efficientnet_lite0

BORROWED_BIAS = -1.5  # a parent's class says less of its child
NORM_DECAY = 0.97  # of a short training


def make_config(vocabulary: Vocabulary) -> MAFnetConfig:
    """Return what the starter's MAFnet is."""
    return MAFnetConfig(
        visual_dim=1280,
        n_labels=len(vocabulary.labels),
        activation="sigmoid",
        norm_decay=NORM_DECAY,
        sound_map=(YAMNetTrunk.dim, *YAMNetTrunk.map_size),
        evidence=EvidenceClasses(sound=vocabulary.sound, picture=vocabulary.picture),
    )


def make_start(vocabulary: Vocabulary, yamnet: Path, seed: int = 0) -> MAFnet:
    """Build it, both classifiers in place."""
    torch.manual_seed(seed)
    model = MAFnet(make_config(vocabulary))
    ears = load_sound_trunk("yamnet", yamnet)
    eyes = load_visual_trunk("efficientnet_lite0", packaged_efficientnet_lite0().weights)
    assert model.evidence is not None
    assert isinstance(ears, YAMNetTrunk)
    with torch.no_grad():
        model.evidence.sound_classes.load_state_dict(ears.classifier.state_dict())
        model.evidence.picture_classes.load_state_dict(_classifier(eyes).state_dict())
        for label in BORROWED:
            model.evidence.sound_bias[vocabulary.labels.index(label)] = BORROWED_BIAS
        model.head_norm.weight.zero_()
        model.attention.scorer.weight.zero_()
    model.evidence.sound_classes.requires_grad_(False)
    model.evidence.picture_classes.requires_grad_(False)
    return model.eval()


def _classifier(eyes: nn.Module) -> nn.Linear:
    assert isinstance(eyes, EfficientNetLite0Trunk)
    return eyes.classifier


def save_head(model: MAFnet, path: Path) -> None:
    """Write the weights in half precision; what adds up over time stays in float32."""
    state = {
        name: value.detach().half().contiguous() if value.ndim > 1 else value.detach().contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(state, path)


def load_state(model: MAFnet, path: Path) -> MAFnet:
    """Fill a model from `save_head`'s file."""
    model.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return model
