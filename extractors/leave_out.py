"""Which files a source's leaving out takes away: those of labels that another source has too.

Place in the flow: before training and evaluation. A net that names a label only in the source
that it learned it from has learned the source; leaving one out at a time shows that.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from extractors.errors import DataSetError
from extractors.sound_corpus import SoundCorpus

LEFT_OUT = "left out"  # what the split of such a file becomes


def left_out_rows(
    labels: Sequence[str], sources: Sequence[str], splits: Sequence[str], leave_out: Sequence[str]
) -> NDArray[np.bool_]:
    """Find what leaving some sources out takes away.

    Args:
        labels: Of each file.
        sources: Likewise.
        splits: Likewise.
        leave_out: Sources.

    Returns:
        `(N,)`: True for a file of such a source whose label has training files of another one.
        A label that no other source has keeps its files: without them there would be no label.

    Raises:
        DataSetError: No such source, or nothing is taken away.
    """
    unknown = sorted(set(leave_out) - set(sources))
    if unknown:
        raise DataSetError(
            f"no source {unknown[0]!r} to leave out: there are {', '.join(sorted(set(sources)))}"
        )
    elsewhere = {
        label
        for label, source, split in zip(labels, sources, splits, strict=True)
        if source not in leave_out and split == "train"
    }
    rows = np.array(
        [
            source in leave_out and label in elsewhere
            for label, source in zip(labels, sources, strict=True)
        ]
    )
    if not rows.any():
        raise DataSetError(
            f"{', '.join(leave_out)} cannot be left out: no other source has any of its labels"
        )
    return rows


def without_sources(corpus: SoundCorpus, leave_out: Sequence[str]) -> SoundCorpus:
    """Take some sources' files out of every split.

    Args:
        corpus: All sounds.
        leave_out: Sources; none changes nothing.

    Returns:
        The corpus with `LEFT_OUT` as the split of what is taken out.

    Raises:
        DataSetError: As `left_out_rows`.
    """
    if not leave_out:
        return corpus
    labels = [corpus.names[label] for label in corpus.labels]
    rows = left_out_rows(labels, corpus.sources, corpus.splits, leave_out)
    splits = tuple(LEFT_OUT if out else s for out, s in zip(rows, corpus.splits, strict=True))
    return dataclasses.replace(corpus, splits=splits)
