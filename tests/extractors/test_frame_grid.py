from fractions import Fraction

import pytest

from extractors.frame_grid import frames_on_grid, grid_index


def _at_rate(rate: Fraction, n_frames: int) -> list[tuple[Fraction, Fraction, int]]:
    return [(index / rate, 1 / rate, index) for index in range(n_frames)]


@pytest.mark.parametrize(
    ("time_s", "index"),
    [(Fraction(0), 0), (Fraction(1, 32), 1), (Fraction(1, 33), 0), (Fraction(-1, 32), 0)],
)
def test_half_a_grid_step_rounds_up(time_s: Fraction, index: int) -> None:
    assert grid_index(time_s) == index


def test_every_frame_is_shown_once_when_the_source_has_the_grids_rate() -> None:
    assert list(frames_on_grid(_at_rate(Fraction(16), 20))) == list(range(20))


def test_the_grid_opens_with_the_first_frame_when_it_comes_late() -> None:
    frames = [(Fraction(3), Fraction(1, 16), "first"), (Fraction(49, 16), Fraction(1, 16), "next")]

    assert list(frames_on_grid(frames)) == ["first", "next"]


def test_a_frame_is_held_when_the_source_pauses() -> None:
    frames = [(Fraction(0), Fraction(1, 16), "a"), (Fraction(1), Fraction(1, 16), "b")]

    assert list(frames_on_grid(frames)) == ["a"] * 16 + ["b"]


def test_the_newer_frame_wins_when_a_time_stamp_jumps_back() -> None:
    step = Fraction(1, 16)
    frames = [(Fraction(0), step, "a"), (2 * step, step, "b"), (step, step, "c")]

    assert list(frames_on_grid(frames)) == ["a", "a", "c"]


def test_a_lone_frame_of_no_duration_is_shown_once() -> None:
    assert list(frames_on_grid([(Fraction(0), Fraction(0), "only")])) == ["only"]


def test_nothing_comes_out_when_there_is_no_frame() -> None:
    assert list(frames_on_grid([])) == []
