"""A recording on a server loses nothing, whatever its server can do; a stream is none."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from PIL import Image
from web_server import WebServer, mute_port, serving

from realtime.clock import MonotonicClock
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.sources.container import MediaContainer
from realtime.sources.decoded import DecodedPicture
from realtime.sources.factory import open_readers
from realtime.sources.inquiry import inquire
from realtime.sources.opened import OpenedSource
from realtime.sources.opening import open_location
from realtime.stats import Stats
from realtime.threads.worker import Worker
from source_builders import Stream, make_stream, write_media

pytestmark = pytest.mark.timeout(120)

PADDING = 1200  # an MP3's last block, which only its length tells to be padding
SHORT_S, LONG_S = 0.7, 6.0
FILES = (
    "short.wav", "index-last.mp4", "index-first.mp4", "fragments.mp4", "sound-first.mp4",
    "short.mkv", "short.ts", "short.aac", "short.ogg", "short.flac", "short.mp3", "short.avi",
    "short.mpg", "short.flv",
)  # fmt: skip


def remux(source: Path, to: Path, **options: str) -> Path:
    with av.open(str(source)) as given, av.open(str(to), "w", options=options) as made:
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return to


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    folder = tmp_path_factory.mktemp("web")
    plain = write_media(folder / "index-last.mp4", seconds=LONG_S, video_codec="h264")
    remux(plain, folder / "index-first.mp4", movflags="faststart")
    remux(plain, folder / "fragments.mp4", movflags="frag_keyframe+empty_moov+default_base_moof")
    write_media(folder / "sound-first.mp4", seconds=2.0, sound_first=True)
    write_media(folder / "short.mkv", seconds=SHORT_S)
    write_media(folder / "short.ts", seconds=SHORT_S, video_codec="mpeg2video")
    write_media(folder / "short.avi", seconds=SHORT_S, audio_codec="libmp3lame")
    write_media(folder / "short.mpg", seconds=SHORT_S, video_codec="mpeg2video", audio_codec="mp2")
    write_media(folder / "short.flv", seconds=SHORT_S, video_codec="flv")
    for name, codec in (
        ("short.wav", "pcm_s16le"), ("short.aac", "aac"), ("short.ogg", "flac"),
        ("short.flac", "flac"), ("short.mp3", "libmp3lame"),
    ):  # fmt: skip
        write_media(folder / name, seconds=SHORT_S, frame_rate=None, audio_codec=codec)
    pictures = [Image.new("RGB", (64, 48), (20 * i, 0, 0)) for i in range(10)]
    pictures[0].save(folder / "snapshot", "JPEG")
    pictures[0].save(folder / "snapshot.jpg")
    pictures[0].save(folder / "moving.webp", save_all=True, append_images=pictures[1:])
    (folder / "player.html").write_text("<html><body>camera</body></html>" * 40)
    with serving(folder) as running:
        yield running


def content(location: str, *, live: bool = False) -> tuple[int, int]:
    """Return how many pictures and samples come of it."""
    container = MediaContainer(location, picture=True, sound=True, stats=Stats(), live=live)
    n_pictures = n_samples = 0
    while (decoded := container.read()) is not None:
        for item in decoded:
            if isinstance(item, DecodedPicture):
                n_pictures += 1
            else:
                n_samples += len(item.samples)
    container.close()
    return n_pictures, n_samples


def ask(url: str) -> str:
    """Return what a URL is found to give."""
    config = SourceConfig(name="c", kind="media", media=url)
    answer = inquire(config, MonotonicClock(), Stats())
    if answer.container is not None:
        answer.container.close()
        return "live"
    return answer.config.nature


@pytest.mark.parametrize("mode", ["parts", "whole", "chunks"])
@pytest.mark.parametrize("name", FILES)
def test_all_of_a_recording_comes_from_a_server(server: WebServer, name: str, mode: str) -> None:
    url = server.url(mode, name)

    assert ask(url) == "recording"
    n_pictures, n_samples = content(url)
    all_pictures, all_samples = content(str(server.folder / name))
    assert n_pictures == all_pictures
    assert 0 <= n_samples - all_samples <= PADDING


def test_a_recording_is_not_copied_until_the_disk_is_full(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))

    with pytest.raises(SourceError, match="the temporary folder has no room for it; copy it you"):
        content(server.url("whole", "index-last.mp4"))


@pytest.mark.parametrize("mode", ["parts", "whole"])
def test_a_short_sound_on_a_server_is_heard_to_its_last_sample(
    server: WebServer, mode: str
) -> None:
    stream, opened = open_media(server.url(mode, "short.wav"))
    run(opened)

    assert stream.sounds.ended
    assert abs(stream.sounds.end_index - SHORT_S * 16_000) <= 2
    assert not opened.statuses()  # it is not looked for again


def test_a_live_stream_without_a_length_is_none_that_ends(server: WebServer) -> None:
    server.live_s, server.cut_s = LONG_S, 2.5
    url = server.url("live", "fragments.mp4")
    stream, opened = open_media(url)
    (reader,) = opened.readers
    stop = threading.Event()
    worker = Worker(reader.name, reader.step, stop)
    worker.start()
    for _ in range(400):
        if server.requests.count("/live/fragments.mp4") >= 2:
            break
        threading.Event().wait(0.05)
    stop.set()
    worker.join(5)
    reader.close()

    assert server.requests.count("/live/fragments.mp4") >= 2  # looked for again
    assert not stream.frames.ended
    assert stream.count("frames") > 0


def test_what_was_read_to_find_out_what_there_is_is_not_thrown_away(server: WebServer) -> None:
    """The one key frame of a stream is among it: without it no picture can be decoded."""
    live = server.url("chunks", "fragments.mp4")

    assert content(live, live=True) == content(str(server.folder / "fragments.mp4"))


def open_media(url: str) -> tuple[Stream, OpenedSource]:
    stream = make_stream(live=True, clock=MonotonicClock())
    config = SourceConfig(name="c", kind="media", media=url, retry_s=(0.1,))
    i = stream.inlet
    opened = open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)
    return stream, opened


def run(opened: OpenedSource) -> None:
    stop = threading.Event()
    workers = [Worker(reader.name, reader.step, stop) for reader in opened.readers]
    for worker in workers:
        worker.start()
    for worker, reader in zip(workers, opened.readers, strict=True):
        assert worker.join(30)
        assert worker.error is None
        reader.close()


@pytest.mark.parametrize(
    ("mode", "name", "words"),
    [
        ("whole", "snapshot", "one still picture, not a stream; give the address"),
        ("chunks", "snapshot", "one still picture, not a stream; give the address"),
        ("parts", "snapshot.jpg", "one still picture, not a stream; give the address"),
        ("whole", "moving.webp", "an animated one is not decoded either, so convert it"),
        ("whole", "player.html", "what came is neither picture nor sound"),
        ("whole", "no-such", "404"),
    ],
)
def test_what_is_no_stream_is_one_sentence_that_says_what_it_is(
    server: WebServer, mode: str, name: str, words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        open_media(server.url(mode, name))


def test_an_animated_webp_file_is_one_sentence(server: WebServer) -> None:
    path = server.folder / "moving.webp"
    with pytest.raises(SourceError, match=r"is an animated or damaged WebP.*convert it"):
        open_media(str(path))


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
def test_a_server_that_never_answers_is_said_to(scheme: str) -> None:
    with mute_port() as port, pytest.raises(SourceError, match=r"did not answer within 0.5 s"):
        open_location(av, f"{scheme}://127.0.0.1:{port}/x", live=True, open_timeout_s=0.5)
