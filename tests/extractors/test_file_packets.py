"""Files whose streams come and go: how often they are opened, and that nothing comes twice."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from extractors.decoding.file_packets import FilePackets
from extractors.decoding.tracks import PICTURE, SOUND, usual_tracks
from stamped_media import write_stamped

PACKET = 188
SHORT = [k / 25 for k in range(30)]


class Opened:
    """Reads a sense of a file to its end.

    Attributes:
        n_opened: How often the file was opened.
        times: Of what could be decoded, seconds.
        packet_times: Of all packets.
    """

    def __init__(self, path: Path, sense: str) -> None:
        self.n_opened = 0
        self.times: list[float] = []
        self.packet_times: list[float] = []
        container = self._open(path, 0)
        packets = FilePackets(
            container, usual_tracks(container), [sense], reopen=partial(self._open, path)
        )
        while (read := packets.read()) is not None:
            self._decode(packets, read[1])
        packets.close()

    def _open(self, path: Path, from_byte: int) -> Any:
        self.n_opened += 1
        options = {"skip_initial_bytes": str(from_byte)} if from_byte else {}
        try:
            return av.open(str(path), options=options, metadata_errors="ignore")
        except av.FFmpegError:
            return None

    def _decode(self, packets: FilePackets, packet: Any) -> None:
        if packet.pts is not None:
            self.packet_times.append(float(packet.pts * packet.time_base))
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            packets.gave_nothing()
            return
        if frames:
            packets.gave_something()
        self.times += [float(f.pts * f.time_base) for f in frames if f.pts is not None]


@pytest.fixture(autouse=True)
def silent_ffmpeg() -> None:
    av.logging.set_level(None)


def scrambled(path: Path, pid: int, chance: np.random.Generator) -> bytes:
    """Return a transport stream whose packets of one PID hold nothing that can be decoded."""
    out = []
    data = path.read_bytes()
    for at in range(0, len(data), PACKET):
        packet = bytearray(data[at : at + PACKET])
        if (packet[1] & 0x1F) << 8 | packet[2] == pid:
            begin = 60 if packet[1] & 0x40 else 40  # behind the head with its stamps
            packet[begin:] = chance.bytes(PACKET - begin)
        out.append(bytes(packet))
    return b"".join(out)


def renumbered(
    data: bytes, pids: dict[int, int], share: float, chance: np.random.Generator
) -> bytes:
    """Give a share of the packets another PID, as bits that flip do."""
    out = []
    for at in range(0, len(data), PACKET):
        packet = bytearray(data[at : at + PACKET])
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        if pid in pids and chance.random() < share:
            packet[1], packet[2] = packet[1] & 0xE0 | pids[pid] >> 8, pids[pid] & 0xFF
        out.append(bytes(packet))
    return b"".join(out)


@pytest.mark.timeout(60)
def test_sound_that_cannot_be_decoded_is_read_once_though_streams_come_and_go(
    tmp_path: Path,
) -> None:
    chance = np.random.default_rng(3)
    both: dict[str, Any] = {"pictures": [0.3 + t for t in SHORT], "sounds": [(0, 1.5)]}
    one = write_stamped(tmp_path / "a.ts", **both)
    far = write_stamped(tmp_path / "b.ts", **both, video="h264", audio="aac", offset_s=95_443.0)
    pieces = []
    for n in range(6):
        piece = scrambled(far if n % 2 else one, 257, chance)
        pieces.append(renumbered(piece, {257: 700 + n}, 0.1, chance))
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(pieces))

    opened = Opened(path, SOUND)

    assert opened.n_opened < 60
    assert max(opened.packet_times) - min(opened.packet_times) < 6 * 1.5 + 3


@pytest.mark.parametrize("sense", [PICTURE, SOUND])
def test_part_whose_streams_come_after_all_that_was_probed_begins_where_the_last_ended(
    sense: str, tmp_path: Path
) -> None:
    pictures, sounds = [k / 25 for k in range(75)], [(0, 3.0)]
    first = write_stamped(tmp_path / "a.ts", pictures=pictures, sounds=sounds, is_large=True)
    second = write_stamped(
        tmp_path / "b.ts",
        pictures=pictures,
        sounds=sounds,
        is_large=True,
        options={"streamid": "1:700" if sense == SOUND else "0:700"},
    )
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())

    times = np.array(Opened(path, sense).times)

    assert first.stat().st_size > 5_000_000
    assert times.max() - times.min() == pytest.approx(6.0, abs=0.2)
    assert np.diff(times).max() < 0.3
