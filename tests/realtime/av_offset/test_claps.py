"""Claps that are generated: found, paired, measured, kept, and taken off a reader's times."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime import tapped_source as tapped_source_module
from realtime.av_offset.calibrate import ENOUGH_CLAPS, calibrate
from realtime.av_offset.claps import heard, measure, seen
from realtime.av_offset.offsets import Offsets
from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.config import SourceConfig
from realtime.errors import OutputError, SourceError, UsageError
from realtime.packets import SAMPLE_RATE, Sense
from realtime.sources import live_devices
from realtime.sources.base import Inlet, SourceSenses
from realtime.sources.factory import open_readers
from realtime.sources.opened import OpenedSource
from source_builders import make_stream

CLAPS_S = (2.0, 3.31, 4.57, 5.9, 7.23, 8.48, 9.72)
LENGTH_S = 12.0
FPS = 25
BLOCK = 320
SOURCE = SourceConfig(name="cam", kind="live", camera="0", microphone="default")


def claps_sound(loudness: float = 0.6) -> NDArray[np.float32]:
    """Return noise of a room with claps in it: a leap, then a fall over 60 ms."""
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.003, round(LENGTH_S * SAMPLE_RATE))
    fall = np.exp(-np.arange(1600) / (0.02 * SAMPLE_RATE))
    for clap_s in CLAPS_S:
        start = round(clap_s * SAMPLE_RATE)
        wave[start : start + 1600] += loudness * fall * rng.normal(0, 0.5, 1600)
    return np.clip(wave, -1, 1).astype(np.float32)


def hands_apart(t_s: float) -> float:
    """Return how far the hands are apart, 0 to 1: they meet fast at a clap and part slowly."""
    since = min((t_s - c for c in CLAPS_S if t_s >= c), default=9.0)
    until = min((c - t_s for c in CLAPS_S if c >= t_s), default=9.0)
    return min(1.0, (until / 0.12) ** 0.7 if until < 0.12 else 1.0, since / 0.5)


def picture(t_s: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    image = rng.normal(60, 2, (48, 64, 3))
    gap = round(24 * hands_apart(t_s))
    image[10:40, 32 - gap - 6 : 32 - gap] = 220
    image[10:40, 32 + gap : 32 + gap + 6] = 220
    return np.clip(image, 0, 255).astype(np.uint8)


class ClapReader:
    """Plays one sense in one step; the picture is handed over `lag_s` late."""

    def __init__(self, sense: Sense, inlet: Inlet, lag_s: float, loudness: float = 0.6) -> None:
        self.name = f"capture-{sense}"
        self.senses = SourceSenses.of([sense])
        self.played = threading.Event()
        self._sense, self._inlet, self._lag_s = sense, inlet, lag_s
        self._loudness = loudness
        self._video = inlet.video_intake()
        self._audio = inlet.audio_intake(SAMPLE_RATE, 1)

    def open(self) -> None:
        pass

    def step(self) -> bool:
        if self._sense is Sense.PICTURE:
            rng = np.random.default_rng(1)
            for k in range(round(LENGTH_S * FPS)):
                t_s = k / FPS + 0.013
                self._video.append(round((t_s + self._lag_s) * NS_PER_S), picture(t_s, rng))
        else:
            wave = claps_sound(self._loudness)
            for start in range(0, len(wave), BLOCK):
                block_ns = start * NS_PER_S // SAMPLE_RATE
                self._audio.append(wave[start : start + BLOCK], block_ns)
        self.played.set()
        return False

    def close(self) -> None:
        pass

    def describe(self) -> str:
        return "a camera" if self._sense is Sense.PICTURE else "a microphone"


class Room:
    """Stands where the devices would be opened."""

    def __init__(self, lag_s: float, loudness: float = 0.6) -> None:
        self._lag_s, self._loudness = lag_s, loudness
        self.readers: list[ClapReader] = []
        self.clock = self._Clock(self)

    def open(self, config: Any, timeline: Any, frames: Any, sounds: Any, prepare: Any,
             clock: Any, stats: Any, tap: Any = None) -> OpenedSource:  # fmt: skip
        inlet = Inlet(timeline=timeline, frames=frames, sounds=sounds, prepare=prepare, live=True,
                      clock=clock, stats=stats, tap=tap)  # fmt: skip
        self.readers = [ClapReader(s, inlet, self._lag_s, self._loudness) for s in Sense]
        return OpenedSource(
            readers=list(self.readers), senses=SourceSenses(picture=True, sound=True)
        )

    class _Clock(ManualClock):
        """Lets no time go by before both readers have played."""

        def __init__(self, room: Room) -> None:
            super().__init__(100 * NS_PER_S)
            self._room = room

        def wait(self, stop: threading.Event, timeout_ns: int) -> bool:
            for reader in self._room.readers:
                assert reader.played.wait(60)
            return super().wait(stop, timeout_ns)


@pytest.mark.parametrize("lag_ms", [-120.0, 0.0, 85.0, 240.0])
def test_the_offset_is_measured_and_kept_when_somebody_claps(
    lag_ms: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, offsets = Room(lag_ms / 1000), Offsets(tmp_path / "store")
    monkeypatch.setattr(tapped_source_module, "open_readers", room.open)
    said: list[str] = []

    found = calibrate(SOURCE, offsets, room.clock, said.append)

    print(f"lag {lag_ms} ms: {found}")
    # A frame dates its movement to half an interval of 40 ms.
    assert found.offset_ns / NS_PER_MS == pytest.approx(lag_ms, abs=20.0)
    assert found.n_claps >= ENOUGH_CLAPS
    assert offsets.of("a camera", "a microphone") == pytest.approx(found.offset_ns, abs=50_000)
    assert offsets.of("another camera", "a microphone") == 0
    assert f"clap {ENOUGH_CLAPS} times" in said[0]


def test_nothing_is_kept_when_nobody_claps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, offsets = Room(0.0, loudness=0.0), Offsets(tmp_path)
    monkeypatch.setattr(tapped_source_module, "open_readers", room.open)

    with pytest.raises(SourceError, match="the claps say nothing: 0 heard, 7 seen") as caught:
        calibrate(SOURCE, offsets, room.clock, lambda text: None)
    assert "\n" not in str(caught.value)
    assert not offsets.path.exists()


def test_both_senses_are_wanted() -> None:
    alone = SourceConfig(name="cam", kind="live", camera="0")
    with pytest.raises(UsageError, match="camera and a microphone"):
        calibrate(alone, Offsets(Path("nowhere")), ManualClock(), print)


def test_claps_are_heard_at_their_onset_and_each_once() -> None:
    found_s = np.array(heard(claps_sound())) / SAMPLE_RATE

    assert found_s == pytest.approx(CLAPS_S, abs=0.006)


def test_claps_that_disagree_are_no_measurement() -> None:
    rng = np.random.default_rng(3)
    heard_ns = [k * 2 * NS_PER_S for k in range(1, 9)]
    seen_ns = [h + round(rng.uniform(-0.5, 0.5) * NS_PER_S) for h in heard_ns]
    found = measure(heard_ns, seen_ns)

    assert found is not None
    assert not found.is_sure
    assert measure([], seen_ns) is None


def test_a_tremor_is_no_clap() -> None:
    rng = np.random.default_rng(4)
    times = np.arange(200, dtype=np.int64) * 40 * NS_PER_MS
    assert seen(times, rng.uniform(1.0, 1.4, 200)) == []


def test_offsets_survive_a_damaged_file_and_say_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    offsets = Offsets(tmp_path)
    for text in ("{", "[1]", '{"a + b": "x", "c + d": 1e9, "e + f": NaN}', "\x00"):
        offsets.path.write_text(text)
        assert offsets.of("a", "b") == offsets.of("c", "d") == offsets.of("e", "f") == 0
    assert "--calibrate writes it anew" in caplog.text
    offsets.keep("a", "b", 42_000_000)
    assert offsets.of("a", "b") == 42_000_000


def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="MAFNET_HOME"):
        Offsets(tmp_path / "file" / "store").keep("a", "b", 1)


@pytest.mark.parametrize("offset_ms", [85, -120, 0])
def test_a_live_pair_is_dated_earlier_by_what_was_measured(
    offset_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = make_stream(live=True, clock=ManualClock(10 * NS_PER_S))
    i = stream.inlet
    made: list[ClapReader] = []

    def make(sense: Sense) -> Callable[[SourceConfig, str, Inlet], ClapReader]:
        def reader(_: SourceConfig, __: str, inlet: Inlet) -> ClapReader:
            made.append(ClapReader(sense, inlet, 0.0))
            return made[-1]

        return reader

    monkeypatch.setattr(live_devices, "_make_camera", make(Sense.PICTURE))
    monkeypatch.setattr(live_devices, "_make_microphone", make(Sense.SOUND))
    asked: list[tuple[str, str]] = []

    def offset_of(*pair: str) -> int:
        asked.append(pair)  # type: ignore[arg-type]  # two of them
        return offset_ms * NS_PER_MS

    open_readers(SOURCE, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats,
                 offset_of=offset_of)  # fmt: skip
    camera, mic = made
    mic._audio.append(np.zeros(320, np.float32), 5 * NS_PER_S)
    camera._video.append(5 * NS_PER_S + NS_PER_S, np.zeros((8, 8, 3), np.uint8))
    camera._video.append(5 * NS_PER_S + 2 * NS_PER_S, np.zeros((8, 8, 3), np.uint8))
    (first, *_) = stream.frames.read(0, 1000)

    assert asked == [("a camera", "a microphone")]
    assert i.timeline.epoch_ns == 5 * NS_PER_S - max(0, -offset_ms) * NS_PER_MS
    assert first.time_ns == 6 * NS_PER_S - max(0, offset_ms) * NS_PER_MS
