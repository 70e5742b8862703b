"""Composed windows: what their labels mean, and that a seed fixes them."""

import numpy as np
import pytest
import torch

from mafnet.compose import ComposeConfig, FeatureBank, WindowComposer
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.window_answers import decide_windows

N_EACH = 6
VISUAL_DIM = 5
NEVER = {"no_picture": 0.0, "no_sound": 0.0, "gap": 0.0}


@pytest.fixture
def bank() -> FeatureBank:
    """Maps and vectors filled with the number of their label: Background 0, Bark 1, Siren 2."""
    labels = ("Background", "Bark", "Siren")
    maps = np.repeat(np.arange(3), N_EACH).astype(np.float16)[:, None, None, None]
    return FeatureBank(
        labels=labels,
        background="Background",
        maps=np.broadcast_to(maps, (3 * N_EACH, 512, 12, 8)),
        rows={name: np.arange(k * N_EACH, (k + 1) * N_EACH) for k, name in enumerate(labels)},
        pictures={"Bark": [np.full((4, 2, VISUAL_DIM), 1, dtype=np.float16)]},
        unrelated=[np.zeros((4, 2, VISUAL_DIM), dtype=np.float16)],
        silent=frozenset(),
    )


def test_clip_labels_are_what_is_heard_when_senses_disagree(bank: FeatureBank) -> None:
    composer = WindowComposer(bank, ComposeConfig(matching=0.3, contrary=0.3, **NEVER), seed=1)

    windows = composer.draw(60, step=0)

    torch.testing.assert_close(windows.audio[:, 0, 0, 0].long(), windows.clip_labels)
    seen = windows.visual.amax(dim=1) > 0.4
    quiet = windows.clip_labels == 0
    assert bool((seen & quiet).any())  # a dog that is seen and silent is Background
    assert bool((~seen & (windows.clip_labels == 1)).any())


def test_window_label_is_the_event_when_it_is_heard_in_any_clip(bank: FeatureBank) -> None:
    windows = WindowComposer(bank, ComposeConfig(**NEVER), seed=2).draw(60, step=0)

    parts = torch.split(windows.clip_labels, windows.n_clips.tolist())

    assert [int(part.max()) for part in parts] == windows.labels.tolist()


def test_windows_are_the_same_when_seed_and_step_are(bank: FeatureBank) -> None:
    first = WindowComposer(bank, ComposeConfig(), seed=3).draw(10, step=7)
    again = WindowComposer(bank, ComposeConfig(), seed=3).draw(10, step=7)
    other = WindowComposer(bank, ComposeConfig(), seed=3).draw(10, step=8)

    torch.testing.assert_close(first.audio, again.audio, atol=0, rtol=0)
    torch.testing.assert_close(first.visual, again.visual, atol=0, rtol=0)
    assert first.labels.tolist() != other.labels.tolist()


def test_picture_tells_the_label_when_there_is_no_sound(bank: FeatureBank) -> None:
    config = ComposeConfig(no_sound=1.0, no_picture=0.0, gap=0.0)

    windows = WindowComposer(bank, config, seed=4).draw(40, step=0)

    assert not bool(windows.present[:, 1].any())
    seen = (windows.visual.amax(dim=1) > 0.4).long()
    torch.testing.assert_close(seen, windows.clip_labels)  # Siren cannot be seen: never drawn


def test_every_clip_has_a_sense_when_gaps_are_many(bank: FeatureBank) -> None:
    config = ComposeConfig(no_picture=0.3, no_sound=0.3, gap=0.2)

    windows = WindowComposer(bank, config, seed=5).draw(80, step=0)

    assert bool(windows.present.any(dim=1).all())


def test_batched_answers_equal_single_ones_when_lengths_differ(bank: FeatureBank) -> None:
    torch.manual_seed(0)
    model = MAFnet(MAFnetConfig(visual_dim=VISUAL_DIM, n_labels=3)).eval()
    windows = WindowComposer(bank, ComposeConfig(), seed=6).draw(6, step=0)

    with torch.inference_mode():
        of_windows, of_clips = decide_windows(model, windows)
        end = 0
        for k, n_clips in enumerate(windows.n_clips.tolist()):
            part = slice(end, end + n_clips)
            end += n_clips
            alone = model(
                windows.visual[None, part], windows.audio[None, part], windows.present[None, part]
            )
            torch.testing.assert_close(of_windows.logits[k], alone.logits[0], atol=1e-4, rtol=1e-4)
        first = model(windows.visual[None, :1], windows.audio[None, :1], windows.present[None, :1])
        torch.testing.assert_close(of_clips.logits[0], first.logits[0], atol=1e-4, rtol=1e-4)
