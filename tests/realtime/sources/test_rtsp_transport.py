"""RTSP is asked for over TCP, over UDP where that is refused, or as a setting says."""

from __future__ import annotations

import av
import pytest
from rtsp_server import rtsp_server

from realtime.command_line.flags import make_parser
from realtime.command_line.settings import make_config
from realtime.config import SourceConfig
from realtime.errors import SourceError, UsageError
from realtime.sources.container import MediaContainer
from realtime.sources.decoded import DecodedSound
from realtime.sources.opening import open_location
from realtime.stats import Stats

pytestmark = pytest.mark.timeout(90)


def test_sound_comes_over_udp_when_tcp_is_refused() -> None:
    with rtsp_server() as server:
        container = MediaContainer(server.url, picture=True, sound=True, stats=Stats(), live=True)
        decoded: list[object] = []
        while len(decoded) < 10:
            read = container.read()
            assert read is not None
            decoded += read
        container.close()

    assert ["TCP" in setup for setup in server.setups] == [True, False]
    assert all(isinstance(item, DecodedSound) for item in decoded)
    assert decoded[-1].samples.std() > 0.1  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", ["400 Bad Request", "459 Aggregate Operation Not Allowed"])
def test_udp_is_tried_whatever_tcp_is_refused_with(answer: str) -> None:
    with rtsp_server(answer) as server:
        open_location(av, server.url, live=True, open_timeout_s=3.0).close()

    assert ["TCP" in setup for setup in server.setups] == [True, False]


def test_no_other_transport_is_tried_when_a_setting_names_one() -> None:
    with rtsp_server() as server, pytest.raises(SourceError, match="Protocol not supported"):
        open_location(av, server.url, live=True, transport="tcp", open_timeout_s=3.0)
    assert ["TCP" in setup for setup in server.setups] == [True]

    with rtsp_server() as server:
        open_location(av, server.url, live=True, transport="udp", open_timeout_s=3.0).close()
    assert ["TCP" in setup for setup in server.setups] == [False]


@pytest.mark.parametrize("answer", ["401 Unauthorized", "404 Not Found"])
def test_no_other_transport_is_tried_where_nobody_is_let_in(answer: str) -> None:
    with rtsp_server(answer) as server, pytest.raises(SourceError, match=answer[:3]):
        open_location(av, server.url, live=True, open_timeout_s=3.0)

    assert not any("UDP" in setup for setup in server.setups if "TCP" not in setup)


def test_a_flag_names_the_transport_and_a_wrong_setting_is_one_sentence() -> None:
    arguments = make_parser().parse_args(["--source", "rtsp://camera/", "--transport", "udp"])

    assert make_config(arguments).source.transport == "udp"
    with pytest.raises(UsageError, match="transport is one of auto, tcp, udp, multicast, http"):
        SourceConfig(name="c", kind="media", media="rtsp://camera/", transport="carrier pigeon")
