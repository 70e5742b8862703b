"""How far a rate can be known from a count: the exact interval of a Poisson count."""

from scipy.stats import chi2


def rate_interval(count: int, exposure: float, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a rate (Garwood 1936).

    Args:
        count: Events counted.
        exposure: Over what, such as hours.
        level: Of confidence.

    Returns:
        Lowest and highest rate; of no event the rule of three at 97.5 %: 3.7 over the exposure.
    """
    tail = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count)) / 2.0
    high = float(chi2.ppf(1.0 - tail, 2 * count + 2)) / 2.0
    return low / exposure, high / exposure
