"""Learning rates of parts: what a bundle has learnt may move more slowly than what is new.

Parts are those of `mafnet.start.PARTS`; the rest, the head, keeps the run's own rate.
"""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from torch import nn

from mafnet.start import PARTS

NO_RATES: Mapping[str, float] = MappingProxyType({})


def read_rates(texts: Iterable[str]) -> dict[str, float]:
    """Read `PART=FACTOR` texts.

    Raises:
        ValueError: A part is unknown or named twice, or a factor is no number above 0.
    """
    rates: dict[str, float] = {}
    for text in texts:
        part, _, number = text.partition("=")
        try:
            factor = float(number)
        except ValueError:
            factor = math.nan
        if part not in PARTS or not 0 < factor < math.inf:
            raise ValueError(
                f"--rate wants PART=FACTOR with a part of {', '.join(PARTS)} and a factor above 0, "
                f"got {text!r}; --freeze leaves a part as it is"
            )
        if part in rates:
            raise ValueError(f"--rate names {part} twice")
        rates[part] = factor
    return rates


def by_factor(
    parameters: Iterable[tuple[str, nn.Parameter]], rates: Mapping[str, float]
) -> dict[float, list[nn.Parameter]]:
    """Group named parameters of a `MAFnet` by what their learning rate is multiplied with."""
    factor_of = {module: rates[part] for part in rates for module in PARTS[part]}
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in parameters:
        groups.setdefault(factor_of.get(name.split(".")[0], 1.0), []).append(parameter)
    return groups
