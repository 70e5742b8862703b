"""A few kilobytes that claim to be a picture of gigabytes: refused before it is unpacked."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from extractors.errors import MediaError
from extractors.media import probe, read_frames, read_picture

OPEN = """
import resource, sys
from realtime.errors import SourceError
from realtime.sources.container import MediaContainer
from realtime.stats import Stats
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    media = MediaContainer(sys.argv[1], picture=True, sound=False, stats=Stats())
    print(len(media.read() or []))
except SourceError:
    print(0)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """A PNG of 12,000 x 12,000: 0.4 MB that unpack to 432 MB."""
    size = 12_000
    packer, row = zlib.compressobj(9), bytes(1 + 3 * size)
    data = b"".join(packer.compress(row) for _ in range(size)) + packer.flush()
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))
    return path


def test_a_huge_picture_takes_no_memory_when_it_is_opened(huge: Path) -> None:
    command = [sys.executable, "-c", OPEN, str(huge)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    n_pictures, n_mb = map(int, run.stdout.split())
    assert n_pictures == 0
    assert n_mb < 100


def test_extraction_refuses_a_huge_picture(huge: Path) -> None:
    with pytest.raises(MediaError, match=r"12000x12000: pictures up to 8K"):
        read_picture(huge)
    assert probe(huge).has_picture
    with pytest.raises(MediaError, match="nothing in it can be decoded"):
        next(read_frames(huge))
