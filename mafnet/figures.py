"""A test's figures: the confusion matrix, reliability, attention over a clip's time line.

Imports matplotlib (the extra `report`), so only `mafnet.report` imports this, when it draws. The
figures carry their own canvas: no display is asked for.
"""

from pathlib import PurePosixPath

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray

from mafnet.attention import PICTURE, SOUND
from mafnet.feature_set import FeatureSet
from mafnet.test import SENSES, Examination

N_SHOWN = 12  # attention maps: at most half of them of videos named wrongly
_FRAME_POINTS = 44  # how wide a frame is drawn
_TITLES = {"both": "both senses", "sound": "sound only", "picture": "picture only"}
_COLOURS = {PICTURE: "tab:blue", SOUND: "tab:orange"}


def confusion(result: Examination) -> Figure:
    """Draw counts of what was said (columns) for what was there (rows), shaded by row."""
    counts = result.metrics["both"].confusion
    n_labels = len(counts)
    size = max(4.0, 0.28 * n_labels + 2.5)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n_labels), result.labels, rotation=90)
    axes.set_yticks(range(n_labels), result.labels)
    axes.set_xlabel("said")
    axes.set_ylabel("was there")
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        text = str(counts[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    return figure


def reliability(result: Examination) -> Figure:
    """Draw accuracy over confidence, with the number of answers in each bin."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for place, senses in enumerate(SENSES, start=1):
        metrics = result.metrics[senses]
        axes = figure.add_subplot(1, len(SENSES), place)
        filled = [bin_ for bin_ in metrics.bins if bin_.n]
        width = 1 / len(metrics.bins)
        centres = [bin_.low + width / 2 for bin_ in filled]
        axes.bar(centres, [bin_.accuracy for bin_ in filled], width * 0.9, color="lightsteelblue")
        axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
        confidences, accuracies = [b.confidence for b in filled], [b.accuracy for b in filled]
        axes.plot(confidences, accuracies, "k.", markersize=5, clip_on=False)
        for centre, bin_ in zip(centres, filled, strict=True):
            axes.text(centre, 0.02, str(bin_.n), ha="center", fontsize=6, rotation=90)
        axes.set(title=f"{_TITLES[senses]}: ECE {metrics.ece:.3f}", xlim=(0, 1), ylim=(0, 1))
        axes.set(xlabel="confidence", ylabel="accuracy")
    return figure


def attention(result: Examination, features: FeatureSet) -> Figure:
    """Draw the attention of some videos over their seconds, under their frames."""
    answers = result.answers["both"]
    said = answers.logits.argmax(axis=1)
    shown = pick(result.target, said)
    n_clips = answers.attention.shape[1]
    size = (max(6.0, 0.8 * n_clips), 1.9 * len(shown) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
    top = float(answers.attention[shown].max())  # one scale, so that videos can be compared
    for axes, video in zip(grid, shown, strict=True):
        _draw_weights(axes, answers.attention[video], features, video)
        _draw_frames(axes, features, video, top)
        is_wrong = said[video] != result.target[video]
        title = (
            f"{PurePosixPath(features.names[video]).name}: {result.labels[result.target[video]]}"
        )
        verdict = f", said {result.labels[said[video]]}" if is_wrong else ""
        axes.set_title(title + verdict, fontsize=9, color="firebrick" if is_wrong else "black")
        axes.set_xticks(range(n_clips))
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    grid[-1].set_xlabel("second")
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    return figure


def pick(target: NDArray[np.int64], said: NDArray[np.int64]) -> list[int]:
    """Choose videos to show: those named wrongly first, each kind spread over the labels.

    Args:
        target: `(N,)`, what was there.
        said: `(N,)`, what was said.

    Returns:
        At most `N_SHOWN` rows.
    """
    is_wrong = said != target
    wrong = _spread(np.flatnonzero(is_wrong), target)[: N_SHOWN // 2]
    right = _spread(np.flatnonzero(~is_wrong), target)[: N_SHOWN - len(wrong)]
    return wrong + right


def _spread(rows: NDArray[np.int64], target: NDArray[np.int64]) -> list[int]:
    # The first of every label, then the second of every label, and so on.
    n_before: dict[int, int] = {}
    ranks = []
    for row in rows.tolist():
        label = int(target[row])
        ranks.append((n_before.get(label, 0), label, row))
        n_before[label] = n_before.get(label, 0) + 1
    return [row for _, _, row in sorted(ranks)]


def _draw_weights(
    axes: Axes, weights: NDArray[np.float32], features: FeatureSet, video: int
) -> None:
    n_clips = len(weights)  # weights: (T, 2)
    seconds = np.arange(n_clips)
    for sense, name, shift in ((PICTURE, "picture", -0.2), (SOUND, "sound", 0.2)):
        colour = _COLOURS[sense]
        axes.bar(seconds + shift, weights[:, sense], 0.38, label=name, color=colour)
        if features.present is not None:
            absent = seconds[~np.asarray(features.present[video])[:, sense]]
            axes.plot(absent + shift, np.zeros(len(absent)), "x", color=colour, clip_on=False)
    axes.axhline(1 / (2 * n_clips), color="grey", linewidth=0.8, linestyle="--")


def _draw_frames(axes: Axes, features: FeatureSet, video: int, top: float) -> None:
    if features.frames is None:
        axes.set_ylim(0, top * 1.05)
        return
    axes.set_ylim(0, top * 2.0)
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= top])
    for second, frame in enumerate(features.frames[video]):
        if features.present is not None and not features.present[video][second, PICTURE]:
            continue
        image = OffsetImage(np.asarray(frame), zoom=_FRAME_POINTS / max(frame.shape[:2]))
        axes.add_artist(AnnotationBbox(image, (second, top * 1.55), frameon=False, pad=0))
