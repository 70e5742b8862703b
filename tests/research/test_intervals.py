import pytest

from research.intervals import f1_interval, rate_interval


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.025, 5.572), (10, 4.795, 18.39)]
)
def test_interval_of_a_rate_is_garwoods(count: int, low: float, high: float) -> None:
    assert rate_interval(count, 1.0) == pytest.approx((low, high), abs=0.005)
    assert rate_interval(count, 2.0)[1] == pytest.approx(high / 2, abs=0.005)


def test_interval_of_f1_holds_the_whole_and_narrows_with_more_pieces() -> None:
    few = f1_interval([(1, 1, 1), (0, 1, 1)] * 5)
    many = f1_interval([(1, 1, 1), (0, 1, 1)] * 200)

    assert few[0] < many[0] < 0.5 < many[1] < few[1]
    assert f1_interval([(1, 1, 1)] * 9) == (1.0, 1.0)
    assert f1_interval([(0, 0, 0)]) == (0.0, 0.0)  # a stream of nothing in which nothing was told
