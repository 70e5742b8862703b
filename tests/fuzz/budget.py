"""How long a fuzz test draws inputs, and what it did: always the same inputs, as many as fit.

`FUZZ_S=600 python -m pytest -m fuzz tests/fuzz/test_fuzz_weights.py -s` draws for ten minutes a
test; without it a few seconds, as `make fuzz` does.
"""

from __future__ import annotations

import itertools
import os
import random
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

FUZZ_S = float(os.environ.get("FUZZ_S", "5"))
TIMEOUT_S = 300 + FUZZ_S * 4  # for `pytest.mark.timeout`


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass
class Budget:
    """One test's inputs: iterate for a source of randomness each, until the time is up.

    Attributes:
        name: What the printed line begins with.
        n_inputs: Drawn so far.
        grown_mb: By how much the process's peak of resident memory has grown since the start.
    """

    name: str
    seconds: float = FUZZ_S
    n_inputs: int = 0
    start_mb: float = field(default_factory=_peak_mb)

    def __iter__(self) -> Iterator[random.Random]:
        """Draw until the time is up, and print the line that sums it up."""
        begun = time.monotonic()
        for seed in itertools.count():
            if time.monotonic() - begun >= self.seconds:
                break
            yield random.Random(seed)
            self.n_inputs += 1
        print(f"{self.name}: {self.n_inputs} inputs, peak memory grew by {self.grown_mb:.0f} MB")

    @property
    def grown_mb(self) -> float:
        """By how much the process's peak of resident memory has grown since the start."""
        return _peak_mb() - self.start_mb


def damaged(content: bytes, random_source: random.Random) -> bytes:
    """Damage bytes in one to six ways: flipped, cut, dropped, repeated, overwritten, numbers."""
    raw = bytearray(content)
    for _ in range(random_source.randint(1, 6)):
        if not raw:
            break
        at = random_source.randrange(len(raw))
        n = min(random_source.choice((1, 1, 2, 4, 8, 64, 1000)), len(raw) - at)
        match random_source.randrange(7):
            case 0:
                raw[at] ^= 1 << random_source.randrange(8)
            case 1:
                raw[at : at + n] = random_source.randbytes(n)
            case 2:
                del raw[at : at + n]
            case 3:
                raw[at:at] = raw[at : at + n] * random_source.randint(1, 50)
            case 4:
                del raw[at:]
            case 5:
                raw[at : at + n] = random_source.choice((b"\0", b"\xff", b"\x7f")) * n
            case _:
                size = random_source.choice((4, 8))
                value = random_source.choice((2**31 - 1, 2**32 - 1, 2**16, 2**28, 1))
                raw[at : at + size] = value.to_bytes(size, "little")
    return bytes(raw)


def spliced(one: bytes, other: bytes, random_source: random.Random) -> bytes:
    """Join the beginning of one to the rest of another."""
    return (
        one[: random_source.randrange(len(one) + 1)]
        + other[random_source.randrange(len(other) + 1) :]
    )
