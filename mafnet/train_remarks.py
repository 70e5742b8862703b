"""What a training's result will suffer from, or does, a sentence each."""

from collections.abc import Iterator

from mafnet.feature_set import BACKGROUND, FeatureSet
from mafnet.run_folder import RunState
from mafnet.train_config import TrainConfig

_SETTLED_STEPS = 3000  # 0.999^3000 = 5 % of the averages' start is left


def remarks_before(
    training: FeatureSet, validation: FeatureSet, background: str | None, config: TrainConfig
) -> Iterator[str]:
    """Say what a run can go through with and a result suffers from."""
    if background is None:
        yield (
            "no label is a background, so the bundle will name one of its labels over anything: "
            f"add a label {BACKGROUND} of everything else, or say which it is with --background"
        )
    for split, features in (("train", training), ("val", validation)):
        counts = features.n_of_labels()
        none = [label for label, n in zip(features.labels, counts, strict=True) if not n]
        if none:
            yield f"{split} has no video of {', '.join(none[:5])}{'…' if len(none) > 5 else ''}"
    both = validation.shared_with(training)
    if both:
        yield (
            f"{len(both)} of {len(validation)} validation videos are training videos too (the "
            f"first: {both[0]}), so the accuracy is too high"
        )
    n_steps = config.n_epochs * (len(training) // config.batch_size)
    if config.recipe == "authors" and n_steps < _SETTLED_STEPS:
        yield (
            f"the paper's moving averages need thousands of steps to settle, this run has "
            f"{n_steps}; --recipe modern is made for short runs"
        )


def remarks_after(state: RunState) -> Iterator[str]:
    """Say what a run's result suffers from."""
    saved = state.saved
    if state.bar is not None and state.bar > saved.val_accuracy:
        yield f"an epoch before had {state.bar:.2%}; the authors' recipe never keeps the first"
    if state.unrecognised:
        advice = "more videos, or --balance where they are rare (--recipe modern)"
        yield f"{told_unrecognised(state.unrecognised, 'validation')}; {advice}"


def told_unrecognised(labels: list[str], split: str) -> str:
    """Say that labels have a recall of 0."""
    more = "…" if len(labels) > 5 else ""
    return f"no {split} video was named rightly of {', '.join(labels[:5])}{more}: the recall is 0"
