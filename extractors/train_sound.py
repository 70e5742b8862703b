"""Trains the VGGish trunk as a classifier of one-second clips, then folds its batch norms away.

Place in the flow: offline; its result is a bundle's `vggish.safetensors`. It refuses to name
events: the classifier that teaches the trunk is thrown away, MAFnet reads the maps.

Every step draws from generators seeded by (seed, step), so a resumed run makes the batches that
the first would have made. The schedule runs over `--minutes` of training time, kept in the
checkpoint: on a busy machine it does fewer steps and still ends.
"""

import argparse
import dataclasses
import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.log_mel import N_MEL_FRAMES, SAMPLE_RATE, LogMel
from extractors.sound_augment import SoundAugment, mask_log_mel
from extractors.sound_corpus import BACKGROUND, SoundCorpus, block_levels, draw_clip, load_corpus
from extractors.synth_sounds import SYNTHESISED_BACKGROUND, SYNTHESISED_EVENTS
from extractors.vggish import LAYERS, VGGishTrunk

logger = logging.getLogger(__name__)

BN_EPS = 1e-3
N_EVALUATION_CLIPS = 3  # the loudest seconds of a file


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainSoundConfig:
    """Settings of one training run; they travel in its checkpoint.

    Attributes:
        minutes: Training time over which the schedule runs.
        seed: Base of every random choice.
        batch: Clips a step.
        lr: Peak learning rate.
        weight_decay: AdamW's.
        warm_up: Share of the schedule in which the learning rate rises.
        short: Share of the schedule trained on half-second pictures, at half the price.
        smoothing: Label smoothing.
        ema: Share of the averaged weights kept at each step.
        synthesised: Share of clips from `synth_sounds` events.
        nothing: Share of clips with silence, noise, hum or handling: Background.
        dropout: Of the classifier's input.
    """

    minutes: float = 50.0
    seed: int = 1
    batch: int = 48
    lr: float = 2e-3
    weight_decay: float = 0.02
    warm_up: float = 0.12
    short: float = 0.5
    smoothing: float = 0.05
    ema: float = 0.998
    synthesised: float = 0.04
    nothing: float = 0.06
    dropout: float = 0.3


class NormedTrunk(nn.Module):
    """The trunk as it is trained: the published convolutions, each with a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        for name, n_in, n_out, _ in LAYERS:
            self.add_module(name, nn.Conv2d(n_in, n_out, 3, padding=1, bias=False))
            self.add_module(f"{name}_bn", nn.BatchNorm2d(n_out, eps=BN_EPS))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Compute conv4_2; the picture may be shorter than a second here.

        Args:
            log_mel: `(B, 1, n_frames, 64)`.

        Returns:
            `(B, 512, n_frames // 8, 8)`.
        """
        x = log_mel
        for name, _, _, pooled in LAYERS:
            x = self.get_submodule(name)(x)
            x = F.relu(self.get_submodule(f"{name}_bn")(x), inplace=True)
            x = F.max_pool2d(x, 2) if pooled else x
        return x

    def folded(self) -> VGGishTrunk:
        """The same function without batch norms, at evaluation statistics.

        Returns:
            A published-shape trunk on the CPU.
        """
        trunk = VGGishTrunk().eval()
        with torch.no_grad():
            for name, *_ in LAYERS:
                conv, norm = self.get_submodule(name), self.get_submodule(f"{name}_bn")
                assert isinstance(conv, nn.Conv2d)
                assert isinstance(norm, nn.BatchNorm2d)
                assert norm.running_mean is not None
                assert norm.running_var is not None
                gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                target = trunk.convolution(name)
                target.weight.copy_(conv.weight * gain[:, None, None, None])
                assert target.bias is not None
                target.bias.copy_(norm.bias - norm.running_mean * gain)
        return trunk


class SoundClassifier(nn.Module):
    """A trunk under mean and maximum over time and one linear layer."""

    def __init__(self, trunk: nn.Module, n_labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * VGGishTrunk.dim, n_labels)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Score each label.

        Args:
            log_mel: `(B, 1, n_frames, 64)`.

        Returns:
            Logits `(B, n_labels)`.
        """
        over_mels = self.trunk(log_mel).mean(dim=3)  # (B, 512, n_frames // 8)
        pooled = torch.cat([over_mels.mean(dim=2), over_mels.amax(dim=2)], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


class ClipSource:
    """Draws augmented one-second clips, balanced over labels and sources.

    A label is drawn by the root of its number of files, then a source of it likewise, then a file.
    """

    def __init__(self, corpus: SoundCorpus, split: str, config: TrainSoundConfig) -> None:
        self.corpus = corpus
        self.config = config
        self.augment = SoundAugment()
        files = corpus.files(split)
        by_label: dict[int, dict[str, list[int]]] = {}
        for index in files:
            label = int(corpus.labels[index])
            by_label.setdefault(label, {}).setdefault(corpus.sources[index], []).append(int(index))
        weights = np.zeros(len(files))
        where = {int(index): k for k, index in enumerate(files)}
        for sources in by_label.values():
            of_label = math.sqrt(sum(map(len, sources.values())))
            roots = sum(math.sqrt(len(members)) for members in sources.values())
            for members in sources.values():
                share = of_label * math.sqrt(len(members)) / roots / len(members)
                weights[[where[m] for m in members]] = share
        self._files = files
        self._weights = weights / weights.sum()
        self._beds = files[corpus.labels[files] == corpus.names.index(BACKGROUND)]
        # Sounds that are a bed to other events, and events of their own when alone.
        ambient = tuple(
            files[corpus.labels[files] == corpus.names.index(name)]
            for name in ("Air conditioner", "Street music", "Children playing", "Rain")
            if name in corpus.names
        )
        self._ambient = tuple(pool for pool in ambient if len(pool)) or (self._beds,)
        self._synthesised = sorted(SYNTHESISED_EVENTS.keys() & set(corpus.names))

    def draw(self, n_clips: int, step: int) -> tuple[Tensor, Tensor]:
        """Draw the batch of one step.

        Args:
            n_clips: Batch size.
            step: Step number; with the seed it fixes the batch.

        Returns:
            Waveforms `(B, 16000)` and targets `(B, n_labels)`.
        """
        rng = np.random.default_rng((self.config.seed, step))
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        pairs = [self._one(rng) for _ in range(n_clips)]
        beds = np.stack([self._bed(rng) for _ in range(n_clips)])
        clips = torch.from_numpy(np.stack([clip for clip, _ in pairs]))
        targets = F.one_hot(
            torch.tensor([label for _, label in pairs]), len(self.corpus.names)
        ).float()
        return self.augment.apply(clips, targets, torch.from_numpy(beds), generator)

    def _one(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], int]:
        names = self.corpus.names
        chance = rng.random()
        if chance < self.config.nothing:
            kind = int(rng.integers(0, len(SYNTHESISED_BACKGROUND) + 1))
            if kind == len(SYNTHESISED_BACKGROUND):
                return np.zeros(SAMPLE_RATE, dtype=np.float32), names.index(BACKGROUND)
            return SYNTHESISED_BACKGROUND[kind](SAMPLE_RATE, rng), names.index(BACKGROUND)
        if self._synthesised and chance < self.config.nothing + self.config.synthesised:
            name = str(rng.choice(self._synthesised))
            wave = SYNTHESISED_EVENTS[name](SAMPLE_RATE, rng)
            return draw_clip(wave, rng, speed=0.0), names.index(name)
        index = int(rng.choice(self._files, p=self._weights))
        clip = draw_clip(self.corpus.waveform(index), rng)
        return clip, int(self.corpus.labels[index])

    def _bed(self, rng: np.random.Generator) -> NDArray[np.float32]:
        chance = rng.random()
        if chance < 0.5:
            return np.zeros(SAMPLE_RATE, dtype=np.float32)
        if chance < 0.8:
            pool = self._beds
        else:
            pool = self._ambient[int(rng.integers(0, len(self._ambient)))]
        if not len(pool):
            return np.zeros(SAMPLE_RATE, dtype=np.float32)
        return draw_clip(self.corpus.waveform(int(rng.choice(pool))), rng, cut=0.0)


def loudest_clips(corpus: SoundCorpus, index: int, n_most: int) -> NDArray[np.float32]:
    """The loudest seconds of a file that do not overlap, at an ordinary level.

    Args:
        corpus: Where the file is.
        index: Its number.
        n_most: How many seconds at most.

    Returns:
        `(n, 16000)` float32, RMS of the loud parts at 0.1; a short file is padded with zeros.
    """
    wave = corpus.waveform(index) * 0.1
    seconds = [
        np.pad(part, (0, SAMPLE_RATE - len(part)))
        for part in np.split(wave, range(SAMPLE_RATE, max(len(wave), 1), SAMPLE_RATE))
        if len(part) >= SAMPLE_RATE // 4 or len(wave) < SAMPLE_RATE
    ]
    seconds.sort(key=lambda part: -float(np.sort(block_levels(part))[-10:].mean()))
    clips: NDArray[np.float32] = np.clip(np.stack(seconds[:n_most]), -1, 1).astype(np.float32)
    return clips


@torch.inference_mode()
def file_accuracy(
    model: nn.Module, corpus: SoundCorpus, split: str
) -> tuple[float, dict[str, float]]:
    """Share of files whose mean probability over their loudest seconds names their label.

    Args:
        model: Log-mel to logits, in evaluation mode.
        corpus: The sounds.
        split: Which split.

    Returns:
        The share over all files, and per label.
    """
    log_mel = LogMel()
    files = corpus.files(split)
    clips = [loudest_clips(corpus, int(index), N_EVALUATION_CLIPS) for index in files]
    owner = np.repeat(np.arange(len(files)), [len(c) for c in clips])
    waves = torch.from_numpy(np.concatenate(clips))
    probabilities = torch.cat(
        [model(log_mel(part)).float().softmax(dim=1) for part in torch.split(waves, 64)]
    )
    summed = torch.zeros(len(files), probabilities.shape[1])
    summed.index_add_(0, torch.from_numpy(owner), probabilities)
    right = summed.argmax(dim=1).numpy() == corpus.labels[files]
    labels = corpus.labels[files]
    per_label = {
        corpus.names[label]: float(right[labels == label].mean()) for label in np.unique(labels)
    }
    return float(right.mean()), per_label


class Average:
    """An exponential moving average of a model's parameters and statistics."""

    def __init__(self, model: nn.Module, keep: float) -> None:
        self.keep = keep
        self.n_steps = 0
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model; early steps move further.

        Args:
            model: The model just stepped.
        """
        self.n_steps += 1
        keep = min(self.keep, (1 + self.n_steps) / (10 + self.n_steps))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - keep)
            else:
                self.state[name].copy_(value)


def learning_rate(progress: float, config: TrainSoundConfig) -> float:
    """Linear warm-up, then a cosine down to a hundredth.

    Args:
        progress: 0 at the start, 1 at the end.
        config: Peak and warm-up.

    Returns:
        The learning rate.
    """
    if progress < config.warm_up:
        return config.lr * (0.04 + 0.96 * progress / config.warm_up)
    down = (progress - config.warm_up) / (1 - config.warm_up)
    return config.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, down))))


def half_second(log_mel: Tensor, generator: torch.Generator) -> Tensor:
    """Cut each picture to the half of its length in which most happens, out of a few random ones.

    Args:
        log_mel: `(B, 1, 96, 64)`.
        generator: Source of the random starts.

    Returns:
        `(B, 1, 48, 64)`.
    """
    n_kept = N_MEL_FRAMES // 2
    n_clips = len(log_mel)
    starts = torch.randint(0, n_kept + 1, (n_clips, 3), generator=generator)
    loudness = log_mel.mean(dim=(1, 3)).unfold(1, n_kept, 1).mean(dim=2)  # (B, 49)
    best = starts.gather(1, loudness.gather(1, starts).argmax(dim=1, keepdim=True))
    columns = (best + torch.arange(n_kept))[:, None, :, None].expand(-1, 1, -1, log_mel.shape[3])
    return log_mel.gather(2, columns)


def train(
    corpus: SoundCorpus,
    to: Path,
    config: TrainSoundConfig,
    *,
    resume: bool = False,
    evaluate_every_s: float = 300.0,
    clock: Callable[[], float] = time.monotonic,
) -> SoundClassifier:
    """Train until the schedule's minutes are spent.

    Args:
        corpus: The sounds.
        to: Folder of the checkpoint and the results.
        config: Settings; those of the checkpoint hold where `resume` finds one.
        resume: Go on from `to/checkpoint.pt`.
        evaluate_every_s: Training seconds between looks at the validation files.
        clock: Seconds, monotonic.

    Returns:
        The averaged model, in evaluation mode.
    """
    torch.manual_seed(config.seed)
    to.mkdir(parents=True, exist_ok=True)
    checkpoint_path = to / "checkpoint.pt"
    model = SoundClassifier(NormedTrunk(), len(corpus.names), config.dropout)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(_parameter_groups(model, config), lr=config.lr)
    average = Average(model, config.ema)
    step, spent_s, n_examples = 0, 0.0, 0
    if resume and checkpoint_path.exists():
        kept: dict[str, Any] = torch.load(checkpoint_path, weights_only=True)
        config = TrainSoundConfig(**kept["config"])
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        average.state, average.n_steps = kept["average"], kept["step"]
        step, spent_s, n_examples = kept["step"], kept["spent_s"], kept["n_examples"]
    source = ClipSource(corpus, "train", config)
    log_mel = LogMel()
    evaluated_s, running = spent_s, math.nan
    budget_s = config.minutes * 60
    model.train()
    while spent_s < budget_s:
        began = clock()
        progress = spent_s / budget_s
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress, config)
        waves, targets = source.draw(config.batch, step)
        torch.manual_seed(config.seed * 7_000_003 + step)  # dropout
        generator = torch.Generator().manual_seed(config.seed * 5_000_011 + step)
        pictures = log_mel(waves)
        if progress < config.short:
            pictures = half_second(pictures, generator)
        pictures = mask_log_mel(pictures, generator).to(memory_format=torch.channels_last)
        loss = F.cross_entropy(model(pictures), targets, label_smoothing=config.smoothing)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        average.update(model)
        step, n_examples = step + 1, n_examples + config.batch
        now = float(loss.detach())
        running = now if math.isnan(running) else 0.98 * running + 0.02 * now
        spent_s += clock() - began
        if step % 100 == 0:
            logger.info(
                "step %d, %.1f of %.0f min, %d clips, loss %.3f",
                step,
                spent_s / 60,
                config.minutes,
                n_examples,
                running,
            )
        if spent_s - evaluated_s >= evaluate_every_s or spent_s >= budget_s:
            evaluated_s = spent_s
            _save(
                checkpoint_path,
                {
                    "config": dataclasses.asdict(config),
                    "labels": list(corpus.names),
                    "model": model.state_dict(),
                    "average": average.state,
                    "optimizer": optimizer.state_dict(),
                    "step": step,
                    "spent_s": spent_s,
                    "n_examples": n_examples,
                },
            )
            averaged = averaged_model(average.state, len(corpus.names))
            accuracy, _ = file_accuracy(averaged, corpus, "val")
            logger.info("step %d: validation file accuracy %.3f", step, accuracy)
    return averaged_model(average.state, len(corpus.names))


def averaged_model(state: dict[str, Tensor], n_labels: int) -> SoundClassifier:
    """A model of averaged weights, ready for inference.

    Args:
        state: `Average.state`, or a checkpoint's `average`.
        n_labels: Outputs of its classifier.

    Returns:
        The model in evaluation mode, channels last.
    """
    model = SoundClassifier(NormedTrunk(), n_labels)
    model.load_state_dict(state)
    model.eval()
    return model.to(memory_format=torch.channels_last)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("--data", type=Path, required=True, help="folder that holds sounds.csv")
    parser.add_argument("--to", type=Path, required=True, help="folder for checkpoint and trunk")
    parser.add_argument("--cache", type=Path, default=Path("runs"), help="decoded samples")
    parser.add_argument("--minutes", type=float, default=TrainSoundConfig().minutes)
    parser.add_argument("--seed", type=int, default=TrainSoundConfig().seed)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument(
        "--finish", action="store_true", help="write trunk and figures of the checkpoint, no step"
    )


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `train-sound` to a command line.

    Args:
        subparsers: Where to add it; `func` is set to `run`.
    """
    parser = subparsers.add_parser("train-sound", help="train the VGGish trunk on labelled sounds")
    add_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Train, then write `vggish.safetensors` and `figures.json`.

    Args:
        args: As declared by `add_arguments`.

    Returns:
        Exit code 0.
    """
    from safetensors.torch import save_file

    corpus = load_corpus(args.data, args.cache)
    if args.finish:
        kept = torch.load(args.to / "checkpoint.pt", weights_only=True)
        model = averaged_model(kept["average"], len(corpus.names))
        n_steps = int(kept["step"])
    else:
        config = TrainSoundConfig(minutes=args.minutes, seed=args.seed)
        model = train(corpus, args.to, config, resume=args.resume)
        n_steps = int(torch.load(args.to / "checkpoint.pt", weights_only=True)["step"])
    assert isinstance(model.trunk, NormedTrunk)
    trunk = model.trunk.folded()
    save_file(
        {name: value.half().contiguous() for name, value in trunk.state_dict().items()},
        args.to / "vggish.safetensors",
    )
    halved = VGGishTrunk()
    halved.load_state_dict({k: v.half().float() for k, v in trunk.state_dict().items()})
    model.trunk = halved  # figures are those of the file that is shipped
    model.eval()
    figures: dict[str, Any] = {"steps": n_steps}
    for split in ("val", "test"):
        accuracy, per_label = file_accuracy(model, corpus, split)
        figures[split] = {"files": round(accuracy, 4), "per_label": per_label}
        logger.info("%s: file accuracy %.3f", split, accuracy)
    (args.to / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def main() -> int:
    """Run this command alone: `python -m extractors.train_sound`.

    Returns:
        Exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


def _parameter_groups(model: nn.Module, config: TrainSoundConfig) -> list[dict[str, Any]]:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    free = [p for p in model.parameters() if p.ndim <= 1]
    return [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


def _save(path: Path, state: dict[str, Any]) -> None:
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    partial.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())
