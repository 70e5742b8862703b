"""What can go wrong with media and data sets; each message is one sentence that says what to do.

ExtractorError
├── MediaError     one video, sound or picture cannot be read
├── DataSetError   a list of files is not what it was said to be
├── StoreError     a folder of features cannot be read or written
├── BackendError   backend, device and precision do not go together, or are not to be had
└── OpenVinoError  OpenVINO cannot take a trunk, or computes something else
    └── OpenVinoMissingError  it is wanted and not installed
"""


class ExtractorError(Exception):
    """The root: faults of files, never of the program."""


class MediaError(ExtractorError):
    """A file cannot be decoded, or holds neither the picture nor the sound that is wanted."""


class DataSetError(ExtractorError):
    """A data set's lists or folders do not fit together."""


class StoreError(ExtractorError):
    """Features on disk do not fit what is asked of them."""


class BackendError(ExtractorError):
    """What was asked for to compute the trunks contradicts itself, or is not to be had here."""


class OpenVinoError(ExtractorError):
    """OpenVINO cannot convert, read or run a trunk, or computes something else."""


class OpenVinoMissingError(OpenVinoError):
    """OpenVINO is wanted and not installed."""


def reason_of(error: BaseException) -> str:
    """Returns what a library says of an error, in short."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0].rstrip(".")
