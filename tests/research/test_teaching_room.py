"""A sound in a room: where it lies, how loud it may be, and that it is another one each time."""

import numpy as np

from extractors.log_mel import SAMPLE_RATE
from research.sound_corpus import Samples
from research.teaching_room import AROUND_S, EVENT_S, from_afar, mixed


def tone(seconds: float) -> Samples:
    t_s = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(np.sin(2 * np.pi * 440 * t_s), np.float32)


def beds() -> list[Samples]:
    rng = np.random.default_rng(1)
    return [rng.standard_normal(3 * SAMPLE_RATE).astype(np.float32)]


def test_event_lies_over_its_bed_and_the_bed_around_it() -> None:
    for seed in range(8):
        heard = mixed(tone(10), beds(), np.random.default_rng(seed))

        around = round(AROUND_S * SAMPLE_RATE)
        seconds = len(heard) / SAMPLE_RATE - 2 * AROUND_S
        assert EVENT_S[0] <= seconds <= EVENT_S[1] + 1e-4
        assert np.abs(heard).max() <= 1
        before, inside = heard[:around], heard[around:-around]
        assert 0 < np.square(before).mean() < np.square(inside).mean()


def test_same_draw_gives_the_same_mix_and_another_draw_another_one() -> None:
    first, again, other = (mixed(tone(6), beds(), np.random.default_rng(k)) for k in (0, 0, 1))

    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or not np.array_equal(first, other)


def test_short_sound_is_taken_whole() -> None:
    heard = mixed(tone(0.5), beds(), np.random.default_rng(0))

    assert len(heard) == round((0.5 + 2 * AROUND_S) * SAMPLE_RATE)


def test_what_is_far_keeps_its_length_and_begins_and_ends_in_silence() -> None:
    far = from_afar(tone(2), np.random.default_rng(3))

    assert (len(far), far.dtype) == (2 * SAMPLE_RATE, np.float32)
    assert abs(far[0]) < 1e-6
    assert abs(far[-1]) < 1e-6
