"""How long a recording is by its own account: nothing of it that nobody reads is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from extractors.decoding.tracks import USUAL, Tracks
from realtime.sources.container import MediaContainer
from realtime.stats import Damage, Stats
from track_media import write_tracks


def damage_of(path: Path, tracks: Tracks = USUAL) -> Damage:
    stats = Stats()
    container = MediaContainer(str(path), picture=True, sound=True, stats=stats, tracks=tracks)
    while container.read() is not None:
        pass
    container.close()
    return Damage.of(stats.snapshot())


@pytest.mark.parametrize("track", [0, 1])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_nothing_is_missing_when_a_track_that_is_not_read_lasts_longer(
    name: str, track: int, tmp_path: Path
) -> None:
    path = write_tracks(
        tmp_path / name, [0.5, 0.5], [128], sound_s=[2.0, 8.0], audio="aac", video="mpeg4"
    )

    assert not damage_of(path, Tracks(audio=track))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_what_was_cut_off_is_missing_where_there_are_several_tracks(
    name: str, tmp_path: Path
) -> None:
    path = write_tracks(tmp_path / name, [0.5, 0.5], [128], seconds=8.0, audio="aac", video="mpeg4")
    if name == "a.mp4":  # its index lies at its end
        cut(path)
    else:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])

    assert damage_of(path).sound_s > 2


def cut(path: Path) -> Path:
    """Put zeros in place of the second half of a film, its index left as it is."""
    whole = path.read_bytes()
    at = whole.index(b"mdat") - 4
    n_bytes = int.from_bytes(whole[at : at + 4], "big")
    half = at + 8 + n_bytes // 2
    path.write_bytes(whole[:half] + bytes(at + n_bytes - half) + whole[at + n_bytes :])
    return path


@pytest.mark.parametrize(("track", "is_cut_short"), [(0, False), (1, True)])
def test_length_of_a_film_is_that_of_the_track_that_is_read(
    track: int, is_cut_short: bool, tmp_path: Path
) -> None:
    path = write_tracks(
        tmp_path / "a.mp4", [0.5, 0.5], [128], sound_s=[2.0, 8.0], audio="aac", video="mpeg4"
    )

    assert (damage_of(cut(path), Tracks(audio=track)).sound_s > 2) == is_cut_short
