import pytest
import torch
from torch import Tensor

from mafnet.labels import AVE_LABELS
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.norm import BatchNorm

B, T, D = 2, 3, 7


@pytest.fixture(scope="module")
def model() -> MAFnet:
    torch.manual_seed(0)
    return MAFnet(MAFnetConfig(visual_dim=D, n_labels=4)).eval()


@pytest.fixture(scope="module")
def features() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    visual = torch.rand(B, T, D, generator=generator)
    audio = torch.rand(B, T, 512, 12, 8, generator=generator)
    return visual, audio


def test_paper_network_has_its_number_of_values() -> None:
    values = MAFnet(MAFnetConfig()).state_dict().values()
    assert (len(values), sum(value.numel() for value in values)) == (32, 6_133_901)


def test_ave_labels_follow_the_authors_columns() -> None:
    assert len(AVE_LABELS) == 28
    assert (AVE_LABELS.index("Church bell"), AVE_LABELS.index("Truck")) == (8, 25)


@torch.inference_mode()
def test_the_papers_codes_are_the_same_to_the_last_bit_when_convolved_apart(
    model: MAFnet, features: tuple[Tensor, Tensor]
) -> None:
    visual, audio = (each.flatten(0, 1) for each in features)
    present = torch.ones(B * T, 2, dtype=torch.bool)
    convolved = model.filmed_block.convolve(audio)

    whole = model.encode_clips(visual, audio, present)
    apart = model.encode_clips(visual, audio, present, lambda _: convolved)

    for one, other in zip(whole[:4], apart[:4], strict=True):
        assert torch.equal(one, other)


@torch.inference_mode()
def test_codes_of_each_sense_alone_are_those_of_clips_without_the_other(
    model: MAFnet, features: tuple[Tensor, Tensor]
) -> None:
    visual, audio = (each.flatten(0, 1) for each in features)
    codes = model.encode_clips(visual, audio)

    alone = model.unmodulated(codes, model.filmed_block.convolve(audio))

    for sense in range(2):
        present = torch.zeros(B * T, 2, dtype=torch.bool)
        present[:, sense] = True
        masked = model.encode_clips(visual, audio, present)
        torch.testing.assert_close(alone.vectors[:, sense], masked.vectors[:, sense])
        torch.testing.assert_close(alone.scores[:, sense], masked.scores[:, sense])
    assert not torch.equal(alone.vectors[:, 1], codes.vectors[:, 1])


@torch.inference_mode()
def test_cached_clips_decide_as_the_whole_window_does(
    model: MAFnet, features: tuple[Tensor, Tensor]
) -> None:
    visual, audio = features
    whole = model(visual, audio)

    codes = [model.encode_clips(visual[:, t], audio[:, t]) for t in range(T)]
    decision = model.decide(
        torch.stack([code.vectors for code in codes], dim=1),
        torch.stack([code.scores for code in codes], dim=1),
    )

    torch.testing.assert_close(decision.logits, whole.logits, atol=1e-6, rtol=0)
    torch.testing.assert_close(decision.attention, whole.attention, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_attention_sums_to_one_over_what_is_present(
    model: MAFnet, features: tuple[Tensor, Tensor]
) -> None:
    present = torch.tensor([[[1, 0], [1, 1], [0, 1]], [[0, 1]] * 3], dtype=torch.bool)
    attention = model(*features, present).attention
    assert torch.all(attention[~present] == 0)
    torch.testing.assert_close(attention.sum(dim=(1, 2)), torch.ones(B))


@torch.inference_mode()
def test_missing_sense_is_not_looked_at_when_it_holds_nan(
    model: MAFnet, features: tuple[Tensor, Tensor]
) -> None:
    visual, audio = features
    present = torch.ones(B, T, 2, dtype=torch.bool)
    present[0, :, 0] = present[1, :, 1] = False
    spoiled_visual, spoiled_audio = visual.clone(), audio.clone()
    spoiled_visual[0], spoiled_audio[1] = torch.nan, torch.inf

    clean = model(visual, audio, present)
    spoiled = model(spoiled_visual, spoiled_audio, present)

    torch.testing.assert_close(spoiled.logits, clean.logits)
    assert torch.all(clean.film_gamma[0] == 1)
    assert torch.all(clean.film_beta[0] == 0)


@torch.inference_mode()
def test_window_without_any_sense_gives_finite_logits(
    model: MAFnet, features: tuple[Tensor, Tensor]
) -> None:
    output = model(*features, torch.zeros(B, T, 2, dtype=torch.bool))
    assert torch.all(output.attention == 0)
    assert torch.isfinite(output.logits).all()


@torch.inference_mode()
@pytest.mark.parametrize("n_clips", [1, 5])
def test_any_number_of_clips_is_a_window(model: MAFnet, n_clips: int) -> None:
    output = model(torch.rand(1, n_clips, D), torch.rand(1, n_clips, 512, 12, 8))
    assert output.attention.shape == (1, n_clips, 2)


@torch.inference_mode()
def test_temperature_scales_probabilities_and_leaves_logits(
    features: tuple[Tensor, Tensor],
) -> None:
    torch.manual_seed(0)
    model = MAFnet(
        MAFnetConfig(visual_dim=D, n_labels=4, activation="sigmoid", temperature=2.0)
    ).eval()
    output = model(*features)
    torch.testing.assert_close(output.probabilities, torch.sigmoid(output.logits / 2))


@pytest.mark.parametrize(
    ("visual", "audio", "message"),
    [
        ((B, T, D + 1), (B, T, 512, 12, 8), "visual must be"),
        ((B, D), (B, T, 512, 12, 8), "visual must be"),
        ((B, T, D), (B, T, 512, 8, 12), "audio must be"),
        ((B, T, D), (B, T + 1, 512, 12, 8), "audio must be"),
    ],
)
def test_forward_names_the_shape_when_it_does_not_fit(
    model: MAFnet, visual: tuple[int, ...], audio: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(visual), torch.zeros(audio))


def test_batch_norm_moves_averages_by_the_biased_variance() -> None:
    norm = BatchNorm(2).train()
    x = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    norm(x)
    torch.testing.assert_close(norm.running_mean, 0.001 * torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(norm.running_var, 0.999 + 0.001 * torch.tensor([1.0, 0.0]))


def test_batch_norm_ignores_rows_without_data_when_told() -> None:
    norm, masked = BatchNorm(3).train(), BatchNorm(3).train()
    x = torch.rand(5, 3, requires_grad=True)
    rows = torch.tensor([True, True, False, True, False])

    expected, got = norm(x[rows]), masked(x, rows)[rows]

    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(masked.running_var, norm.running_var)
    weights = torch.arange(9.0).reshape(3, 3)
    (by_kernel,) = torch.autograd.grad((expected * weights).sum(), x, retain_graph=True)
    (by_mask,) = torch.autograd.grad((got * weights).sum(), x)
    torch.testing.assert_close(by_mask, by_kernel, atol=1e-4, rtol=1e-3)


def test_training_step_has_finite_gradients_when_a_whole_sense_is_missing(
    features: tuple[Tensor, Tensor],
) -> None:
    model = MAFnet(MAFnetConfig(visual_dim=D, n_labels=4)).train()
    present = torch.zeros(B, T, 2, dtype=torch.bool)
    present[0, :, 1] = True
    model(*features, present).logits.square().sum().backward()
    assert all(
        parameter.grad is None or torch.isfinite(parameter.grad).all()
        for parameter in model.parameters()
    )
