import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mafnet.evidence import EvidenceClasses
from mafnet.load import load_model
from mafnet.model import MAFnet, MAFnetConfig

CLASSES = EvidenceClasses(sound=((0, 5), (7,), (520,)), picture=((3,), (), (0, 999)))
N_LABELS, VISUAL_DIM, SOUND_MAP = 3, 20, (24, 3, 2)


def make_model(seed: int = 0) -> MAFnet:
    torch.manual_seed(seed)
    config = MAFnetConfig(
        visual_dim=VISUAL_DIM,
        n_labels=N_LABELS,
        activation="sigmoid",
        sound_map=SOUND_MAP,
        evidence=CLASSES,
    )
    return MAFnet(config).eval()


def without_correction(model: MAFnet) -> MAFnet:
    with torch.no_grad():
        model.head_norm.weight.zero_()
        model.head_norm.bias.zero_()
    return model


def draw(n_batch: int, n_clips: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    visual = torch.rand(n_batch, n_clips, VISUAL_DIM, generator=generator) * 8
    audio = torch.rand(n_batch, n_clips, *SOUND_MAP, generator=generator) * 4
    return visual, audio


def test_answer_is_the_fixed_rule_when_the_head_corrects_nothing() -> None:
    model = without_correction(make_model())
    evidence = model.evidence
    assert evidence is not None
    visual, audio = draw(4, 1)

    with torch.inference_mode():
        logits = model(visual, audio).logits
        classes = evidence.sound_classes(audio[:, 0].mean(dim=(2, 3)))
        shares = torch.softmax(evidence.picture_classes(visual[:, 0]), dim=1)

    for row in range(4):
        for label in range(N_LABELS):
            heard = max(float(classes[row, k]) for k in CLASSES.sound[label])
            share = sum(float(shares[row, k]) for k in CLASSES.picture[label])
            seen = 1.5 * max(0.0, math.log((share + 0.02) / 0.04))
            assert float(logits[row, label]) == pytest.approx(heard + seen, abs=1e-4)


def test_head_corrects_the_evidence_when_its_norm_has_a_scale() -> None:
    model = make_model()
    visual, audio = draw(2, 3)

    with torch.inference_mode():
        corrected = model(visual, audio)
        alone = without_correction(model)(visual, audio)

    assert (corrected.logits - alone.logits).abs().min() > 1e-4


def test_picture_is_no_evidence_when_it_is_missing() -> None:
    model = without_correction(make_model())
    visual, audio = draw(2, 3)
    heard_only = torch.tensor([False, True]).expand(2, 3, 2)

    with torch.inference_mode():
        logits = model(visual, audio, heard_only).logits
        other = model(visual * 3, audio, heard_only).logits

    torch.testing.assert_close(logits, other)


def test_picture_alone_has_to_outweigh_what_stands_for_sound_when_sound_is_missing() -> None:
    model = without_correction(make_model())
    assert model.evidence is not None
    visual, audio = draw(2, 3)
    seen_only = torch.tensor([True, False]).expand(2, 3, 2)

    with torch.inference_mode():
        logits = model(visual, audio, seen_only).logits

    missing = model.evidence.sound_missing
    torch.testing.assert_close(logits[:, 1], missing[1].expand(2))  # no picture class at all
    assert bool((logits >= missing - 1e-6).all())


def test_clips_of_a_sense_are_weighed_by_its_attention_when_a_window_has_several() -> None:
    model = without_correction(make_model())
    visual, audio = draw(1, 4)

    with torch.inference_mode():
        out = model(visual, audio)
        codes = model.encode_clips(visual[0], audio[0])

    assert codes.evidence is not None
    attention = out.attention[0]
    within = attention / attention.sum(dim=0)  # each sense's own
    seen = (within[:, 0, None] * codes.evidence[:, 0]).sum(dim=0)
    heard = (within[:, 1, None] * torch.sigmoid(codes.evidence[:, 1])).sum(dim=0)
    expected = seen + torch.logit(heard)
    torch.testing.assert_close(out.logits[0], expected, atol=1e-4, rtol=1e-4)


def test_silent_second_does_not_hide_a_loud_one_when_clips_are_joined() -> None:
    model = without_correction(make_model())
    assert model.evidence is not None
    evidence = torch.zeros(1, 2, 2, N_LABELS)
    evidence[0, :, 1] = torch.tensor([4.0, -60.0])[:, None]

    logits = model.evidence.fuse(evidence, torch.zeros(1, 2, 2), torch.ones(1, 2, 2).bool())

    torch.testing.assert_close(torch.sigmoid(logits), torch.full((1, 3), 0.491), atol=1e-3, rtol=0)


def test_decision_over_codes_is_the_forward_pass_when_senses_are_missing() -> None:
    model = make_model()
    visual, audio = draw(2, 4)
    present = torch.rand(2, 4, 2, generator=torch.Generator().manual_seed(2)) < 0.6

    with torch.inference_mode():
        out = model(visual, audio, present)
        codes = model.encode_clips(visual.flatten(0, 1), audio.flatten(0, 1), present.flatten(0, 1))
        assert codes.evidence is not None
        again = model.decide(
            codes.vectors.view(2, 4, 2, -1),
            codes.scores.view(2, 4, 2),
            present,
            codes.evidence.view(2, 4, 2, -1),
        )

    torch.testing.assert_close(out.logits, again.logits)


def test_answer_is_the_same_when_the_network_was_saved_and_loaded(tmp_path: Path) -> None:
    model = make_model()
    save_file(model.state_dict(), tmp_path / "head.safetensors")
    visual, audio = draw(2, 3)

    loaded = load_model(tmp_path / "head.safetensors", model.config)

    with torch.inference_mode():
        torch.testing.assert_close(loaded(visual, audio).logits, model(visual, audio).logits)


def test_decide_refuses_when_evidence_is_not_what_the_network_has() -> None:
    model = make_model()
    vectors, scores = torch.zeros(1, 2, 2, 512), torch.zeros(1, 2, 2)

    with pytest.raises(ValueError, match="evidence must be given"):
        model.decide(vectors, scores)


@pytest.mark.parametrize(
    ("sound", "picture"),
    [(((0,),), ()), (((),), ((1,),)), (((521,),), ((1,),)), (((0,),), ((1000,),))],
)
def test_classes_are_refused_when_they_cannot_be(
    sound: tuple[tuple[int, ...], ...], picture: tuple[tuple[int, ...], ...]
) -> None:
    with pytest.raises(ValueError, match=r"class|same labels"):
        EvidenceClasses(sound=sound, picture=picture)


def test_config_refuses_when_evidence_is_of_other_labels() -> None:
    with pytest.raises(ValueError, match="classes of 28 labels"):
        MAFnetConfig(evidence=CLASSES)


@pytest.mark.parametrize("sound_map", [(1024, 3, 2), (512, 12, 8), (8, 1, 1)])
def test_any_sound_map_is_taken_when_the_configuration_says_so(
    sound_map: tuple[int, int, int],
) -> None:
    model = MAFnet(MAFnetConfig(visual_dim=4, n_labels=2, sound_map=sound_map)).eval()

    with torch.inference_mode():
        out = model(torch.rand(1, 2, 4), torch.rand(1, 2, *sound_map))

    assert out.logits.shape == (1, 2)
    with pytest.raises(ValueError, match="audio must be"):
        model(torch.rand(1, 2, 4), torch.rand(1, 2, sound_map[0] + 1, *sound_map[1:]))
