"""Transport streams whose first time stamp was torn: nothing waits for a time that never was."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.config import SourceConfig
from realtime.sources.factory import open_readers
from source_builders import make_stream, read_to_end
from stamped_media import TICKS, write_stamped

PACKET = 188
PICTURE_PID, SOUND_PID = 256, 257


def tear_first_stamp(path: Path, pid: int, to_s: float) -> None:
    """Give the first packet of a stream another presentation time."""
    data = bytearray(path.read_bytes())
    for at in range(0, len(data), PACKET):
        packet_pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
        if packet_pid == pid and data[at + 1] & 0x40:
            head = data.index(b"\0\0\1", at)
            assert data[head + 7] >> 6 == 2  # a presentation time and no decoding time
            ticks = round(to_s * TICKS)
            data[head + 9 : head + 14] = bytes(
                (
                    0x21 | ticks >> 29 & 0x0E,
                    ticks >> 22 & 0xFF,
                    0x01 | ticks >> 14 & 0xFE,
                    ticks >> 7 & 0xFF,
                    0x01 | ticks << 1 & 0xFE,
                )
            )
            break
    path.write_bytes(data)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pid", [PICTURE_PID, SOUND_PID])
@pytest.mark.parametrize("to_s", [1200.0, 2300.0, 5000.0, 80_000.0])
def test_stream_is_as_long_as_its_samples_when_a_first_stamp_is_torn(
    pid: int, to_s: float, tmp_path: Path
) -> None:
    path = write_stamped(
        tmp_path / "a.ts", pictures=[k / 25 for k in range(75)], sounds=[(0, 3)], offset_s=2400.0
    )
    tear_first_stamp(path, pid, to_s)
    stream = make_stream()
    config = SourceConfig(name="test", kind="media", media=str(path))
    i = stream.inlet

    opened = open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)
    read_to_end(*opened.readers)

    assert stream.slots()[-1] == pytest.approx(48, abs=3)
    assert stream.sounds.end_index / 16_000 == pytest.approx(3.0, abs=0.2)
    assert stream.count("broken_time_stamps") >= 1
