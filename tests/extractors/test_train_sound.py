"""The training of the sound trunk, on a made-up corpus small enough for a second or two."""

from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.clip_source import ClipSource, half_second
from extractors.file_accuracy import file_accuracy
from extractors.log_mel import SAMPLE_RATE, LogMel
from extractors.normed_trunk import NormedTrunk
from extractors.sound_augment import SoundAugment, mask_log_mel
from extractors.sound_corpus import SoundCorpus, draw_clip
from extractors.sound_training import TrainSoundConfig
from extractors.train_sound import learning_rate, train
from extractors.vggish import VGGishTrunk


@pytest.fixture
def corpus() -> SoundCorpus:
    rng = np.random.default_rng(0)
    n_files = 6
    files = [
        (rng.standard_normal(20_000) * 3000).astype(np.int16)
        if k % 2
        else (3000 * np.sin(np.arange(9_000) * 0.3)).astype(np.int16)
        for k in range(n_files)
    ]
    return SoundCorpus(
        samples=np.concatenate(files),
        starts=np.cumsum([0, *map(len, files)]),
        labels=np.arange(n_files) % 2,
        names=("Background", "Bird"),
        sources=("a", "b") * 3,
        splits=("train",) * 4 + ("val",) * 2,
        groups=("g",) * n_files,
        levels=np.full(n_files, 0.09, dtype=np.float32),
    )


def test_folded_trunk_equals_the_normed_one_when_evaluating() -> None:
    torch.manual_seed(0)
    normed = NormedTrunk()
    normed.train()
    log_mel = torch.randn(2, 1, 96, 64)
    normed(log_mel)  # moves the statistics away from 0 and 1
    normed.eval()

    with torch.inference_mode():
        torch.testing.assert_close(normed.folded()(log_mel), normed(log_mel), atol=1e-4, rtol=1e-4)


def test_normed_trunk_goes_on_from_a_folded_one_when_started_from_it() -> None:
    torch.manual_seed(0)
    folded = VGGishTrunk().eval()
    log_mel = torch.randn(2, 1, 96, 64)
    normed = NormedTrunk().eval()

    normed.start_from(folded, log_mel)

    with torch.inference_mode():
        torch.testing.assert_close(normed(log_mel), folded(log_mel), atol=1e-4, rtol=1e-4)


def test_batch_is_the_same_when_seed_and_step_are(corpus: SoundCorpus) -> None:
    source = ClipSource(corpus, "train", TrainSoundConfig())

    waves, targets = source.draw(8, step=5)
    again, targets_again = source.draw(8, step=5)
    other, _ = source.draw(8, step=6)

    torch.testing.assert_close(waves, again, atol=0, rtol=0)
    torch.testing.assert_close(targets, targets_again, atol=0, rtol=0)
    assert not torch.equal(waves, other)


def test_batch_stays_in_range_and_targets_sum_to_one_when_everything_is_on(
    corpus: SoundCorpus,
) -> None:
    source = ClipSource(corpus, "train", TrainSoundConfig(nothing=0.3, synthesised=0.0))
    source.augment = SoundAugment(
        reverb=1.0, low_pass=1.0, high_pass=1.0, tilt=1.0, noise=1.0, blend=1.0
    )

    waves, targets = source.draw(16, step=0)

    assert bool(torch.isfinite(waves).all())
    assert float(waves.abs().max()) <= 1.0
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(16))


def test_clip_is_audible_when_a_file_is_mostly_silent() -> None:
    wave = np.zeros(5 * SAMPLE_RATE, dtype=np.float32)
    wave[60_000:63_000] = np.sin(np.arange(3_000))

    clips = [draw_clip(wave, np.random.default_rng(seed)) for seed in range(20)]

    assert all(np.abs(clip).max() > 0.5 for clip in clips)


def test_masking_hides_a_part_when_given_a_picture() -> None:
    log_mel = torch.randn(4, 1, 96, 64)

    masked = mask_log_mel(log_mel, torch.Generator().manual_seed(1))

    changed = (masked != log_mel).float().mean()
    assert 0 < float(changed) < 0.4


def test_half_second_keeps_the_louder_half_when_the_other_is_silent() -> None:
    log_mel = torch.full((1, 1, 96, 64), -4.6)
    log_mel[:, :, 60:] = 2.0

    halves = [half_second(log_mel, torch.Generator().manual_seed(seed)) for seed in range(10)]

    assert all(half.shape == (1, 1, 48, 64) for half in halves)
    assert sum(float(half.max()) > 0 for half in halves) >= 8


def test_learning_rate_rises_then_falls_when_training_goes_on() -> None:
    config = TrainSoundConfig()
    rates = [learning_rate(progress, config) for progress in (0.0, config.warm_up, 0.6, 1.0)]

    assert rates[0] < rates[1]
    assert rates[1] == pytest.approx(config.lr)
    assert rates[1] > rates[2] > rates[3] > 0


def test_training_goes_on_where_it_stopped_when_resumed(
    corpus: SoundCorpus, tmp_path: Path
) -> None:
    def ticking() -> float:  # each look at the clock is a quarter of a second: two looks a step
        ticking.now += 0.25  # type: ignore[attr-defined]
        return ticking.now  # type: ignore[attr-defined,no-any-return]

    def run(to: Path, minutes: float, *, resume: bool = False) -> dict[str, torch.Tensor]:
        ticking.now = 0.0  # type: ignore[attr-defined]
        # The schedule is flat, so that a shorter budget takes the same steps.
        config = TrainSoundConfig(minutes=minutes, batch=2, warm_up=1e9, short=0.0)
        train(corpus, to, config, resume=resume, evaluate_every_s=0.5, clock=ticking)
        return dict(torch.load(to / "checkpoint.pt", weights_only=True)["average"])

    run(tmp_path / "parted", 0.5 / 60)
    kept = torch.load(tmp_path / "parted/checkpoint.pt", weights_only=True)
    kept["config"]["minutes"] = 0.75 / 60
    torch.save(kept, tmp_path / "parted/checkpoint.pt")

    parted = run(tmp_path / "parted", 0.75 / 60, resume=True)
    whole = run(tmp_path / "whole", 0.75 / 60)

    for name, value in whole.items():
        torch.testing.assert_close(parted[name], value, atol=1e-4, rtol=1e-3)


def test_accuracy_counts_files_when_a_model_always_says_one_label(corpus: SoundCorpus) -> None:
    class Always(torch.nn.Module):
        def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[0.0, 5.0]]).expand(len(log_mel), 2)

    accuracy, per_label = file_accuracy(Always(), corpus, "val")

    assert accuracy == 0.5
    assert per_label == {"Background": 0.0, "Bird": 1.0}


def test_silence_reaches_the_trunk_as_silence_when_nothing_is_added() -> None:
    quiet = SoundAugment(floor_db=(-200.0, -200.0), noise=0.0, blend=0.0)
    generator = torch.Generator().manual_seed(0)
    zeros = torch.zeros(2, SAMPLE_RATE)

    waves, _ = quiet.apply(zeros, torch.ones(2, 1), zeros, generator)

    assert float(LogMel()(waves).max()) < -4.6


def test_halves_of_validation_part_no_group_and_lose_no_file() -> None:
    names = ("Background", "Bird")
    n_files = 40
    corpus = SoundCorpus(
        samples=np.zeros(n_files, np.int16),
        starts=np.arange(n_files + 1),
        labels=np.arange(n_files) % 2,
        names=names,
        sources=("a",) * n_files,
        splits=("val",) * n_files,
        groups=tuple(f"recording {k // 4}" for k in range(n_files)),
        levels=np.ones(n_files, np.float32),
    )

    fusion, settle = corpus.files("fusion"), corpus.files("settle")

    assert sorted([*fusion, *settle]) == list(range(n_files))
    assert not {corpus.groups[k] for k in fusion} & {corpus.groups[k] for k in settle}
