"""What PyAV may raise beside its own errors: damage that is counted, an end, or one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.errors import SourceError
from realtime.sources import container
from realtime.sources.container import MediaContainer
from realtime.stats import Stats
from stamped_media import write_stamped


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_stamped(tmp_path / "a.ts", pictures=[0, 0.04, 0.08], sounds=[(0, 0.3)])


def raising(error: Exception) -> Iterator[Any]:
    raise error
    yield


def test_live_stream_ends_when_pyav_flushes_a_stream_that_it_has_not(recording: Path) -> None:
    media = MediaContainer(str(recording), picture=True, sound=True, stats=Stats(), live=True)
    media._packets = raising(IndexError("list index out of range"))

    assert media.read_packet() is None
    media.close()


@pytest.mark.parametrize("live", [True, False])
def test_packet_for_which_there_is_no_memory_is_a_broken_one(live: bool, recording: Path) -> None:
    stats = Stats()
    media = MediaContainer(str(recording), picture=True, sound=True, stats=stats, live=live)
    media.has_decoded = True

    def decode() -> None:
        raise MemoryError

    packet = SimpleNamespace(decode=decode, is_keyframe=True, is_corrupt=False, stream=media._video)

    assert media.decode(packet) == []
    media._explain()
    assert stats.snapshot().count("broken_packets") == 1
    media.close()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("a bug"), ValueError("no format")])
def test_picture_that_cannot_be_converted_is_one_sentence(error: Exception) -> None:
    def to_ndarray(**_: Any) -> None:
        raise error

    frame = SimpleNamespace(
        width=7680, height=4320, format=SimpleNamespace(name="yuv420p"), to_ndarray=to_ndarray
    )

    with pytest.raises(SourceError, match="7680x4320 in yuv420p cannot be converted") as caught:
        container._to_rgb(frame, {})
    assert "\n" not in str(caught.value)
