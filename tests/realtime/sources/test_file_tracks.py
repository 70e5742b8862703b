"""A file with several tracks is read as `extractors` reads it, and settings choose a track."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime.command_line.flags import make_parser
from realtime.command_line.main import main
from realtime.command_line.settings import make_config
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.sources.factory import open_readers
from source_builders import Stream, make_stream, read_to_end
from track_media import write_tracks


def _read(path: Path, **settings: int) -> Stream:
    stream = make_stream()
    config = SourceConfig(name="test", kind="media", media=str(path), **settings)  # type: ignore[arg-type]
    i = stream.inlet
    opened = open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)
    read_to_end(*opened.readers)
    return stream


def _peak(stream: Stream) -> float:
    return float(np.abs(stream.sound()).max())


def _grey(stream: Stream) -> float:
    return float(stream.frames.read(0, 1000)[5].image.mean())


def test_silent_sound_and_black_picture_give_way_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream = _read(write_tracks(tmp_path / "clip.mkv", (0.0, 0.3), (0, 200)))

    assert _peak(stream) == pytest.approx(0.3, abs=0.01)
    assert _grey(stream) == pytest.approx(200, abs=3)
    said = [record.message for record in caplog.records]
    assert sum("sound track 0 is silent throughout" in text for text in said) == 1
    assert sum("picture track 0 is black throughout" in text for text in said) == 1


def test_settings_choose_a_track_whatever_it_holds(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "clip.mkv", (0.0, 0.3, 0.1), (0, 200, 90))

    kept = _read(path, audio_track=0, video_track=0)
    third = _read(path, audio_track=2, video_track=2)

    assert (_peak(kept), _grey(kept)) == (0.0, 0.0)
    assert _peak(third) == pytest.approx(0.1, abs=0.01)
    assert _grey(third) == pytest.approx(90, abs=3)


def test_track_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "clip.mkv", (0.0, 0.3))

    with pytest.raises(SourceError, match=r"has no sound track 7 .*; there are: 0 \(pcm"):
        _read(path, audio_track=7)


@pytest.mark.parametrize(
    "flags",
    [
        ["--source=a.mp4", "--audio-track=-1"],
        ["--source=demo", "--audio-track=1"],
        ["--camera=0", "--video-track=1"],
        ["--source=a.mp4", "--video-track=english"],
    ],
)
def test_track_that_cannot_be_is_wrong_usage(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(flags)
    except SystemExit as error:  # argparse's way out
        code = int(str(error.code))

    assert code == 2
    assert "track" in capsys.readouterr().err


def test_flags_choose_tracks() -> None:
    flags = ["--source=a.mp4", "--audio-track=1", "--video-track=2"]

    source = make_config(make_parser().parse_args(flags)).source

    assert (source.audio_track, source.video_track) == (1, 2)
