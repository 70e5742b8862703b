"""When a clip is complete, what it shows and hears, and what happens when a sense is late."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.buffers.audio_clock import AudioClock
from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import FrameRing
from realtime.buffers.lag import Lag
from realtime.buffers.signal import DataSignal
from realtime.clips.assembler import ClipAssembler
from realtime.clock import NS_PER_S, ManualClock, Timeline
from realtime.config import SourceConfig, WindowConfig
from realtime.load_governor import LoadLevel
from realtime.packets import CLIP_SLOTS, GRID_HZ, SAMPLE_RATE, SLOT_NS, Clip, Sense, SenseState
from realtime.stats import Stats
from realtime.threads.mailbox import Policy

SIZE = 2


class Bench:
    """A stream whose sound and pictures a test lays down by hand."""

    def __init__(
        self,
        kind: str,
        hop_s: float = 0.25,
        picture: bool = True,
        sound: bool = True,
        hold_s: float = 0.5,
        lag_s: float = 0.0,
        grid_hz: int = GRID_HZ,
        catches_up: bool = False,
    ) -> None:
        lag = Lag()
        lag.set(round(lag_s * NS_PER_S))
        self.clock = ManualClock()
        self.stats = Stats()
        self.seen: list[Clip] = []
        signal, timeline = DataSignal(), Timeline()
        timeline.start(0)
        policy = Policy.DROP_OLDEST if kind == "live" else Policy.WAIT
        self.frames = FrameRing(1000, SIZE, policy, signal, self.stats, GRID_HZ // grid_hz)
        self.sounds = AudioRing(60 * SAMPLE_RATE, policy, signal, self.stats)
        self.sounds.clock = AudioClock.exact(0)
        live = {"camera": "0", "microphone": "0"} if kind == "live" else {"media": "x"}
        self.assembler = ClipAssembler(
            SourceConfig(name="x", kind=kind, hold_s=hold_s, patience_s=0.25, **live),  # type: ignore[arg-type]
            WindowConfig(hop_s=hop_s, n_clips=10),
            timeline,
            self.frames if picture else None,
            self.sounds if sound else None,
            self.clock,
            self.stats,
            lag,
            grid_hz,
            catches_up=catches_up,
        )

    def show(self, first_slot: int, stop_slot: int) -> None:
        """Lay frames into the slots `[first_slot, stop_slot)`, each as red as its number."""
        for slot in range(first_slot, stop_slot):
            image = np.full((SIZE, SIZE, 3), slot % 256, np.uint8)
            if self.frames.wants(slot):  # an intake makes no others
                self.frames.append(slot, slot * SLOT_NS, image)
            self.frames.mark(slot)

    def hear(self, until_s: float) -> None:
        """Lay sound up to `until_s`; sample i is i / 1e6."""
        start, stop = self.sounds.end_index, round(until_s * SAMPLE_RATE)
        self.sounds.append((np.arange(start, stop) / 1e6).astype(np.float32))

    def now(self, time_s: float) -> None:
        self.clock.advance(round(time_s * NS_PER_S) - self.clock.now_ns())

    def clip(self) -> Clip | None:
        return self.assembler.poll()[0]

    def clips(self) -> list[Clip]:
        return list(iter(self.clip, None))


def test_no_clip_when_a_sense_of_a_file_has_not_come_so_far() -> None:
    bench = Bench("media")
    bench.show(0, 16)
    bench.hear(0.99)

    assert bench.clip() is None


def test_clip_has_the_newest_second_when_both_senses_passed_its_end() -> None:
    bench = Bench("media")
    bench.show(0, 20)
    bench.hear(1.25)

    first, second = bench.clips()

    assert (first.end_t_ns, second.end_t_ns) == (NS_PER_S, NS_PER_S + 4 * SLOT_NS)
    assert second.slots == tuple(range(4, 20))
    assert second.waveform is not None
    assert second.waveform[0] == pytest.approx(4000 / 1e6)
    assert len(second.waveform) == SAMPLE_RATE


@pytest.mark.parametrize("kind", ["media", "live"])
@pytest.mark.parametrize("grid_hz", [2, 4, 8])
def test_only_pictures_of_the_grid_are_handed_out_and_each_stands_till_the_next(
    kind: str, grid_hz: int
) -> None:
    bench = Bench(kind, grid_hz=grid_hz)
    bench.show(0, 48)
    bench.hear(3.0)
    bench.now(3.0)

    clips = bench.clips()

    stride = GRID_HZ // grid_hz
    handed = [frame.slot for clip in clips for frame in clip.new_frames]
    assert handed == list(range(handed[0], 48, stride))
    assert bench.assembler.grid_hz == grid_hz
    assert clips[-1].slots == tuple(slot - slot % stride for slot in range(32, 48))
    assert bench.stats.snapshot().count("skipped_frames") == 0


def test_load_never_has_more_pictures_computed_than_asked_for() -> None:
    bench = Bench("live", grid_hz=8)

    bench.assembler.set_level(LoadLevel(grid_hz=4))
    assert bench.assembler.grid_hz == 4
    bench.assembler.set_level(LoadLevel(grid_hz=8))
    assert bench.assembler.grid_hz == 8


def test_each_frame_is_handed_out_once_when_clips_overlap() -> None:
    bench = Bench("media", hop_s=1 / 16)
    bench.show(0, 48)
    bench.hear(3.0)

    handed = [frame.slot for clip in bench.clips() for frame in clip.new_frames]

    assert handed == list(range(48))


def test_clips_come_at_common_divisors_when_the_hop_does_not_divide_a_second() -> None:
    bench = Bench("media", hop_s=3 / 16)
    bench.show(0, 32)
    bench.hear(2.0)

    clips = bench.clips()

    assert [clip.end_t_ns // SLOT_NS for clip in clips] == list(range(16, 33))
    assert [clip.end_t_ns // SLOT_NS for clip in clips if clip.decide] == [16, 19, 22, 25, 28, 31]


def test_last_frame_stands_in_when_a_live_camera_pauses_for_less_than_the_hold() -> None:
    bench = Bench("live", hold_s=0.25)
    bench.show(0, 10)
    bench.hear(1.0)
    bench.now(1.3)

    clip = bench.clip()

    assert clip is not None
    assert clip.slots == (*range(10), 9, 9, 9, 9, -1, -1)


def test_picture_is_missing_when_fewer_than_half_of_its_places_have_a_frame() -> None:
    bench = Bench("live", hold_s=0.0)
    bench.show(0, 7)
    bench.hear(1.0)
    bench.now(1.3)

    clip = bench.clip()

    assert clip is not None
    assert not clip.has_picture
    assert clip.has_sound


def test_frame_stands_until_the_next_when_a_file_is_slow() -> None:
    bench = Bench("media", hold_s=0.1)
    bench.show(0, 1)
    bench.show(30, 31)
    bench.hear(2.0)

    (clip, *_) = bench.clips()

    assert clip.slots == (0,) * 16


def test_frame_stands_until_the_next_when_the_reader_of_a_file_is_far_ahead() -> None:
    bench = Bench("media", hold_s=0.1)
    bench.show(0, 1)
    bench.show(30, 31)
    bench.frames.end()
    bench.hear(2.0)

    (clip, *_) = bench.clips()

    assert clip.slots == (0,) * 16


def test_last_frame_of_a_file_is_held_no_longer_than_the_hold() -> None:
    bench = Bench("media", hold_s=0.25)
    bench.show(0, 10)
    bench.frames.end()
    bench.hear(1.0)

    (clip,) = bench.clips()

    assert clip.slots == (*range(10), 9, 9, 9, 9, -1, -1)


def test_live_clip_waits_for_a_late_sense_up_to_its_patience() -> None:
    bench = Bench("live")
    bench.hear(1.25)
    bench.now(1.2)
    assert bench.clip() is None

    bench.now(1.26)
    clip = bench.clip()

    assert clip is not None
    assert not clip.has_picture


def test_dead_sense_is_not_waited_for_again_until_it_returns() -> None:
    bench = Bench("live")
    bench.hear(1.25)
    bench.now(1.26)
    assert len(bench.clips()) == 2  # the second is not held up once more

    bench.show(0, 24)
    bench.hear(1.5)
    bench.now(1.5)
    (clip,) = bench.clips()

    assert clip.has_picture
    assert bench.assembler.states()[Sense.PICTURE] is SenseState.OK


def test_late_sense_is_waited_for_again_when_it_comes_within_the_patience() -> None:
    bench = Bench("live")
    bench.hear(1.25)
    bench.now(1.26)
    assert len(bench.clips()) == 2  # without the picture, which hung

    bench.show(0, 23)  # it goes on, a sixteenth of a second late as ever
    bench.hear(1.5)
    bench.now(1.5)
    assert bench.clip() is None
    bench.show(23, 24)
    clip = bench.clip()

    assert clip is not None
    assert clip.has_picture


def test_sense_costs_no_wait_when_it_always_comes_later_than_the_patience() -> None:
    bench = Bench("live")
    bench.show(0, 16)
    bench.hear(0.7)
    bench.now(1.25)
    assert bench.clip() is not None

    for end_s in (1.25, 1.5, 1.75):
        bench.show(round(end_s * 16) - 4, round(end_s * 16))
        bench.hear(end_s - 0.3)
        bench.now(end_s)
        clip = bench.clip()

        assert clip is not None
        assert clip.end_t_ns == round(end_s * NS_PER_S)
        assert clip.has_picture


def test_states_tell_a_stale_sense_when_its_data_stopped() -> None:
    bench = Bench("live")
    bench.hear(1.0)
    bench.now(1.26)
    bench.clip()

    states = bench.assembler.states()

    assert states == {Sense.PICTURE: SenseState.STALE, Sense.SOUND: SenseState.OK}


def test_live_stream_skips_to_the_newest_hop_when_far_behind() -> None:
    bench = Bench("live")
    bench.show(0, 16 * 10)
    bench.hear(10.0)
    bench.now(10.1)

    clip = bench.clip()

    assert clip is not None
    assert clip.end_t_ns == 10 * NS_PER_S
    assert bench.stats.snapshot().count("skipped_clips") == 36


def test_clip_after_a_skip_waits_for_a_late_sense_like_any_other() -> None:
    bench = Bench("live")
    bench.show(0, 16 * 10)
    bench.hear(9.7)
    bench.now(10.05)
    assert bench.clip() is None

    bench.hear(10.0)
    clip = bench.clip()

    assert clip is not None
    assert clip.end_t_ns == 10 * NS_PER_S
    assert clip.gap_samples == 0


def test_file_never_skips_when_far_behind() -> None:
    bench = Bench("media")
    bench.show(0, 160)
    bench.hear(10.0)
    bench.now(100.0)

    assert len(bench.clips()) == 37
    assert bench.stats.snapshot().count("skipped_clips") == 0


@pytest.mark.parametrize("missing", ["picture", "sound"])
def test_stream_of_one_sense_is_not_held_up_by_the_other(missing: str) -> None:
    bench = Bench("media", picture=missing != "picture", sound=missing != "sound")
    bench.show(0, 16)
    bench.hear(1.0)

    (clip,) = bench.clips()

    assert (clip.has_picture, clip.has_sound) == (missing != "picture", missing != "sound")


def test_short_file_gives_one_padded_clip_when_shorter_than_a_second() -> None:
    bench = Bench("media")
    bench.show(0, 5)
    bench.hear(0.3)
    bench.frames.end()
    bench.sounds.end()

    clips = bench.clips()

    assert len(clips) == 1
    assert bench.assembler.finished
    assert clips[0].waveform is not None
    assert np.count_nonzero(clips[0].waveform[4800:]) == 0


def test_empty_file_gives_no_clip() -> None:
    bench = Bench("media")
    bench.frames.end()
    bench.sounds.end()

    assert bench.clips() == []
    assert bench.assembler.finished


def test_lost_sound_is_reported_when_a_gap_lies_in_the_clip() -> None:
    bench = Bench("media")
    bench.show(0, 16)
    bench.sounds.append(np.zeros(8000, np.float32))
    bench.sounds.append(np.zeros(7000, np.float32), gap_before=1000)

    (clip,) = bench.clips()

    assert clip.has_sound
    assert clip.gap_samples == 1000


def test_sound_is_missing_when_most_of_the_clip_is_a_gap() -> None:
    bench = Bench("media")
    bench.show(0, 16)
    bench.sounds.append(np.zeros(1000, np.float32))
    bench.sounds.append(np.zeros(3000, np.float32), gap_before=12000)

    (clip,) = bench.clips()

    assert not clip.has_sound


def test_skew_tells_how_far_pictures_and_sound_lie_apart() -> None:
    bench = Bench("media")
    for slot in range(CLIP_SLOTS):
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
        bench.frames.append(slot, slot * SLOT_NS + 20_000_000, image)
    bench.frames.mark(CLIP_SLOTS)
    bench.hear(1.0)

    (clip,) = bench.clips()

    assert clip.av_skew_ms == pytest.approx(20.0)


@pytest.mark.parametrize("lag_s", [4.4, 0.0])
def test_every_clip_of_a_source_of_lumps_is_whole_when_the_stream_lags_by_one(
    lag_s: float,
) -> None:
    """Parts of 4 s, laid into the rings at their moment; without a lag most come too late."""
    bench = Bench("live", hop_s=1.0, lag_s=lag_s)
    clips: list[Clip] = []
    shown = 0
    for tenth in range(400):
        bench.now(tenth / 10)
        part_s = 4 * int(tenth / 40)  # all up to here has arrived
        played_s = max(0.0, min(float(part_s), tenth / 10 - lag_s))
        bench.show(shown, shown := int(played_s * CLIP_SLOTS))
        bench.hear(played_s)
        clips += bench.clips()

    whole = [clip for clip in clips if clip.has_picture and clip.has_sound]
    n_skipped = bench.stats.snapshot().count("skipped_clips")
    if lag_s:
        assert len(whole) == len(clips) >= 29
        assert n_skipped == 0
    else:
        assert len(whole) < len(clips) // 2


def test_a_sense_that_stays_away_costs_a_lagging_stream_its_patience_once() -> None:
    bench = Bench("live", hop_s=1.0, lag_s=2.0)
    bench.hear(20.0)
    bench.show(0, 16)
    bench.now(3.1)
    assert [clip.has_picture for clip in bench.clips()] == [True]

    bench.now(4.1)
    assert bench.clip() is None  # the second one may still get its picture
    bench.now(4.3)
    assert [clip.has_sound for clip in bench.clips()] == [True]
    bench.now(5.01)
    assert len(bench.clips()) == 1  # after the lag alone


def live_on(bench: Bench, from_s: float, until_s: float, every_slots: int, hears: bool) -> Clip:
    """Let time go on, with a frame every so many slots (0: none); return the last clip."""
    last: Clip | None = None
    for slot in range(round(from_s * CLIP_SLOTS), round(until_s * CLIP_SLOTS)):
        bench.now((slot + 1) * SLOT_NS / NS_PER_S)
        if hears:
            bench.hear((slot + 1) / CLIP_SLOTS)
        if every_slots and slot % every_slots == 0:
            bench.show(slot, slot + 1)
        clips = bench.clips()
        last = clips[-1] if clips else last
        bench.seen += clips
    assert last is not None
    return last


def test_sound_counts_as_lost_while_its_microphone_is_gone() -> None:
    bench = Bench("live")
    live_on(bench, 0.0, 5.0, 1, hears=True)
    assert bench.stats.snapshot().count("audio_gap_samples") == 0

    live_on(bench, 5.0, 10.0, 1, hears=False)
    assert 3 <= bench.stats.snapshot().count("audio_gap_samples") / SAMPLE_RATE <= 5
    live_on(bench, 10.0, 35.0, 1, hears=False)
    assert 28 <= bench.stats.snapshot().count("audio_gap_samples") / SAMPLE_RATE <= 30


@pytest.mark.parametrize("every_slots", [16, 20, 24, 32])
def test_picture_of_a_slow_camera_stands_until_its_next(every_slots: int) -> None:
    bench = Bench("live")
    live_on(bench, 0.0, 40.0, every_slots, hears=True)

    settled = [clip for clip in bench.seen if clip.end_t_ns > 10 * NS_PER_S]
    assert len(settled) > 100
    assert all(clip.has_picture for clip in settled)


def test_slow_camera_is_missed_when_it_stops() -> None:
    bench = Bench("live")
    live_on(bench, 0.0, 20.0, 32, hears=True)

    assert not live_on(bench, 20.0, 25.0, 0, hears=True).has_picture
    assert bench.assembler.states()[Sense.PICTURE] is SenseState.STALE


def test_one_stall_makes_no_camera_slow() -> None:
    bench = Bench("live")
    live_on(bench, 0.0, 5.0, 1, hears=True)
    live_on(bench, 5.0, 10.0, 0, hears=True)
    assert live_on(bench, 10.0, 12.0, 1, hears=True).has_picture

    assert not live_on(bench, 12.0, 13.5, 0, hears=True).has_picture


def test_stream_that_was_taken_over_makes_its_window_of_the_past() -> None:
    bench = Bench("live", catches_up=True)
    bench.now(12.0)
    bench.hear(2.0)
    bench.show(0, 24)
    first = bench.clips()
    bench.hear(12.0)
    bench.show(24, 12 * CLIP_SLOTS)
    clips = first + bench.clips()

    assert [clip.end_t_ns for clip in first] == [k * NS_PER_S // 4 for k in (4, 5, 6)]
    assert [clip.index for clip in clips] == list(range(45))
    assert all(clip.has_picture and clip.has_sound for clip in clips)
    assert [clip.end_t_ns > 7 * NS_PER_S for clip in clips] == [clip.decide for clip in clips]
    assert bench.stats.snapshot().count("skipped_clips") == 0


def test_past_of_one_sense_alone_is_not_waited_for() -> None:
    bench = Bench("live", catches_up=True)
    bench.now(12.0)
    bench.hear(4.0)
    clips = bench.clips()

    assert [clip.end_t_ns // NS_PER_S for clip in clips] == [1, 1, 1, 1, 2, 2, 2, 2, 3]


def test_past_that_does_not_come_is_given_up() -> None:
    bench = Bench("live", catches_up=True)
    bench.now(12.0)
    bench.hear(2.0)
    bench.show(0, 32)
    bench.clips()
    bench.now(16.0)
    bench.hear(16.0)
    bench.show(32, 16 * CLIP_SLOTS)
    clip = bench.clip()

    assert clip is not None
    assert clip.end_t_ns == 16 * NS_PER_S


def test_stream_that_begins_now_has_no_past_to_catch_up_with() -> None:
    bench = Bench("live", catches_up=True)
    bench.now(0.5)
    assert bench.clip() is None
    bench.now(3.0)
    bench.hear(3.0)
    bench.show(0, 48)
    clip = bench.clip()

    assert clip is not None
    assert clip.end_t_ns == 3 * NS_PER_S
