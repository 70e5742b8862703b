"""What is thought of a sense by what arrives of it; the test is the clock."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.config import SourceConfig
from realtime.packets import Sense, SenseState
from realtime.sources.watch import FIRST_NS, SenseWatch

CONFIG = SourceConfig(
    name="c", kind="live", camera="0", stale_s=3.0, frozen_s=10.0, black_s=10.0, silent_s=10.0
)
FRAME_NS = 50 * NS_PER_MS
BLOCK_NS = 20 * NS_PER_MS
STILL = np.full((8, 8, 3), 90, np.uint8)


class Scene:
    """A watch, and what it is shown from second to second."""

    def __init__(self, sense: Sense, *, checks_rate: bool = False) -> None:
        self.watch = SenseWatch(sense, CONFIG, checks_rate=checks_rate)
        self.now_ns = 7 * NS_PER_S
        self.watch.begin(self.now_ns)
        self._random = np.random.default_rng(1)

    def show(self, seconds: float, image: NDArray[np.uint8] | None = None) -> bool:
        """Show pictures, noise unless told; return whether the last one was empty."""
        empty = False
        for _ in range(round(seconds * NS_PER_S / FRAME_NS)):
            self.now_ns += FRAME_NS
            shown = self._noise() if image is None else image
            self.watch.arrived(self.now_ns)
            empty = self.watch.is_empty_picture(self.now_ns, shown)
        return empty

    def play(self, seconds: float, level: float = 0.1, rate: int = 16_000) -> bool:
        """Play blocks of a device that claims 16 kHz; return whether the last one was empty."""
        empty = False
        for _ in range(round(seconds * NS_PER_S / BLOCK_NS)):
            self.now_ns += BLOCK_NS
            n = rate * BLOCK_NS // NS_PER_S
            samples = (level * self._random.normal(size=n)).astype(np.float32)
            self.watch.arrived(self.now_ns)
            empty = self.watch.is_empty_sound(self.now_ns, samples, 16_000)
        return empty

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)

    @property
    def state(self) -> SenseState:
        return self.watch.judge(self.now_ns).state

    def _noise(self) -> NDArray[np.uint8]:
        return self._random.integers(60, 120, (8, 8, 3), dtype=np.uint8)


def test_a_sense_is_well_while_its_samples_come() -> None:
    seeing, hearing = Scene(Sense.PICTURE), Scene(Sense.SOUND, checks_rate=True)

    assert not seeing.show(30)
    assert not hearing.play(30)

    assert (seeing.state, hearing.state) == (SenseState.OK, SenseState.OK)
    assert seeing.watch.is_back


@pytest.mark.parametrize("sense", list(Sense))
def test_a_device_is_opened_again_when_nothing_came_for_a_while(sense: Sense) -> None:
    scene = Scene(sense)
    scene.show(1) if sense is Sense.PICTURE else scene.play(1)
    scene.wait(2.9)
    assert scene.state is SenseState.OK
    scene.wait(0.2)

    verdict = scene.watch.judge(scene.now_ns)

    assert (verdict.state, verdict.reopen) == (SenseState.STALE, True)
    assert "for 3 s" in verdict.detail


def test_a_device_has_longer_for_its_first_sample() -> None:
    scene = Scene(Sense.PICTURE)
    scene.now_ns += FIRST_NS - 1
    assert scene.state is SenseState.OK
    scene.now_ns += 1

    assert scene.state is SenseState.STALE


def test_a_picture_that_never_changes_is_frozen_until_it_moves() -> None:
    scene = Scene(Sense.PICTURE)
    assert not scene.show(9.5, STILL)
    assert scene.state is SenseState.OK

    assert scene.show(1, STILL)
    assert scene.state is SenseState.FROZEN
    assert not scene.show(0.05)
    assert scene.state is SenseState.OK


def test_a_still_scene_is_not_frozen_when_its_sensor_has_noise() -> None:
    scene = Scene(Sense.PICTURE)
    for n in range(60):
        noisy = STILL.copy()
        noisy[n % 8, 0, 0] += n % 2
        assert not scene.show(0.5, noisy)

    assert scene.state is SenseState.OK


def test_a_picture_without_light_is_black_though_it_has_noise() -> None:
    scene = Scene(Sense.PICTURE)
    for n in range(12):
        scene.show(1, np.full((8, 8, 3), n % 5, np.uint8))
    assert scene.state is SenseState.BLACK

    lamp = np.zeros((8, 8, 3), np.uint8)
    lamp[0, 0] = 200
    assert not scene.show(0.05, lamp)
    assert scene.state is SenseState.OK


def test_zeros_are_silence_and_a_quiet_room_is_not() -> None:
    quiet, zero = Scene(Sense.SOUND), Scene(Sense.SOUND)

    assert not quiet.play(60, level=1e-5)
    assert zero.play(10.5, level=0.0)

    assert quiet.state is SenseState.OK
    assert zero.state is SenseState.SILENT
    assert not zero.play(0.02)
    assert zero.state is SenseState.OK


def test_what_is_silent_is_opened_again_once_a_spell() -> None:
    scene = Scene(Sense.SOUND)
    reopened_at_s = []
    for second in range(200):
        scene.play(1, level=0.0)
        if scene.watch.judge(scene.now_ns).reopen:
            reopened_at_s.append(second)
            scene.wait(1)
            scene.watch.begin(scene.now_ns)
    scene.play(1)
    scene.play(70, level=0.0)

    assert len(reopened_at_s) == 1
    assert 58 <= reopened_at_s[0] <= 61
    assert scene.watch.judge(scene.now_ns).reopen  # a new spell


def test_a_picture_stays_frozen_when_it_is_the_same_after_it_was_opened_again() -> None:
    scene = Scene(Sense.PICTURE)
    scene.show(20, STILL)
    scene.wait(2)
    scene.watch.begin(scene.now_ns)

    assert scene.show(0.05, STILL)
    assert scene.state is SenseState.FROZEN


@pytest.mark.parametrize("rate", [8_000, 14_700, 17_415, 48_000])
def test_a_device_is_opened_again_when_its_rate_has_changed(rate: int) -> None:
    scene = Scene(Sense.SOUND, checks_rate=True)
    scene.play(10)
    assert scene.state is SenseState.OK
    scene.play(20, rate=rate)

    verdict = scene.watch.judge(scene.now_ns)

    assert verdict.reopen
    assert "opened at 16000 Hz" in verdict.detail
    scene.watch.begin(scene.now_ns)
    assert scene.state is SenseState.OK


def test_a_rate_is_not_doubted_when_blocks_come_in_lumps_or_some_are_lost() -> None:
    scene = Scene(Sense.SOUND, checks_rate=True)
    for second in range(60):  # two seconds' worth every other second, and now and then none
        rate = 32_000 if second % 2 else 1
        scene.play(1, rate=50 if second % 17 == 0 else max(50, rate))

    assert scene.state is SenseState.OK


def test_no_device_is_blamed_when_the_program_itself_stood_still() -> None:
    scene = Scene(Sense.PICTURE)
    scene.show(1)
    scene.wait(30)
    scene.watch.forgive(30 * NS_PER_S)
    assert scene.state is SenseState.OK
    scene.wait(3.1)

    assert scene.state is SenseState.STALE


def test_nothing_is_judged_that_is_switched_off() -> None:
    config = SourceConfig(
        name="c", kind="live", camera="0", frozen_s=0.0, black_s=0.0, silent_s=0.0
    )
    watch = SenseWatch(Sense.PICTURE, config)
    black = np.zeros((8, 8, 3), np.uint8)
    for second in range(100):
        watch.arrived(second * NS_PER_S)
        assert not watch.is_empty_picture(second * NS_PER_S, black)

    assert watch.judge(99 * NS_PER_S).state is SenseState.OK


def test_a_picture_that_waits_for_its_key_frame_is_waited_for_while_its_camera_sends() -> None:
    scene = Scene(Sense.PICTURE)
    for _ in range(290):  # packets come, and none can be decoded yet
        scene.wait(1)
        scene.watch.note_life(scene.now_ns)
        assert not scene.watch.judge(scene.now_ns).reopen
    scene.wait(FIRST_NS / NS_PER_S)
    assert scene.watch.judge(scene.now_ns).reopen  # it has fallen silent

    scene.watch.begin(scene.now_ns)
    for _ in range(301):
        scene.wait(1)
        scene.watch.note_life(scene.now_ns)
    assert scene.watch.judge(scene.now_ns).detail == "no picture came for 300 s"


def test_a_source_of_lumps_may_pause_for_as_long_as_it_lags() -> None:
    scene = Scene(Sense.PICTURE)
    scene.show(5)
    scene.wait(6)

    assert scene.watch.judge(scene.now_ns).reopen
    assert not scene.watch.judge(scene.now_ns, lag_ns=4 * NS_PER_S).reopen
    scene.wait(2)
    assert scene.watch.judge(scene.now_ns, lag_ns=4 * NS_PER_S).reopen


def test_both_senses_ask_to_be_opened_again_until_it_is_done_whoever_asks_first() -> None:
    """One connection is opened again when neither sense is well: they seldom ask at once."""
    frozen, silent = Scene(Sense.PICTURE), Scene(Sense.SOUND)
    asked_at_s = []
    for second in range(1, 140):
        frozen.show(1, STILL)
        if second > 20:  # the sound dies later
            silent.play(1, level=0.0)
        else:
            silent.play(1)
        verdicts = [scene.watch.judge(scene.now_ns) for scene in (frozen, silent)]
        if all(verdict.reopen for verdict in verdicts):
            asked_at_s.append(second)
            for scene in (frozen, silent):
                scene.watch.begin(scene.now_ns)

    assert len(asked_at_s) == 1  # once a spell
    assert 79 <= asked_at_s[0] <= 82
