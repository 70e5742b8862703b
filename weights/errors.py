"""What can go wrong with weights; each message is one sentence that says what to do.

WeightsError
├── BundleError    a bundle's folder, manifest or files
├── FetchError     a download or a local copy of one
└── ConvertError   a foreign weights file
"""


class WeightsError(Exception):
    """The root: whatever the weights room raises about files that are not its own mistakes."""


class BundleError(WeightsError):
    """A bundle cannot be used as it is."""


class FetchError(WeightsError):
    """Weights could not be brought to the store."""


class ConvertError(WeightsError):
    """A weights file is not what it was said to be; nothing was written."""
