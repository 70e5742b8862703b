"""What can go wrong with media and data sets; each message is one sentence that says what to do.

ExtractorError
├── MediaError     one video, sound or picture cannot be read
├── DataSetError   a list of files is not what it was said to be
├── StoreError     a folder of features cannot be read or written
└── OpenVinoError  OpenVINO is not installed, or cannot take a trunk
"""


class ExtractorError(Exception):
    """The root: faults of files, never of the program."""


class MediaError(ExtractorError):
    """A file cannot be decoded, or holds neither the picture nor the sound that is wanted."""


class DataSetError(ExtractorError):
    """A data set's lists or folders do not fit together."""


class StoreError(ExtractorError):
    """Features on disk do not fit what is asked of them."""


class OpenVinoError(ExtractorError):
    """OpenVINO is not installed, or cannot convert, read or run a trunk."""
