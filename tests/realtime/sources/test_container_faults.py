"""What PyAV may raise beside its own errors: damage that is counted, an end, or one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from extractors.decoding.decoder import DecodedFrame
from extractors.decoding.tracks import PICTURE
from realtime.errors import SourceError
from realtime.sources.container import MediaContainer
from realtime.sources.decoded import DecodedPicture, handed_on
from realtime.sources.live_packets import LivePackets
from realtime.stats import Stats
from stamped_media import write_stamped


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_stamped(tmp_path / "a.ts", pictures=[0, 0.04, 0.08], sounds=[(0, 0.3)])


def raising(error: Exception) -> Iterator[Any]:
    raise error
    yield


def test_live_stream_ends_when_pyav_flushes_a_stream_that_it_has_not(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LivePackets, "_demux", lambda _: raising(IndexError("out of range")))
    media = MediaContainer(str(recording), picture=True, sound=True, stats=Stats(), live=True)

    assert media.read_packet() is None
    media.close()


@pytest.mark.parametrize("live", [True, False])
def test_packet_for_which_there_is_no_memory_is_a_broken_one(live: bool, recording: Path) -> None:
    stats = Stats()
    media = MediaContainer(str(recording), picture=True, sound=False, stats=stats, live=live)
    while not media.has_decoded:
        media.read()
    packet = media.read_packet()
    assert packet is not None

    def decode() -> None:
        raise MemoryError

    bad = SimpleNamespace(decode=decode, is_keyframe=True, is_corrupt=False, stream=packet.stream)

    assert media.decode(bad) == []
    while media.read() is not None:
        pass
    assert stats.snapshot().count("broken_packets") == 1
    media.close()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("a bug"), ValueError("no format")])
def test_picture_that_cannot_be_converted_is_one_sentence(error: Exception) -> None:
    def to_ndarray(**_: Any) -> None:
        raise error

    frame = SimpleNamespace(
        width=7680, height=4320, format=SimpleNamespace(name="yuv420p"), to_ndarray=to_ndarray
    )

    picture = handed_on(
        DecodedFrame(sense=PICTURE, frame=frame, time_s=Fraction(0), length_s=Fraction(1, 25))
    )

    assert isinstance(picture, DecodedPicture)
    with pytest.raises(SourceError, match="7680x4320 in yuv420p cannot be converted") as caught:
        picture.render()
    assert "\n" not in str(caught.value)
