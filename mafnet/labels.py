"""AVE's 28 event labels, in the order of the authors' targets (see `weights.ave`)."""

from weights.ave import AVE_LABELS

__all__ = ["AVE_LABELS"]
