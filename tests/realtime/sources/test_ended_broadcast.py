"""A broadcast that has ended is no stream any more, and is looked for: the next one may come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from device_fakes import wait_for
from web_server import WebServer, serving

from realtime.clock import MonotonicClock
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.packets import Sense, SenseState
from realtime.sources.factory import open_readers
from realtime.sources.inquiry import inquire
from realtime.sources.network import NetworkReader
from realtime.sources.opened import OpenedSource
from realtime.stats import Stats
from realtime.threads.worker import Worker
from source_builders import Stream, make_stream, write_media

pytestmark = pytest.mark.timeout(120)
END = "#EXT-X-ENDLIST\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    """A playlist of parts of a second."""
    media = write_media(tmp_path / "a.mp4", seconds=8.0, frame_rate=10, video_codec="h264")
    options = {"hls_time": "1", "hls_list_size": "0"}
    with (
        av.open(str(media)) as given,
        av.open(str(tmp_path / "all.m3u8"), "w", format="hls", options=options) as made,
    ):
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    (tmp_path / "live.m3u8").write_text((tmp_path / "all.m3u8").read_text().replace(END, ""))
    with serving(tmp_path) as running:
        yield running


def config_of(server: WebServer, name: str, **settings: str) -> SourceConfig:
    media = server.url("whole", name)
    return SourceConfig(name="c", kind="media", media=media, retry_s=(0.1, 0.1, 0.1), **settings)


def open_source(config: SourceConfig) -> tuple[Stream, OpenedSource]:
    stream = make_stream(live=True, clock=MonotonicClock())
    i = stream.inlet
    opened = open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)
    return stream, opened


def test_a_playlist_is_live_until_it_says_that_it_has_ended(server: WebServer) -> None:
    live = inquire(config_of(server, "live.m3u8"), MonotonicClock(), Stats())
    assert live.container is not None
    live.container.close()
    ended = inquire(config_of(server, "all.m3u8"), MonotonicClock(), Stats())

    assert live.config.live
    assert ended.container is None
    assert not ended.config.live


def test_an_ended_broadcast_is_not_replayed_as_a_stream(server: WebServer) -> None:
    config = config_of(server, "all.m3u8")
    reader = NetworkReader(
        config.media or "", make_stream(live=True).inlet, picture=True, sound=True,
        config=config, endless=True,
    )  # fmt: skip
    with pytest.raises(SourceError, match=r"gives a recording, as a broadcast that has ended does"):
        reader.open()
    reader.close()


@pytest.mark.device  # real time
def test_a_stream_whose_broadcast_ends_is_looked_for_and_goes_on_with_the_next(
    server: WebServer,
) -> None:
    stream, opened = open_source(config_of(server, "live.m3u8"))
    (reader,) = opened.readers
    stop = threading.Event()
    worker = Worker(reader.name, reader.step, stop)
    worker.start()
    with (server.folder / "live.m3u8").open("a") as playlist:
        playlist.write(END)  # while it is watched

    def is_told() -> bool:
        status = opened.statuses().get(Sense.PICTURE)
        return status is not None and "has ended" in status.detail

    wait_for(is_told, patience_s=60.0)
    assert opened.statuses()[Sense.PICTURE].state in (SenseState.RECONNECTING, SenseState.LOST)
    n_frames = stream.count("frames")
    n_attempts = stream.count("reconnect_attempts")
    wait_for(lambda: stream.count("reconnect_attempts") >= n_attempts + 3, patience_s=60.0)
    stop.set()
    worker.join(10)
    reader.close()

    assert stream.count("frames") == n_frames  # nothing of it is replayed
    assert not stream.frames.ended  # and nothing is over for good
    assert not stream.sounds.ended


def test_a_setting_says_what_a_url_gives_where_its_server_misleads(server: WebServer) -> None:
    config = config_of(server, "all.m3u8", nature="live")
    _, opened = open_source(config)
    for reader in opened.readers:
        reader.close()

    assert config.live
    assert [reader.name for reader in opened.readers] == ["capture-media"]
