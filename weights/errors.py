"""What can go wrong with weights; each message is one sentence that says what to do.

WeightsError
├── BundleError    a bundle's folder, manifest or files
├── FetchError     a download or a local copy of one
└── ConvertError   a foreign weights file
"""

from weights.printable import clean


class WeightsError(Exception):
    """The root: whatever the weights package raises about files that are not its own mistakes.

    Args:
        sentence: What is wrong; it may quote a stranger's file and is one printable line after.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(clean(sentence))


class BundleError(WeightsError):
    """A bundle cannot be used as it is."""


class FetchError(WeightsError):
    """Weights could not be brought to the store."""


class ConvertError(WeightsError):
    """A weights file is not what it was said to be; nothing was written."""
