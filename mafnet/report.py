"""A test as one HTML file with its figures inside: confusions, calibration, where it looked.

Needs matplotlib (the extra `report`), which `mafnet.figures` draws with.
"""

import base64
import html
import io
import math
from collections.abc import Sequence
from pathlib import Path

from mafnet.errors import MafnetError
from mafnet.feature_set import FeatureSet
from mafnet.test import SENSES, Examination
from weights.files import written_whole

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd}
td{text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}
"""
_CAPTIONS = {
    "confusion": "Rows: what was there. Columns: what was said. Numbers: videos.",
    "reliability": "How often answers of a confidence are right; on the line, confidence is "
    "honest. Numbers: answers in the bin.",
    "attention": "What each second's picture and sound weigh in the answer; all bars of a video "
    "sum to 1. Videos named wrongly come first. Dashed: all weigh the same. ×: was not there.",
}


def write_report(
    folder: Path,
    result: Examination,
    features: FeatureSet,
    title: str,
    unverified: Sequence[str] = (),
) -> Path:
    """Write `report.html` and the figures as PNG files beside it.

    Args:
        folder: Where to; made if it is not there.
        result: The test.
        features: What was tested; where it holds small frames, they stand over the attention.
        title: The report's heading.
        unverified: What of the weights nobody vouches for, a sentence each.

    Returns:
        The path of `report.html`.

    Raises:
        MafnetError: matplotlib is missing, or the folder cannot be written.
    """
    try:
        import matplotlib as _  # noqa: F401  asked for before anything is drawn
    except ImportError as error:
        raise MafnetError("a report needs matplotlib: pip install 'mafnet-live[report]'") from error
    from mafnet.figures import attention, confusion, reliability

    figures = {
        "confusion": confusion(result),
        "reliability": reliability(result),
        "attention": attention(result, features),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parts = [f"<p>Not verified: {html.escape(sentence)}</p>" for sentence in unverified]
        parts.append(_tables(result))
        for name, figure in figures.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
            with written_whole(folder / f"{name}.png") as temporary:
                temporary.write_bytes(buffer.getvalue())
            encoded = base64.b64encode(buffer.getvalue()).decode()
            parts.append(
                f'<h2>{name.capitalize()}</h2><p>{_CAPTIONS[name]}</p><img alt="{name}" '
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
