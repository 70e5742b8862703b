"""A test as one HTML file with its figures inside: confusions, calibration, where it looked.

Needs matplotlib (the extra `report`); draws with its Agg canvas, so no display is asked for.
"""

import base64
import html
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mafnet.errors import MafnetError
from mafnet.feature_set import FeatureSet
from mafnet.model import PICTURE, SOUND
from mafnet.test import SENSES, Examination
from weights.files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_SHOWN = 12  # attention maps: half of them of videos named wrongly
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd}
td{text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}
"""


def write_report(folder: Path, result: Examination, features: FeatureSet, title: str) -> Path:
    """Write `report.html` and the figures as PNG files beside it.

    Args:
        folder: Where to; made if it is not there.
        result: The test.
        features: What was tested; where it holds small frames, they stand over the attention.
        title: The report's heading.

    Returns:
        The path of `report.html`.

    Raises:
        MafnetError: matplotlib is missing, or the folder cannot be written.
    """
    try:
        import matplotlib as _  # noqa: F401  asked for before anything is drawn
    except ImportError as error:
        raise MafnetError("a report needs matplotlib: pip install 'mafnet-live[report]'") from error
    figures = {
        "confusion": _confusion(result),
        "reliability": _reliability(result),
        "attention": _attention(result, features),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parts = [_tables(result)]
        for name, figure in figures.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
            with written_whole(folder / f"{name}.png") as temporary:
                temporary.write_bytes(buffer.getvalue())
            encoded = base64.b64encode(buffer.getvalue()).decode()
            parts.append(
                f'<h2>{name.capitalize()}</h2><img alt="{name}" '
                f'src="data:image/png;base64,{encoded}">'
            )
        page = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}'
            f"</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>{''.join(parts)}</html>\n"
        )
        with written_whole(folder / "report.html") as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise MafnetError(f"{folder}: cannot be written ({error.strerror})") from error
    return folder / "report.html"


def _tables(result: Examination) -> str:
    rows = []
    for senses in SENSES:
        metrics = result.metrics[senses]
        low, high = metrics.interval
        rows.append(
            f"<tr><td>{senses}</td><td>{metrics.accuracy:.2%}</td><td>{low:.2%} to {high:.2%}</td>"
            f"<td>{metrics.loss:.3f}</td><td>{metrics.ece:.3f}</td></tr>"
        )
    both = result.metrics["both"]
    counts, recall, precision = both.confusion.sum(axis=1), both.recall(), both.precision()
    of_labels = "".join(
        f"<tr><td>{html.escape(label)}</td><td>{counts[k]}</td><td>{_percent(recall[k])}</td>"
        f"<td>{_percent(precision[k])}</td></tr>"
        for k, label in enumerate(result.labels)
    )
    return (
        f"<p>{both.n} videos, {len(result.labels)} labels.</p><table><tr><th>senses</th>"
        "<th>accuracy</th><th>95 % interval</th><th>loss</th><th>ECE</th></tr>"
        f"{''.join(rows)}</table><h2>Labels</h2><table><tr><th>label</th><th>videos</th>"
        f"<th>recall</th><th>precision</th></tr>{of_labels}</table>"
    )


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.0%}"


def _confusion(result: Examination) -> "Figure":
    from matplotlib.figure import Figure

    confusion = result.metrics["both"].confusion
    n_labels = len(confusion)
    size = max(4.0, 0.28 * n_labels + 2.5)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n_labels), result.labels, rotation=90)
    axes.set_yticks(range(n_labels), result.labels)
    axes.set_xlabel("said")
    axes.set_ylabel("was there")
    for row, column in zip(*np.nonzero(confusion), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        text = str(confusion[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    return figure


def _reliability(result: Examination) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for place, senses in enumerate(SENSES, start=1):
        metrics = result.metrics[senses]
        axes = figure.add_subplot(1, len(SENSES), place)
        axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
        filled = [bin_ for bin_ in metrics.bins if bin_.n]
        width = 1 / len(metrics.bins)
        axes.bar(
            [bin_.low + width / 2 for bin_ in filled], [b.accuracy for b in filled], width * 0.9
        )
        axes.plot([b.confidence for b in filled], [b.accuracy for b in filled], "k.", markersize=4)
        axes.set(title=f"{senses}: ECE {metrics.ece:.3f}", xlim=(0, 1), ylim=(0, 1))
        axes.set(xlabel="confidence", ylabel="accuracy")
    return figure


def _attention(result: Examination, features: FeatureSet) -> "Figure":
    from matplotlib.figure import Figure

    answers = result.answers["both"]
    said = answers.logits.argmax(axis=1)
    shown = _pick(said == result.target)
    n_clips = answers.attention.shape[1]
    figure = Figure(figsize=(max(6.0, 0.8 * n_clips), 1.9 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), 1, squeeze=False)
    for axes, video in zip(grid[:, 0], shown, strict=True):
        weights = answers.attention[video]  # (T, 2)
        seconds = np.arange(n_clips)
        axes.bar(seconds - 0.2, weights[:, PICTURE], 0.4, label="picture")
        axes.bar(seconds + 0.2, weights[:, SOUND], 0.4, label="sound")
        _draw_frames(axes, features, int(video), float(weights.max()))
        verdict = (
            "" if said[video] == result.target[video] else ", said " + result.labels[said[video]]
        )
        axes.set_title(
            f"{features.names[video]}: {result.labels[result.target[video]]}{verdict}", fontsize=9
        )
        axes.set_xticks(seconds)
        axes.tick_params(labelsize=7)
    grid[0, 0].legend(fontsize=7)
    grid[-1, 0].set_xlabel("second")
    return figure


def _pick(right: NDArray[np.bool_]) -> list[int]:
    wrong_ones = np.flatnonzero(~right)[: N_SHOWN // 2].tolist()
    right_ones = np.flatnonzero(right)[: N_SHOWN - len(wrong_ones)].tolist()
    return [int(video) for video in wrong_ones + right_ones]


def _draw_frames(axes: "Axes", features: FeatureSet, video: int, top: float) -> None:
    if features.frames is None:
        return
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    axes.set_ylim(0, top * 1.9)
    for second, frame in enumerate(features.frames[video]):
        image = OffsetImage(np.asarray(frame), zoom=40 / max(frame.shape[:2]))
        axes.add_artist(AnnotationBbox(image, (second, top * 1.5), frameon=False))
