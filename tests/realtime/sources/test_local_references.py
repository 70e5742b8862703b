"""A local file that names places on a network does not make the program go there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from extractors.errors import MediaError
from extractors.media import probe
from realtime.errors import SourceError
from realtime.sources.container import MediaContainer
from realtime.stats import Stats

FILES = {
    "parts.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "variants.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}/b.m3u8\n",
    "disguised.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}/c.ts\n#EXT-X-ENDLIST\n",
    "joined.ffconcat": "ffconcat version 1.0\nfile '{url}/d.mp4'\n",
    "joined.mp4": "ffconcat version 1.0\nfile '{url}/e.mp4'\n",
    "manifest.mpd": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="1" bandwidth="1" codecs="avc1.42c00d"><BaseURL>{url}/f.mp4</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>"
    ),
    "session.sdp": (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "a=control:{url}\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    ),
}


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    reached: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # shut down
                    return
                with connection:
                    reached.append(connection.recv(100))

        ear = threading.Thread(target=listen, name="server")
        ear.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", reached
        listener.shutdown(socket.SHUT_RDWR)
        ear.join()


@pytest.mark.parametrize("name", FILES)
def test_file_that_names_a_server_is_one_sentence_and_reaches_nobody(
    tmp_path: Path, server: tuple[str, list[bytes]], name: str
) -> None:
    url, reached = server
    path = tmp_path / name
    path.write_text(FILES[name].replace("{url}", url))

    with pytest.raises(SourceError, match=name):
        MediaContainer(str(path), picture=True, sound=True, stats=Stats())
    with pytest.raises(MediaError, match=name):
        probe(path)

    assert reached == []
