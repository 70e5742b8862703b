"""What can go wrong with teaching; each message is one sentence that says what to do."""

from mafnet.errors import MafnetError
from weights.printable import clean


class TeachError(MafnetError):
    """Nothing was taught; the bundle is as it was.

    Args:
        sentence: What was wanted, what came, what to do; printable afterwards.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(clean(sentence))
