"""Refinement: the resting block is the network's own, doubt blends sounds, only the rest learns."""

import dataclasses

import numpy as np
import torch

from mafnet.compose import ComposeConfig, FeatureBank, WindowComposer
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.refine_head import RefineConfig, RestingBlock, encode_resting, refine
from mafnet.starter_bank import join_unseen
from mafnet.window_answers import decide_windows

DIM = 6
N_EACH = 4
LABELS = ("Background", "Bark", "Siren")


def make_bank(seed: int = 0) -> FeatureBank:
    random = np.random.default_rng(seed)
    maps = np.abs(random.standard_normal((len(LABELS) * N_EACH, 512, 12, 8))).astype(np.float16)
    return FeatureBank(
        labels=LABELS,
        background="Background",
        maps=maps,
        rows={n: np.arange(k * N_EACH, (k + 1) * N_EACH) for k, n in enumerate(LABELS)},
        pictures={"Bark": [random.standard_normal((3, 2, DIM)).astype(np.float16)]},
        unrelated=[random.standard_normal((3, 2, DIM)).astype(np.float16)],
        silent=frozenset(),
    )


def make_model() -> MAFnet:
    torch.manual_seed(1)
    return MAFnet(MAFnetConfig(visual_dim=DIM, n_labels=len(LABELS))).eval()


@torch.inference_mode()
def test_codes_equal_the_networks_when_the_block_rests() -> None:
    bank, model = make_bank(), make_model()
    resting = RestingBlock(model, bank)
    windows = WindowComposer(bank, ComposeConfig(), seed=2).draw(6, step=0)
    over_rest = dataclasses.replace(windows, audio=windows.blend(resting.normed))

    wanted = model.encode_clips(windows.visual, windows.audio, windows.present)
    codes = encode_resting(model, over_rest, resting, deaf=0.0)

    # Half-precision maps between the two: what they cost is all that differs.
    heard, seen = windows.present[:, 1], windows.present[:, 0]
    torch.testing.assert_close(codes.vectors[seen, 0], wanted.vectors[seen, 0])
    torch.testing.assert_close(
        codes.vectors[heard, 1], wanted.vectors[heard, 1], atol=2e-3, rtol=2e-3
    )


def test_convolutions_stay_as_they_were_when_the_rest_is_refined() -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    refined = refine(model, make_bank(), RefineConfig(minutes=0.01, n_windows=8))

    moved = {
        name for name, value in refined.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved
    assert not any(name.startswith("filmed_block.") for name in moved)
    assert not refined.training


def test_sound_is_blended_with_another_when_windows_are_doubtful() -> None:
    bank = make_bank()
    config = ComposeConfig(doubtful=1.0, nothing=0.0, no_sound=0.0, gap=0.0)

    windows = WindowComposer(bank, config, seed=3).draw(20, step=0)

    happens = windows.clip_labels != 0
    assert bool((windows.shares[happens] < 1.0).all())
    assert bool((windows.shares[~happens] == 1.0).all())
    row = int(torch.nonzero(happens)[0])
    share = float(windows.shares[row])
    expected = share * bank.maps[int(windows.rows[row])].astype(np.float32)
    expected += (1 - share) * bank.maps[int(windows.other_rows[row])].astype(np.float32)
    np.testing.assert_allclose(windows.audio[row].numpy(), expected, atol=1e-5)


def test_unseen_sounds_are_drawn_with_their_share_when_joined() -> None:
    own, unseen = make_bank(0), make_bank(1)

    joined = join_unseen(own, unseen, share=0.75)

    rows = joined.rows["Bark"]
    assert (rows >= len(own.maps)).mean() == 0.75
    np.testing.assert_array_equal(joined.maps[rows[-1]], unseen.maps[rows[-1] - len(own.maps)])


def test_label_keeps_its_own_sounds_when_no_unseen_ones_exist() -> None:
    own, unseen = make_bank(0), make_bank(1)
    bare = dataclasses.replace(unseen, rows={**unseen.rows, "Bark": np.empty(0, np.int64)})

    joined = join_unseen(own, bare, share=0.5)

    np.testing.assert_array_equal(joined.rows["Bark"], own.rows["Bark"])


def test_alone_answers_are_one_clip_windows_when_decided_together() -> None:
    bank, model = make_bank(), make_model()
    windows = WindowComposer(bank, ComposeConfig(), seed=4).draw(5, step=0)

    with torch.inference_mode():
        _, of_clips = decide_windows(model, windows)
        alone = model(windows.visual[:, None], windows.audio[:, None], windows.present[:, None])

    torch.testing.assert_close(of_clips.probabilities, alone.probabilities, atol=1e-5, rtol=1e-4)
