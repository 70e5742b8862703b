"""Recordings joined as `cat` joins them: both senses move by the same at each join."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime.config import SourceConfig
from realtime.sources.factory import open_readers
from source_builders import Stream, make_stream, read_to_end
from stamped_media import joined, write_stamped

DARK, BRIGHT = 20, 190
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
MOST_LAG_S = 0.11  # a place of the grid, and an encoder's delay
DRIFT_S = 0.07  # a place of the grid


def part(
    path: Path,
    *,
    late_s: float = 0.4,
    seconds: float = 3.0,
    more_sound_s: float = 0.0,
    at_s: float = 1.5,
    **settings: object,
) -> Path:
    """Write a recording whose pictures begin late, with a flash and a tone at once."""
    pictures = [late_s + k / 25 for k in range(round((seconds - late_s) * 25))]
    levels = [BRIGHT if at_s <= t < at_s + 0.5 else DARK for t in pictures]
    return write_stamped(
        path,
        pictures=pictures,
        levels=levels,
        sounds=[(0, seconds + more_sound_s)],
        loud=[(at_s, at_s + 0.5)],
        **settings,  # type: ignore[arg-type]
    )


def read(path: Path) -> Stream:
    stream = make_stream()
    config = SourceConfig(name="test", kind="media", media=str(path))
    i = stream.inlet
    opened = open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)
    read_to_end(*opened.readers)
    return stream


def onsets_s(stream: Stream) -> tuple[list[float], list[float]]:
    """Return when flashes and tones begin."""
    frames = stream.frames.read(0, 1 << 40)
    bright = [frame.image.mean() > 128 for frame in frames]
    flashes = [
        frames[k].time_ns / 1e9 - (stream.timeline.epoch_ns or 0) / 1e9
        for k in range(1, len(frames))
        if bright[k] and not bright[k - 1]
    ]
    samples = stream.sound()
    blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    loud = np.sqrt(np.mean(np.square(blocks), axis=1)) > 0.1
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    first = stream.sounds.first_index
    return flashes, [(first + 160 * int(k)) / 16_000 for k in starts]


def check(path: Path, n_parts: int) -> Stream:
    stream = read(path)

    flashes, tones = onsets_s(stream)
    assert len(flashes) == len(tones) == n_parts
    lags_s = np.array(flashes) - np.array(tones)
    np.testing.assert_allclose(lags_s, 0.0, atol=MOST_LAG_S)
    assert np.ptp(lags_s) < DRIFT_S  # at each join the same
    return stream


CONTAINERS = {
    "a.ts": {},
    "a.mpg": {},
    "a.mp4": {"video": "mpeg4", "audio": "aac", "options": FRAGMENTS},
}


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("late_s", [0.4, -0.0])
def test_senses_stay_together_over_joins_of_any_container(
    name: str, late_s: float, tmp_path: Path
) -> None:
    one = part(tmp_path / name, late_s=late_s, **CONTAINERS[name])  # type: ignore[arg-type]

    stream = check(joined(tmp_path / f"joined-{name}", one, one, one, one), n_parts=4)

    assert stream.sounds.end_index / 16_000 == pytest.approx(12.0, abs=0.4)


def test_senses_stay_together_when_the_sound_of_each_part_is_longer(tmp_path: Path) -> None:
    one = part(tmp_path / "a.ts", more_sound_s=0.7)

    check(joined(tmp_path / "joined.ts", one, one, one), n_parts=3)


def test_parts_shorter_than_a_second_come_one_after_the_other(tmp_path: Path) -> None:
    one = part(tmp_path / "a.ts", late_s=0.08, seconds=0.8, at_s=0.2)

    check(joined(tmp_path / "joined.ts", *[one] * 5), n_parts=5)


def test_part_with_a_much_later_origin_is_joined(tmp_path: Path) -> None:
    first = part(tmp_path / "a.ts")
    second = part(tmp_path / "b.ts", offset_s=600.0)

    stream = check(joined(tmp_path / "joined.ts", first, second, first), n_parts=3)

    assert stream.sounds.end_index / 16_000 == pytest.approx(9.0, abs=0.4)


@pytest.mark.parametrize("offset_s", [95_442.0, 95_440.5])
def test_clock_that_wraps_at_33_bits_goes_on(offset_s: float, tmp_path: Path) -> None:
    one = part(tmp_path / "a.ts", offset_s=offset_s)
    plain = part(tmp_path / "b.ts")

    stream = check(joined(tmp_path / "joined.ts", one, plain, one), n_parts=3)

    assert stream.sounds.end_index / 16_000 == pytest.approx(9.0, abs=0.4)


def test_second_part_is_read_when_its_pids_are_others(tmp_path: Path) -> None:
    first = part(tmp_path / "a.ts")
    second = part(tmp_path / "b.ts", options={"mpegts_start_pid": "600"})

    stream = check(joined(tmp_path / "joined.ts", first, second, first, second), n_parts=4)

    assert stream.count("broken_packets") == 0


def test_parts_are_read_when_their_pids_come_after_all_that_was_probed(tmp_path: Path) -> None:
    first = part(tmp_path / "a.ts", is_large=True)
    second = part(tmp_path / "b.ts", is_large=True, options={"mpegts_start_pid": "600"})

    path = joined(tmp_path / "joined.ts", first, second, first)

    assert first.stat().st_size > 5_000_000  # of which FFmpeg looks at the first five
    assert check(path, n_parts=3).count("broken_packets") == 0


def test_second_part_is_read_when_its_pids_are_swapped(tmp_path: Path) -> None:
    first = part(tmp_path / "a.ts")
    second = part(tmp_path / "b.ts", sound_first=True)

    stream = check(joined(tmp_path / "joined.ts", first, second), n_parts=2)

    assert stream.count("broken_packets") == 0


def test_second_part_is_read_when_its_codecs_are_others(tmp_path: Path) -> None:
    first = part(tmp_path / "a.ts")
    second = part(tmp_path / "b.ts", video="mpeg4", audio="aac")

    stream = check(joined(tmp_path / "joined.ts", first, second), n_parts=2)

    assert stream.count("broken_packets") == 0


def test_sound_alone_changes_its_pid(tmp_path: Path) -> None:
    first = part(tmp_path / "a.ts")
    second = part(tmp_path / "b.ts", options={"streamid": "1:700"})

    check(joined(tmp_path / "joined.ts", first, second), n_parts=2)


def test_picture_that_stands_is_no_join(tmp_path: Path) -> None:
    path = write_stamped(
        tmp_path / "a.ts", pictures=[0, 0.04, 14, 14.04], sounds=[(0, 15)], loud=[(14, 15)]
    )

    stream = read(path)

    assert stream.slots()[-1] == 225
    assert onsets_s(stream)[1] == pytest.approx([14.0], abs=MOST_LAG_S)
