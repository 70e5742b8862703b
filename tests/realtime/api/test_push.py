"""`Recognizer`: what a program feeds, recognition stood in for."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from quick_recognition import quick_bundle, quick_models, use_quick_recognition
from realtime import Event, Recognizer
from realtime.errors import UsageError

DARK = np.zeros((48, 64, 3), np.uint8)
BRIGHT = np.full((48, 64, 3), 255, np.uint8)
RATE = 8000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)
    monkeypatch.setattr("realtime.api.push.load_models", lambda bundle, config: quick_models())
    monkeypatch.setattr("realtime.api.push.find_bundle", lambda name: quick_bundle())


def tone(seconds: float, level: float = 0.5) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 440.0 * times)).astype(np.float32)


def feed(
    recognizer: Recognizer,
    seconds: int,
    *,
    begin_s: float = 0.0,
    level: float = 0.5,
    picture: np.ndarray | None = DARK,
    sound: bool = True,
) -> list[Event]:
    """Feed whole seconds, in blocks of 0.1 s."""
    events: list[Event] = []
    samples = tone(0.1, level)
    for k in range(round(seconds * 10)):
        t_s = begin_s + k / 10
        if picture is not None:
            events += recognizer.feed_frame(picture, t_s)
        if sound:
            events += recognizer.feed_sound(samples, RATE, t_s)
    return events


def test_event_is_told_while_it_is_fed() -> None:
    with Recognizer() as recognizer:
        told = feed(recognizer, 3)

    assert [(event.label, event.phase, event.source) for event in told] == [
        ("Tone", "onset", "fed")
    ]


def test_finish_tells_the_offsets() -> None:
    with Recognizer(phases="all") as recognizer:
        told = feed(recognizer, 3)
        rest = recognizer.finish()

    assert told[0].phase == "onset"
    assert (rest[-1].phase, rest[-1].reason) == ("offset", "stream ended")
    assert rest[-1].offset_s == pytest.approx(3.0, abs=0.1)


def test_times_are_the_callers() -> None:
    with Recognizer(phases=["offset"]) as recognizer:
        feed(recognizer, 3, begin_s=1_000_000.0)
        (event,) = recognizer.finish()

    assert event.onset_s == pytest.approx(1_000_000.0, abs=0.3)
    assert event.offset_s == pytest.approx(1_000_003.0, abs=0.1)
    assert event.evidence is not None
    assert event.evidence.clip_end_s[-1] == pytest.approx(1_000_003.0)
    assert event.evidence.strongest_s > 1_000_000.0


def test_dates_begin_where_they_are_told_to() -> None:
    utc = datetime(2026, 1, 2, tzinfo=UTC)
    with Recognizer(start_utc=utc) as recognizer:
        (event,) = feed(recognizer, 2, begin_s=50.0)

    assert abs((event.onset_utc - utc).total_seconds()) < 0.3


def test_same_input_gives_the_same_events() -> None:
    def once() -> list[tuple[object, ...]]:
        with Recognizer(phases="all") as recognizer:
            events = feed(recognizer, 4) + recognizer.finish()
        return [(e.label, e.phase, e.onset_s, e.offset_s, e.confidence, e.top) for e in events]

    assert once() == once()


def test_next_stream_begins_after_finish() -> None:
    with Recognizer(phases="offset") as recognizer:
        feed(recognizer, 2, begin_s=100.0)
        first = recognizer.finish()
        feed(recognizer, 2, begin_s=0.0)  # its clock may go back
        second = recognizer.finish()

    assert first[0].onset_s == pytest.approx(100.0, abs=0.3)
    assert second[0].onset_s == pytest.approx(0.0, abs=0.3)
    assert first[0].id != second[0].id


def test_nothing_was_fed_and_nothing_is_told() -> None:
    with Recognizer() as recognizer:
        assert recognizer.finish() == []


def test_camera_that_died_does_not_keep_the_sound_from_being_heard() -> None:
    with Recognizer(phases="all") as recognizer:
        feed(recognizer, 3, level=0.0)
        told = feed(recognizer, 6, begin_s=3.0, picture=None)

    assert {event.label for event in told} == {"Tone"}
    assert told[-1].newest_senses == ("sound",)
    assert told[-1].evidence is not None
    assert told[-1].evidence.clip_end_s[-1] > 8.0


def test_camera_that_came_back_is_seen_again() -> None:
    with Recognizer(phases="all") as recognizer:
        feed(recognizer, 3, level=0.0)
        feed(recognizer, 6, begin_s=3.0, picture=None, level=0.0)
        told = feed(recognizer, 3, begin_s=9.0, picture=BRIGHT, level=0.0)

    assert told[0].label == "Flash"
    assert told[-1].newest_senses == ("picture", "sound")


def test_sound_may_come_in_blocks_of_a_second_and_without_a_time() -> None:
    with Recognizer(picture=False) as recognizer:
        told = recognizer.feed_sound(tone(1.0), RATE, 5.0)
        told += recognizer.feed_sound(np.stack([tone(2.0)] * 2, axis=1), RATE)

    assert [event.label for event in told] == ["Tone"]
    assert told[0].onset_s == pytest.approx(5.0, abs=0.3)


def test_hole_in_the_sound_is_lost_sound() -> None:
    with Recognizer(picture=False, phases="all") as recognizer:
        recognizer.feed_sound(tone(2.0), RATE, 0.0)
        told = recognizer.feed_sound(tone(2.0), RATE, 10.0) + recognizer.finish()

    assert told[-1].audio_gap_samples == pytest.approx(8 * 16_000, rel=0.01)


def test_pictures_alone_are_recognized() -> None:
    with Recognizer(sound=False) as recognizer:
        told = feed(recognizer, 2, picture=BRIGHT, sound=False)

    assert [event.label for event in told] == ["Flash"]


def test_last_picture_shows_until_the_stream_is_said_to_end() -> None:
    def end(t_s: float | None) -> float | None:
        with Recognizer(sound=False, phases="offset") as recognizer:
            recognizer.feed_frame(BRIGHT, 0.0)
            recognizer.feed_frame(BRIGHT, 2.0)
            (event,) = recognizer.finish(t_s)
        return event.offset_s

    assert end(3.0) == pytest.approx(3.0, abs=0.1)
    assert end(None) == pytest.approx(2.0, abs=0.3)


def test_buffer_of_a_driver_may_be_used_again() -> None:
    buffer = np.zeros((48, 64, 3), np.uint8)
    with Recognizer(sound=False) as recognizer:
        told = []
        for k in range(40):
            buffer[:] = 255
            told += recognizer.feed_frame(buffer, k / 16)
            buffer[:] = 0

    assert [event.label for event in told] == ["Flash"]


def test_no_thread_is_started() -> None:
    before = set(threading.enumerate())
    with Recognizer() as recognizer:
        feed(recognizer, 2)
        assert set(threading.enumerate()) <= before


def test_unknown_label_is_refused() -> None:
    with pytest.raises(UsageError, match="the bundle quick names no event 'Siren'"):
        Recognizer(labels=["Siren"])


def test_neither_sense_is_nothing_to_recognize() -> None:
    with pytest.raises(UsageError, match="a camera or a microphone"):
        Recognizer(picture=False, sound=False)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((4, 4), np.uint8), r"RGB uint8 \(H, W, 3\), got uint8 \(4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), "got float32"),
        (np.zeros((0, 4, 3), np.uint8), "must have pixels"),
    ],
)
def test_no_picture_is_a_value_error(picture: np.ndarray, words: str) -> None:
    with Recognizer() as recognizer, pytest.raises(ValueError, match=words):
        recognizer.feed_frame(picture, 0.0)


@pytest.mark.parametrize(
    ("samples", "rate", "t_s", "words"),
    [
        (np.zeros(100, np.int16), RATE, 0.0, r"float32 \(n,\)"),
        (np.zeros((1, 2, 3), np.float32), RATE, 0.0, r"got float32 \(1, 2, 3\)"),
        (np.zeros((4, 0), np.float32), RATE, 0.0, "must have a channel"),
        (np.zeros(100, np.float32), 10, 0.0, "sample_rate must be 1000 to 768000, got 10"),
        (np.zeros(100, np.float32), RATE, float("nan"), "a time must be finite"),
        (np.zeros(100, np.float32), RATE, None, "wants its time"),
    ],
)
def test_no_sound_is_a_value_error(
    samples: np.ndarray, rate: int, t_s: float | None, words: str
) -> None:
    with Recognizer() as recognizer, pytest.raises(ValueError, match=words):
        recognizer.feed_sound(samples, rate, t_s)


def test_sense_that_was_ruled_out_is_not_taken() -> None:
    with Recognizer(picture=False) as deaf, pytest.raises(ValueError, match="picture=False"):
        deaf.feed_frame(DARK, 0.0)
    with Recognizer(sound=False) as blind, pytest.raises(ValueError, match="sound=False"):
        blind.feed_sound(tone(0.1), RATE, 0.0)


def test_closed_recognizer_takes_nothing() -> None:
    recognizer = Recognizer()
    recognizer.close()

    with pytest.raises(ValueError, match="was closed"):
        recognizer.feed_frame(DARK, 0.0)
