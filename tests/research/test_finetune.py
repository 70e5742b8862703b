import numpy as np
import pytest
import torch

from extractors.yamnet import YAMNetTrunk
from research.finetune import Material, Seconds, class_logits, finetune, rule_logits
from research.says import says_of
from research.vocabulary import Vocabulary
from research.yamnet_parts import EARLY_SHAPE, N_LATE

VOCABULARY = Vocabulary(labels=("Bark", "Cat"), sound=((0, 1), (2,)), picture=((), ()), parents={})
N = 16  # seconds of each label


def random_trunk() -> YAMNetTrunk:
    """Weights that let what comes in through: torch's own start shrinks it."""
    torch.manual_seed(0)
    trunk = YAMNetTrunk().eval().requires_grad_(False)
    for module in trunk.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return trunk


def seconds(trunk: YAMNetTrunk) -> Seconds:
    rng = np.random.default_rng(0)
    early = rng.random((2 * N, *EARLY_SHAPE), np.float32).astype(np.float16)
    early[:N, :256] *= 4  # what tells them apart
    heard = np.zeros((2 * N, 2), np.bool_)
    heard[:N, 0] = heard[N:, 1] = True
    named = np.ones(2 * N, np.bool_)
    soft = class_logits(trunk, early).astype(np.float16)
    says = says_of(heard, heard, named, ~named, VOCABULARY)
    return Seconds(early=early, soft=soft, says=says)


def test_last_blocks_learn_the_labels_and_the_rest_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("research.finetune.RATES", {"blocks": 1e-3, "classifier": 1e-2})
    trunk = random_trunk()
    own = seconds(trunk)
    material = Material(trunk=trunk, vocabulary=VOCABULARY, windows=own, files=own)

    after = finetune(material, steps=20, n_learn=1)

    logits = rule_logits(after, [own.early[:N], own.early[N:]], VOCABULARY)
    assert logits.argmax(axis=1).tolist() == [0, 1]
    before, now = trunk.state_dict(), after.state_dict()
    changed = {name.split(".")[1] for name in before if not torch.equal(before[name], now[name])}
    assert changed == {"12", "weight", "bias"}  # the last block and the classifier
    assert all(torch.equal(before[n], now[n]) for n in before if "running" in n)


def test_late_blocks_of_a_trunk_go_on_where_the_early_ones_stopped() -> None:
    trunk = random_trunk()
    log_mel = torch.randn(2, 1, 96, 64)
    early = trunk.blocks[:-N_LATE](trunk.stem(log_mel))

    assert early.shape == (2, *EARLY_SHAPE)
    logits = class_logits(trunk, early.numpy().astype(np.float16))
    np.testing.assert_allclose(
        logits, trunk.class_logits(trunk(log_mel)).numpy(), rtol=0.02, atol=0.02
    )
