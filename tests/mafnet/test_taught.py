"""What was taught is added to the classes' evidence, and nothing else of the network moves."""

import dataclasses

import pytest
import torch
from torch import Tensor

from mafnet.evidence import NO_CLASS, EvidenceClasses
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.taught import TaughtRow

N_LABELS, VISUAL_DIM, SOUND_MAP = 3, 20, (24, 3, 2)
CLASSES = EvidenceClasses(sound=((0, 5), (7,), (520,)), picture=((3,), (), (0, 999)))


def make_model(*taught: TaughtRow, n_new: int = 0) -> MAFnet:
    """Build a network whose untaught part is always the same."""
    torch.manual_seed(0)
    config = MAFnetConfig(
        visual_dim=VISUAL_DIM,
        n_labels=N_LABELS,
        activation="sigmoid",
        sound_map=SOUND_MAP,
        evidence=CLASSES,
    )
    model = MAFnet(config).eval().requires_grad_(False)
    if not taught:
        return model
    classes = dataclasses.replace(
        CLASSES,
        sound=CLASSES.sound + ((),) * n_new,
        picture=CLASSES.picture + ((),) * n_new,
        taught=taught,
    )
    other = MAFnet(dataclasses.replace(config, n_labels=N_LABELS + n_new, evidence=classes))
    state = other.state_dict()
    for name, value in model.state_dict().items():
        place = state[name]
        place[tuple(slice(0, n) for n in value.shape)] = value
    assert other.evidence is not None
    assert other.evidence.taught is not None
    other.eval().requires_grad_(False)
    other.evidence.taught.heard.weight.zero_()
    other.evidence.taught.seen.weight.zero_()
    other.evidence.taught.heard.bias.fill_(-20.0)
    other.evidence.taught.seen.bias.fill_(-20.0)
    return other


def draw() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    visual = torch.rand(4, VISUAL_DIM, generator=generator) * 8
    return visual, torch.rand(4, *SOUND_MAP, generator=generator) * 4


def evidence(model: MAFnet) -> Tensor:
    assert model.evidence is not None
    out: Tensor = model.evidence(*draw())
    return out


def test_new_label_is_heard_as_its_row_says_and_old_ones_stay_to_the_bit() -> None:
    plain, taught = make_model(), make_model(TaughtRow(label=3), n_new=1)
    assert taught.evidence is not None
    assert taught.evidence.taught is not None
    weights = torch.arange(24.0) / 24
    taught.evidence.taught.heard.weight[0] = weights
    taught.evidence.taught.heard.bias[0] = -1.0

    said = evidence(taught)

    _, audio = draw()
    assert torch.equal(said[:, :, :N_LABELS], evidence(plain))
    assert said[:, 1, 3].tolist() == pytest.approx(
        (audio.mean(dim=(2, 3)) @ weights - 1.0).tolist(), abs=1e-4
    )


def test_new_label_without_a_say_is_never_heard() -> None:
    said = evidence(make_model(TaughtRow(label=3), n_new=1))

    assert said[:, 1, 3].tolist() == [NO_CLASS] * 4
    assert said[:, 0, 3].tolist() == [0.0] * 4


def test_row_for_an_old_label_can_only_raise_what_is_heard_of_it() -> None:
    model = make_model(TaughtRow(label=1))
    assert model.evidence is not None
    assert model.evidence.taught is not None
    before = evidence(model)
    model.evidence.taught.heard.bias[0] = 50.0

    said = evidence(model)

    assert said[:, 1, 1].tolist() == [50.0] * 4
    assert torch.equal(said[:, :, [0, 2]], before[:, :, [0, 2]])


def test_row_that_denies_takes_off_what_it_hears_and_no_more_of_the_picture_than_there_is() -> None:
    model = make_model(TaughtRow(label=0, denies=True))
    assert model.evidence is not None
    assert model.evidence.taught is not None
    before = evidence(model)
    model.evidence.taught.heard.bias[0] = 2.5
    model.evidence.taught.seen.bias[0] = 100.0

    said = evidence(model)

    assert torch.allclose(said[:, 1, 0], before[:, 1, 0] - 2.5, atol=1e-5)
    assert said[:, 0, 0].tolist() == [0.0] * 4
    assert torch.equal(said[:, :, 1:], before[:, :, 1:])


@pytest.mark.parametrize(
    "classes",
    [
        {"sound": ((),), "picture": ((),)},
        {"sound": ((),), "picture": ((),), "taught": (TaughtRow(label=0, denies=True),)},
        {"sound": ((1,),), "picture": ((),), "taught": (TaughtRow(label=1),)},
    ],
)
def test_label_that_nothing_speaks_for_is_refused(classes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="label"):
        EvidenceClasses(**classes)  # type: ignore[arg-type]
