"""A recording or a stream: decided from what is known of it, and else from how fast it comes."""

from __future__ import annotations

import pytest

from realtime.clock import NS_PER_S
from realtime.sources.nature import Facts, Nature, nature_by_pace, nature_of

MOV = "mov,mp4,m4a,3gp,3g2,mj2"
S = NS_PER_S


@pytest.mark.parametrize(
    ("what", "facts", "nature"),
    [
        ("MP4 with an index", Facts(form=MOV, duration_ns=4 * S, n_indexed=240), "recording"),
        ("fragmented MP4, live", Facts(form=MOV, duration_ns=S), "untold"),
        ("fragmented MP4, a file", Facts(form=MOV, duration_ns=S, size=70_000), "recording"),
        ("Matroska file", Facts(form="matroska,webm", duration_ns=4 * S), "recording"),
        ("Matroska, live", Facts(form="matroska,webm"), "untold"),
        ("FLV, live", Facts(form="flv", duration_ns=0), "untold"),
        ("playlist without its end", Facts(form="hls", size=300), "live"),
        ("playlist with its end", Facts(form="hls", duration_ns=16 * S, size=400), "recording"),
        ("RTSP camera", Facts(form="rtsp"), "live"),
        ("RTSP recording", Facts(form="rtsp", duration_ns=60 * S), "recording"),
        ("RTSP, npt=0-0", Facts(form="rtsp", duration_ns=0), "live"),
        ("MJPEG", Facts(form="mpjpeg"), "live"),
        ("MJPEG with a made-up length", Facts(form="mpjpeg", size=9_999_999), "live"),
        ("WAV file", Facts(form="wav", duration_ns=S, size=32_044), "recording"),
        ("endless WAV", Facts(form="wav"), "untold"),
        ("internet radio", Facts(form="mp3"), "untold"),
        ("MPEG-TS file", Facts(form="mpegts", duration_ns=2 * S, size=92_000), "recording"),
        ("snapshot", Facts(form="jpeg_pipe", size=7_000), "still picture"),
        ("snapshot.jpg", Facts(form="image2", duration_ns=S // 25, size=7_000), "still picture"),
        ("JPEGs one after the other", Facts(form="jpeg_pipe"), "untold"),
    ],
)
def test_nature_is_told_by_what_is_known(what: str, facts: Facts, nature: str) -> None:
    assert nature_of(facts) is Nature(nature), what


@pytest.mark.parametrize(
    ("what", "media_s", "elapsed_s", "has_ended", "nature"),
    [
        ("an hour in a moment", 3600, 0.3, False, "recording"),
        ("all of 22 s in a moment", 22, 0.2, True, "recording"),
        ("radio that begins with 10 s", 11, 1.1, False, "live"),
        ("a stream in its own time", 0.9, 1.0, False, "live"),
        ("too early to say", 0.2, 0.3, False, "untold"),
        ("a stream that hangs up", 0.7, 0.8, True, "live"),
    ],
)
def test_nature_is_told_by_the_pace_where_nothing_is_known(
    what: str, media_s: float, elapsed_s: float, has_ended: bool, nature: str
) -> None:
    told = nature_by_pace(MOV, round(media_s * S), round(elapsed_s * S), 50, has_ended=has_ended)

    assert told is Nature(nature), what


def test_one_picture_and_no_more_is_a_still() -> None:
    assert nature_by_pace("jpeg_pipe", 0, S // 10, 1, has_ended=True) is Nature.STILL
    assert nature_by_pace("jpeg_pipe", 0, 2 * S, 30, has_ended=False) is Nature.LIVE
