"""What can go wrong with a user's files here; each message is one sentence that says what to do.

MafnetError
├── FeaturesError    a folder of features, an array file, a pickle
└── RunError         a training run's folder or checkpoint

Faulty weights are `weights.errors.WeightsError`; a wrong shape in a call is `ValueError`.
"""

from weights.printable import clean


class MafnetError(Exception):
    """The root of this package's errors.

    Args:
        sentence: What is wrong; it may quote a stranger's file and is one printable line after.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(clean(sentence))


class FeaturesError(MafnetError):
    """Features cannot be read or do not fit together."""


class RunError(MafnetError):
    """A training run's folder cannot be used."""
