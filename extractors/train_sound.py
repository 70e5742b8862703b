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
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from extractors.clip_source import ClipSource, half_second
from extractors.errors import ExtractorError
from extractors.file_accuracy import file_accuracy, files_right, right_by_source, share_right
from extractors.leave_out import LEFT_OUT, without_sources
from extractors.log_mel import LogMel
from extractors.normed_trunk import NormedTrunk, SoundClassifier, averaged_model
from extractors.sound import load_sound_trunk
from extractors.sound_augment import mask_log_mel
from extractors.sound_corpus import SoundCorpus, load_corpus
from extractors.sound_training import TrainSoundConfig
from extractors.vggish import VGGishTrunk
from extractors.voice_source import VoiceSource
from weights.paths import to_path

logger = logging.getLogger(__name__)


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


def train(
    corpus: SoundCorpus,
    to: Path,
    config: TrainSoundConfig,
    *,
    resume: bool = False,
    start: Path | None = None,
    evaluate_every_s: float = 300.0,
    clock: Callable[[], float] = time.monotonic,
) -> SoundClassifier:
    """Train until the schedule's minutes are spent.

    Args:
        corpus: The sounds.
        to: Folder of the checkpoint and the results.
        config: Settings; those of the checkpoint hold where `resume` finds one, but for more
            `minutes`.
        resume: Go on from `to/checkpoint.pt`.
        start: Trunk weights to begin with (safetensors) where there is no checkpoint to resume.
        evaluate_every_s: Training seconds between looks at the validation files.
        clock: Seconds, monotonic.

    Returns:
        The averaged model, in evaluation mode.
    """
    to.mkdir(parents=True, exist_ok=True)
    checkpoint_path = to / "checkpoint.pt"
    kept: dict[str, Any] | None = None
    if resume and checkpoint_path.exists():
        kept = torch.load(checkpoint_path, weights_only=True)
        config = dataclasses.replace(
            TrainSoundConfig(**kept["config"]),
            minutes=max(config.minutes, kept["config"]["minutes"]),
        )
    torch.manual_seed(config.seed)
    model = SoundClassifier(NormedTrunk(), len(corpus.names), config.dropout)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(_parameter_groups(model, config), lr=config.lr)
    source = ClipSource(corpus, "train", config)
    n_voices = round(config.voices * config.batch)
    voices = VoiceSource(corpus, "train", config)
    if n_voices and not voices.speaks:
        raise ExtractorError("--voices wants speech and crowds in the table; leave it out")
    log_mel = LogMel()
    if start is not None and kept is None:
        _start_from(model, start, log_mel(source.draw(4 * config.batch, 0)[0]))
    average = Average(model, config.ema)
    step, spent_s, n_examples = 0, 0.0, 0
    if kept is not None:
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        average.state, average.n_steps = kept["average"], kept["step"]
        step, spent_s, n_examples = kept["step"], kept["spent_s"], kept["n_examples"]
    evaluated_s, running = spent_s, math.nan
    budget_s = config.minutes * 60
    model.train()
    while spent_s < budget_s:
        began = clock()
        progress = spent_s / budget_s
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress, config)
        waves, targets = source.draw(config.batch - n_voices, step)
        if n_voices:
            spoken, voice_targets = voices.draw(n_voices, step)
            waves, targets = torch.cat([waves, spoken]), torch.cat([targets, voice_targets])
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("--data", type=to_path, required=True, help="folder that holds sounds.csv")
    parser.add_argument("--to", type=to_path, required=True, help="folder for checkpoint and trunk")
    parser.add_argument("--cache", type=to_path, default=Path("runs"), help="decoded samples")
    parser.add_argument("--minutes", type=float, default=TrainSoundConfig().minutes)
    parser.add_argument("--seed", type=int, default=TrainSoundConfig().seed)
    parser.add_argument("--lr", type=float, default=TrainSoundConfig().lr, help="its peak")
    parser.add_argument(
        "--short",
        type=float,
        default=TrainSoundConfig().short,
        help="share of the schedule on half-second pictures",
    )
    parser.add_argument(
        "--voices",
        type=float,
        default=TrainSoundConfig().voices,
        help="share of clips with speech over a crowd (default: none)",
    )
    parser.add_argument(
        "--places",
        type=float,
        default=TrainSoundConfig().places,
        help="share of clips with recorded backgrounds and pauses of recordings (default: none)",
    )
    parser.add_argument("--start", type=to_path, help="trunk weights to begin with (safetensors)")
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="learn nothing from these sources' files of labels that others have too, and say "
        "how many of them are named right",
    )
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

    Raises:
        DataSetError: A source that cannot be left out.
    """
    from safetensors.torch import save_file

    everything = load_corpus(args.data, args.cache)
    corpus = without_sources(everything, args.leave_out)
    if args.finish:
        kept = torch.load(args.to / "checkpoint.pt", weights_only=True)
        model = averaged_model(kept["average"], len(corpus.names))
        n_steps = int(kept["step"])
    else:
        config = TrainSoundConfig(
            minutes=args.minutes,
            seed=args.seed,
            lr=args.lr,
            short=args.short,
            voices=args.voices,
            places=args.places,
        )
        model = train(corpus, args.to, config, resume=args.resume, start=args.start)
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
    asked = np.flatnonzero(np.array(corpus.splits) != "train")
    right = np.zeros(len(corpus.splits), dtype=np.bool_)
    right[asked] = files_right(model, corpus, asked)
    figures: dict[str, Any] = {"steps": n_steps}
    for split in ("val", "test"):
        files = corpus.files(split)
        accuracy, per_label = share_right(corpus, files, right[files])
        figures[split] = {"files": round(accuracy, 4), "per_label": per_label}
        logger.info("%s: file accuracy %.3f", split, accuracy)
    # The test files of all sources, to be set beside a training with them; of a source that was
    # left out all files, whatever their split, since none was learned from.
    files = everything.files("test")
    figures["test by source"] = right_by_source(corpus, files, right[files])
    if args.leave_out:
        files = corpus.files(LEFT_OUT)
        figures["left out"] = right_by_source(corpus, files, right[files])
        logger.info("named right of what was left out: %s", json.dumps(figures["left out"]))
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


def _start_from(model: SoundClassifier, path: Path, log_mel: Tensor) -> None:
    assert isinstance(model.trunk, NormedTrunk)
    model.trunk.start_from(cast(VGGishTrunk, load_sound_trunk("vggish", path)), log_mel)


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
