"""Files that are all gaps: by torn time stamps, seconds of sound last for days.

Gaps are filled, with silence or with a picture that stands, and each second that is filled costs
features. So a file of which next to nothing is there is refused.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from extractors.errors import MediaError

MOST_GAPS_S: Final = Fraction(7200)  # 2 GB of sound maps
LEAST_SHARE: Final = 10  # times what is there may always be gaps
LONG_FRAME_S: Final = Fraction(60)  # what a picture stands for longer counts as a gap


class Gaps:
    """Counts what is there and what is not; for one reading of one sense.

    Args:
        path: The file.
        what: The sense, for the sentence.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what
        self._gaps_s = self._there_s = Fraction(0)

    def note(self, gap_s: Fraction, length_s: Fraction) -> None:
        """Take note of a gap and of what comes after it, seconds.

        Raises:
            MediaError: There is next to nothing between the gaps.
        """
        self._gaps_s += gap_s
        self._there_s += length_s
        most_s = max(MOST_GAPS_S, LEAST_SHARE * self._there_s)
        if self._gaps_s > most_s:
            raise MediaError(
                f"{self._path} has {float(self._there_s):.1f} s of {self._what} in "
                f"{float(self._gaps_s / 3600):.0f} hours by its time stamps: they are torn, so "
                "cut it or write it anew"
            )
