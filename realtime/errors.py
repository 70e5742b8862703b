"""The error tree of the program; every message says what was wanted, what came, what to do.

RecognizerError            exit code 1: it ran and could not go on
├── UsageError             exit code 2: a flag or a config value that cannot be used
├── SourceError            a camera, microphone, file or URL cannot be opened or read
│   └── LibraryMissing     a system library or a Python package that a source needs is absent
├── ModelError             a bundle, its weights or the device to run it on
└── OutputError            a socket or folder that cannot be written

A time-out is a value (`None`), not an exception; a programmer's mistake is a `ValueError` or a
`TypeError` and is not caught anywhere.
"""


class RecognizerError(Exception):
    """Base of all errors that a user sees; `str(error)` is the one sentence to print."""

    exit_code = 1


class UsageError(RecognizerError):
    """A flag or a config value that cannot be used."""

    exit_code = 2


class SourceError(RecognizerError):
    """A source that cannot be opened or read."""


class LibraryMissing(SourceError):  # noqa: N818 - reads as the fact that it states
    """A system library or package that a source needs is not installed."""


class ModelError(RecognizerError):
    """A bundle or a computing device that cannot be used."""


class OutputError(RecognizerError):
    """An output that cannot be opened or written."""
