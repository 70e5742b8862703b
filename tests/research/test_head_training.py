import torch

from mafnet.evidence import EvidenceClasses
from mafnet.model import MAFnet, MAFnetConfig
from research.train import start_from_rows

CLASSES = EvidenceClasses(sound=((0, 3), (7,)), picture=((5,), ()))


def test_vectors_start_with_what_the_classifiers_rows_of_a_label_say() -> None:
    torch.manual_seed(0)
    config = MAFnetConfig(
        visual_dim=1280, n_labels=2, sound_map=(1024, 3, 2), evidence=CLASSES, activation="sigmoid"
    )
    model = MAFnet(config).eval()
    assert model.evidence is not None
    visual, audio = torch.rand(3, 1280), torch.rand(3, 1024, 3, 2)

    start_from_rows(model)

    logits = model.evidence.sound_classes(audio.mean(dim=(2, 3)))
    wanted = torch.stack((logits[:, [0, 3]].mean(dim=1), logits[:, 7]), dim=1)
    heard = model.filmed_block.conv1(audio).mean(dim=(2, 3))[:, :2]
    torch.testing.assert_close(heard, wanted)
    seen = model.evidence.picture_classes(visual)[:, 5]
    torch.testing.assert_close(model.picture_dense(visual)[:, 0], seen)
