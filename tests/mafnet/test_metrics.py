import numpy as np
import pytest
from scipy import stats

from mafnet.metrics import measure, wilson_interval


@pytest.mark.parametrize(("n_right", "n"), [(0, 5), (5, 5), (281, 402)])
def test_interval_is_wilsons(n_right: int, n: int) -> None:
    wanted = stats.binomtest(n_right, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(n_right, n) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_confusions_recall_and_precision_are_counted() -> None:
    said = np.eye(3, dtype=np.float32)[[0, 0, 1, 1]]
    metrics = measure(said, np.array([0, 1, 1, 1]))
    assert metrics.accuracy == 0.75
    assert metrics.confusion.tolist() == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    np.testing.assert_allclose(metrics.recall(), [1, 2 / 3, np.nan])
    np.testing.assert_allclose(metrics.precision(), [0.5, 1, np.nan])


def test_calibration_error_is_the_gap_when_all_are_equally_sure() -> None:
    probabilities = np.tile(np.array([0.8, 0.2], np.float32), (10, 1))
    metrics = measure(probabilities, np.array([0] * 6 + [1] * 4))
    assert metrics.ece == pytest.approx(0.2, abs=1e-6)
    assert metrics.loss == pytest.approx(-(0.6 * np.log(0.8) + 0.4 * np.log(0.2)), abs=1e-6)
    assert sum(bin_.n for bin_ in metrics.bins) == 10


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="N at least 1"):
        measure(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))
