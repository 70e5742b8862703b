"""What the files' own labels say, beside what YAMNet and the teacher think.

Place in the flow: prepared windows → **says** → fine-tuning and lessons. A label whose file is
heard has a say, its wider label along. Where all files are named, what no file names is doubted:
an instrument beside another one wholly, other things only as far as the teacher doubts them too.
"""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from research.vocabulary import Vocabulary

HEARD = 0.1  # of a second's power: from here on a file's label is heard in it
TRACE = 0.02  # likewise: under it there is nothing of it
SAY = 0.8  # of a label whose file is heard
SAY_NOT = 0.5  # of one that no file in the window has
SAY_EMPTY = 0.9  # of one where nothing is
SAY_OTHER = 0.8  # of one that excludes what is heard: siblings of a group
Bools = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """Of N windows or seconds.

    Attributes:
        heard: Bool `(N, n_labels)`: a file of the label is heard, or of a narrower one.
        absent: Likewise: nothing of the label is in any file.
        excluded: Likewise: absent, and another one of its group is heard.
        is_empty: Bool `(N,)`: there is nothing of any label.
    """

    heard: Bools
    absent: Bools
    excluded: Bools
    is_empty: Bools

    def rows(self, rows: NDArray[np.int64]) -> "Says":
        """Return some."""
        return Says(**{f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self)})

    def join(self, thought: Tensor, say: float = SAY) -> Tensor:
        """Join them with what others think, probabilities `(N, n_labels)`."""
        heard, absent, excluded, empty = (
            torch.from_numpy(each)
            for each in (self.heard, self.absent, self.excluded, self.is_empty)
        )
        doubt = torch.where(empty, SAY_EMPTY, SAY_NOT)[:, None] * (1 - thought) * absent
        doubt = torch.where(excluded, SAY_OTHER, doubt)
        joined = thought * (1 - doubt)
        return torch.where(heard, joined * (1 - say) + say, joined)


def says_of(heard: Bools, traces: Bools, is_named: Bools, is_empty: Bools, v: Vocabulary) -> Says:
    """Work out what files say.

    Args:
        heard: Bool `(N, n_labels)`: labels of which a file is heard.
        traces: Likewise: of which anything may be heard.
        is_named: Bool `(N,)`: all that is in it has a label.
        is_empty: Bool `(N,)`.
        v: The vocabulary.
    """
    wider, absent = heard.copy(), ~traces & is_named[:, None]
    of = {name: k for k, name in enumerate(v.labels)}
    excluded = np.zeros_like(heard)
    for child, parent in v.parents.items():
        siblings = [of[each] for each, own in v.parents.items() if own == parent and each != child]
        wider[:, of[parent]] |= heard[:, of[child]]
        absent[:, of[parent]] &= ~traces[:, of[child]]
        absent[:, of[child]] &= ~traces[:, of[parent]]  # a band may be of flutes
        excluded[:, of[child]] = np.any(heard[:, siblings], axis=1)
    absent &= ~wider
    return Says(heard=wider, absent=absent, excluded=excluded & absent, is_empty=is_empty)
