"""Transport streams and their like, joined, spliced, re-muxed and truncated.

What a recorder that was tuned, moved, restarted or torn apart leaves behind. Each goes through the
whole program and through the extractors; the same inputs every time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from extractors.clip_features import extract_media
from extractors.encoders import Encoders
from extractors.errors import MediaError
from extractors.frame_transform import DENSENET201_TRANSFORM
from fuzz.program import Findings, Outcome, judge
from quick_recognition import use_quick_recognition
from realtime.command_line.main import main
from stamped_media import write_stamped

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(900)]

PACKET = 188
LIMIT_S = 60.0  # a torn stamp in the middle may be half an hour of a picture that stands
N_BATCHES = 6
N_OF_BATCH = 50
SHORT = [k / 25 for k in range(30)]


class PlainPictures:
    transform = DENSENET201_TRANSFORM

    def encode(self, frames: Any) -> Any:
        return frames.mean(axis=(1, 2, 3), dtype=np.float32)[:, None]


class PlainSounds:
    def encode(self, waveform: Any) -> Any:
        return np.zeros((len(waveform), 96, 64), np.float32), np.zeros(
            (len(waveform), 512, 12, 8), np.float32
        )


ENCODERS = Encoders(picture=PlainPictures(), sound=PlainSounds())  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """Write short recordings, by the suffix of what they can be joined to."""
    folder = tmp_path_factory.mktemp("parts")
    both: dict[str, Any] = {"pictures": [0.3 + t for t in SHORT], "sounds": [(0, 1.5)]}
    fragments = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    made: dict[str, list[dict[str, Any]]] = {
        ".ts": [
            both,
            {**both, "options": {"mpegts_start_pid": "600"}},
            {**both, "sound_first": True},
            {**both, "video": "mpeg4", "audio": "aac"},
            {**both, "video": "h264", "audio": "aac", "offset_s": 95_443.0},
            {"pictures": SHORT},
            {"sounds": [(0, 1.2)], "audio": "aac"},
            {**both, "offset_s": 40.0, "options": {"mpegts_flags": "resend_headers"}},
        ],
        ".m2ts": [{**both, "options": {"mpegts_m2ts_mode": "1"}}, both],
        ".mpg": [both, {"pictures": SHORT}, {"sounds": [(0, 1.0)]}],
        ".mp4": [{**both, "video": "mpeg4", "audio": "aac", "options": fragments}],
        ".mkv": [both, {**both, "video": "mpeg4", "audio": "flac"}],
        ".flv": [{**both, "video": "flv", "audio": "aac"}],
    }
    return {
        suffix: [
            write_stamped(folder / f"{number}{suffix}", **settings).read_bytes()
            for number, settings in enumerate(of_kind)
        ]
        for suffix, of_kind in made.items()
    }


def joined(parts: Sequence[bytes], chance: random.Random) -> bytes:
    return b"".join(chance.choices(parts, k=chance.randint(2, 5)))


def spliced(parts: Sequence[bytes], chance: random.Random) -> bytes:
    """Cut at any byte, also in the middle of a packet."""
    pieces = []
    for part in chance.choices(parts, k=chance.randint(2, 5)):
        a, b = sorted(chance.randrange(len(part)) for _ in range(2))
        pieces.append(part[a:b])
    return chance.choice(parts)[:2000] + b"".join(pieces)


def interleaved(parts: Sequence[bytes], chance: random.Random) -> bytes:
    """Mix the packets of several recordings, as if they were one multiplex."""
    queues = [_packets(part) for part in chance.choices(parts, k=chance.randint(2, 3))]
    mixed = []
    while queues:
        queue = chance.choice(queues)
        mixed += queue[: chance.randint(1, 40)]
        del queue[:40]
        queues = [q for q in queues if q]
    return b"".join(mixed)


def renumbered(parts: Sequence[bytes], chance: random.Random) -> bytes:
    """Change PIDs, counters and flags in the heads of packets from somewhere on."""
    out = []
    for packet in _packets(joined(parts, chance)):
        head = bytearray(packet)
        if len(head) >= 4 and chance.random() < 0.05:
            head[chance.randint(1, 3)] ^= 1 << chance.randrange(8)
        out.append(bytes(head))
    return b"".join(out)


def thinned(parts: Sequence[bytes], chance: random.Random) -> bytes:
    share = chance.choice((0.01, 0.1, 0.5))
    return b"".join(p for p in _packets(joined(parts, chance)) if chance.random() > share)


def shuffled(parts: Sequence[bytes], chance: random.Random) -> bytes:
    packets = _packets(joined(parts, chance))
    for _ in range(chance.randint(1, 30)):
        a, b = chance.randrange(len(packets)), chance.randrange(len(packets))
        packets[a], packets[b] = packets[b], packets[a]
    return b"".join(packets)


def blanked(parts: Sequence[bytes], chance: random.Random) -> bytes:
    data = bytearray(joined(parts, chance))
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(data))
        data[start : start + chance.choice((100, 5000, 60_000))] = bytes(
            min(chance.choice((100, 5000, 60_000)), len(data) - start)
        )
    return bytes(data)


def truncated(parts: Sequence[bytes], chance: random.Random) -> bytes:
    data = joined(parts, chance)
    return data[: chance.randrange(1, len(data))]


HARMS: tuple[Callable[[Sequence[bytes], random.Random], bytes], ...] = (
    joined, spliced, interleaved, renumbered, thinned, shuffled, blanked, truncated,
)  # fmt: skip


def _packets(data: bytes) -> list[bytes]:
    return [data[at : at + PACKET] for at in range(0, len(data), PACKET)]


def remuxed(source: Path, target: Path, chance: random.Random) -> None:
    """Copy packets into another container with stamps that leap, fall, repeat or are absent."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        shift = 0
        for packet in old.demux():
            if packet.dts is None or packet.stream.index not in streams:
                continue
            if chance.random() < 0.03:
                shift += chance.choice((-900_000, -9_000, 9_000, 900_000, 90_000 * 3600, 1 << 32))
            packet.stream = streams[packet.stream.index]
            packet.dts += shift
            packet.pts = packet.dts + chance.choice((0, 0, 0, 3600, 90_000))
            try:
                new.mux_one(packet)
            except (av.FFmpegError, ValueError, OverflowError):
                continue


def run(file: Path) -> Outcome:
    words = ["--source", str(file), "--no-publish", "--log-json"]
    return judge(lambda: main(words), folder=file.parent, limit_s=LIMIT_S)


def extract(file: Path) -> Outcome:
    return judge(
        lambda: extract_media(file, ENCODERS, 600, fill=False) and None,
        folder=file.parent,
        limit_s=LIMIT_S,
        expected=(MediaError,),
    )


@pytest.mark.parametrize("batch", range(N_BATCHES))
def test_spliced_streams_either_work_or_are_one_sentence(
    parts: dict[str, list[bytes]], tmp_path: Path, batch: int
) -> None:
    findings = Findings()
    for seed in range(batch * N_OF_BATCH, (batch + 1) * N_OF_BATCH):
        chance = random.Random(seed)
        suffix = chance.choices(list(parts), weights=[8, 1, 2, 2, 2, 1])[0]
        harm = HARMS[seed % len(HARMS)]
        file = tmp_path / f"{harm.__name__}-{seed}{suffix}"
        file.write_bytes(harm(parts[suffix], chance))
        findings.add(file.name, run(file))
        findings.add(f"{file.name} extracted", extract(file))
        file.unlink()
    print(findings.codes)
    findings.conclude(at_least=2 * N_OF_BATCH)


def test_remuxed_streams_either_work_or_are_one_sentence(
    parts: dict[str, list[bytes]], tmp_path: Path
) -> None:
    findings = Findings()
    for seed in range(60):
        chance = random.Random(seed)
        source = tmp_path / "source.ts"
        source.write_bytes(joined(parts[".ts"][:1] + parts[".ts"][3:5], chance))
        target = (
            tmp_path / f"remuxed-{seed}{chance.choice(('.mkv', '.ts', '.mp4', '.avi', '.nut'))}"
        )
        try:
            remuxed(source, target, chance)
        except (av.FFmpegError, ValueError, OverflowError):
            continue  # that muxer takes none of it
        findings.add(target.name, run(target))
        findings.add(f"{target.name} extracted", extract(target))
    print(findings.codes)
    findings.conclude(at_least=40)
