"""Scenes are laid out by seed and settings alone."""

from itertools import pairwise

import pytest

from research.streaming.scene import EMPTY, KINDS, SceneSettings, compose

LABELS = tuple("abcdef")


@pytest.mark.parametrize("kind", KINDS)
def test_scene_is_the_same_when_seed_and_settings_are(kind: str) -> None:
    settings = SceneSettings(minutes=3, seed=4)

    scene = compose(kind, LABELS, settings)

    assert scene == compose(kind, LABELS, settings)
    assert bool(scene.events) != (kind in EMPTY)


def test_events_keep_their_distance_length_and_end() -> None:
    settings = SceneSettings(minutes=20, gap_s=(1.0, 2.0), duration_s=(0.5, 3.0))

    scene = compose("sound", LABELS, settings)

    assert len(scene.events) > 100
    for before, after in pairwise(scene.events):
        assert 0.998 < after.onset_s - before.offset_s < 2.002
    lengths = [event.offset_s - event.onset_s for event in scene.events]
    assert min(lengths) > 0.498
    assert max(lengths) < 3.002
    assert scene.events[-1].offset_s < scene.seconds == 1200.0


def test_each_label_meets_every_level_before_one_twice() -> None:
    settings = SceneSettings(minutes=60, snr_db=(20.0, 0.0))

    events = compose("both", LABELS, settings).events

    first_round = [event.label for event in events[: len(LABELS)]]
    assert sorted(first_round) == list(LABELS)
    for label in LABELS:
        levels = [event.snr_db for event in events if event.label == label]
        assert set(levels[:2]) == {20.0, 0.0}
        assert levels[0::2] == [levels[0]] * len(levels[0::2])


def test_seen_events_have_no_level_when_nothing_is_heard() -> None:
    events = compose("picture", LABELS, SceneSettings(minutes=3)).events
    assert {event.snr_db for event in events} == {None}


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="minutes"):
        SceneSettings(minutes=0)
    with pytest.raises(ValueError, match="gap_s"):
        SceneSettings(gap_s=(3.0, 1.0))
    with pytest.raises(ValueError, match="rooms_db"):
        SceneSettings(rooms_db=(-30.0, -60.0))
    with pytest.raises(ValueError, match="kind must be"):
        compose("smell", LABELS, SceneSettings())
    with pytest.raises(ValueError, match="needs labels"):
        compose("sound", (), SceneSettings())
