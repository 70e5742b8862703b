from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from research.lessons import load_heard
from research.vocabulary import Vocabulary

VOCABULARY = Vocabulary(labels=("Speech",), sound=((0,),), picture=((),), parents={})


class Twice:
    """Late blocks that double what the early ones made."""

    def maps(self, early: NDArray[np.float16]) -> NDArray[np.float16]:
        return 2 * early


def write_block(path: Path, sources: list[str]) -> None:
    n = len(sources)
    np.savez(
        path,
        early=np.arange(n, dtype=np.float16).repeat(10 * 6).reshape(n, 10, 1, 3, 2),
        short=np.zeros((n, 1), np.float16),
        long=np.zeros((n, 1), np.float16),
        heard=np.zeros((n, 10, 1), np.float16),
        empty=np.zeros(n, np.bool_),
        sources=np.array(sources),
    )


def test_windows_with_a_file_of_a_source_that_is_left_out_are_not_read(tmp_path: Path) -> None:
    write_block(tmp_path / "0000.npz", ["esc10|moodist", "moodist", ""])
    write_block(tmp_path / "0001.npz", ["recordist", "esc10"])

    everything = load_heard(tmp_path, VOCABULARY, ["Speech"], Twice())
    some = load_heard(tmp_path, VOCABULARY, ["Speech"], Twice(), frozenset({"esc10"}))

    assert len(everything.maps) == 5
    assert some.maps[:, 0, 0, 0, 0].tolist() == [2, 4, 0]
    assert len(some.short) == len(some.long) == len(some.heard) == 3
