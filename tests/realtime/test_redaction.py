"""Passwords stay out of descriptions, errors, messages and the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.redaction import has_secret, redacted, redacted_location


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://bob:secret@cam.example:554/s1", "rtsp://cam.example:554/s1"),
        ("rtsp://bob:se@cret@cam/s1", "rtsp://cam/s1"),
        ("rtsp://bob:se/cret@cam/s1", "rtsp://cam/s1"),
        ("rtsp://bob:se?cret@cam/s1", "rtsp://cam/s1"),
        ("rtsp://bob:se#cret@cam/s1", "rtsp://cam/s1"),
        ("rtsp://bob:12/34@cam/s1", "rtsp://cam/s1"),
        ("rtsp://bob:12?34@cam/s1", "rtsp://cam/s1"),
        ("rtsp://bob:12#34@cam/s1", "rtsp://cam/s1"),
        ("rtsp://bob:12/3@4/5@cam:554/s1", "rtsp://cam:554/s1"),
        ("rtsp://bob:/34@cam/s1", "rtsp://cam/s1"),
        ("rtsp://bob:80@/34@cam/s1", "rtsp://cam/s1"),
        ("rtsp:///bob:secret@cam/s1", "rtsp://cam/s1"),
        ("cannot open 'http://bob:1/@x' now", "cannot open 'http://x' now"),
        ("http://10.0.0.7:8080/a@b.mp4", "http://10.0.0.7:8080/a@b.mp4"),
        ("rtsp:/bob:secret@cam/s1", "rtsp:/cam/s1"),
        ("RTSP://token@[::1]:554/s1", "RTSP://[::1]:554/s1"),
        ("http://cam/mjpg?user=bob&pwd=secret", "http://cam/mjpg?…"),
        ("http://cam/mjpg#secret", "http://cam/mjpg#…"),
        ("rtsp://cam/user=bob_password=secret", "rtsp://cam/user=bob_password=…"),
        ("http://[::1/x", "http://…"),
        ("there is no file rtsp://a:secret@h/x; check", "there is no file rtsp://h/x; check"),
        ("'rtsp://a:sec'ret@h' and http://b:secret@i", "'rtsp://h' and http://i"),
        ("file:///home/a@b/secret.mp4", "file:///home/a@b/secret.mp4"),
        ("clips/a@b.mp4", "clips/a@b.mp4"),
        ("tcp://127.0.0.1:5556", "tcp://127.0.0.1:5556"),
        ("tcp://*:* is taken", "tcp://*:* is taken"),
        ("https://host/@user/live", "https://host/@user/live"),
        ("http://cam:8080.", "http://cam:8080."),
        ("admin:s3cr3t@127.0.0.1", "127.0.0.1"),
        ("got 'u:s3cr3t@127.0.0.1:9'", "got '127.0.0.1:9'"),
        ("there is no file u:s/e@c@cam/live; check", "there is no file cam/live; check"),
        ("--metrics=u:s3cr3t@[::1]:9 is taken", "--metrics=[::1]:9 is taken"),
        ("tcp://u:s3cr3t@127.0.0.1:99999", "tcp://127.0.0.1:99999"),
        ("recorded /clips/12:30/a@b.mp4, 3 s", "recorded /clips/12:30/a@b.mp4, 3 s"),
        ("subscribe: write to a@b.example", "subscribe: write to a@b.example"),
    ],
)
def test_secrets_are_taken_out_and_the_rest_stays(text: str, shown: str) -> None:
    assert redacted(text) == shown


@given(
    user=st.text("ab1:@%&=", max_size=6),
    password=st.text("xyz19:@/?#%&=$!", min_size=6, max_size=16),
    before=st.sampled_from(["", "cannot open '", "x=", "("]),
)
def test_no_password_shows_when_it_stands_before_an_at(
    user: str, password: str, before: str
) -> None:
    secret = f"Z{password}Z"

    shown = redacted(f"{before}rtsp://q{user}:p{secret}@camera.example/live and more")

    assert secret not in shown
    assert "camera.example/live" in shown or "…" in shown
    assert shown.endswith(" and more")


@given(
    user=st.text("abZ-_.", min_size=1, max_size=6),
    port=st.integers(0, 99_999),
    password=st.text("xyz19:@/?#", min_size=1, max_size=12),
    scheme=st.sampled_from(["rtsp://", "http:///", "RTSP:/", ""]),
)
def test_no_password_shows_when_it_begins_like_a_port(
    user: str, port: int, password: str, scheme: str
) -> None:
    shown = redacted(f"no {scheme}{user}:{port}/{password}Z@camera.example/live; check")

    assert f"{port}/{password}Z" not in shown
    assert f"{password}Z@" not in shown
    assert shown.endswith(" check")


@given(
    user=st.text("ab1%&", max_size=6),
    password=st.text("xyz19:@/?#%&=$!", max_size=16),
    before=st.sampled_from(["", "cannot open '", "x=", "("]),
)
def test_no_password_shows_when_its_address_has_no_scheme(
    user: str, password: str, before: str
) -> None:
    secret = f"Z{password}Z"

    shown = redacted(f"{before}{user}:{secret}@camera.example and more")

    assert secret not in shown
    assert shown.endswith(" and more")


@given(st.text("ab:/@?#'= (\u2026") | st.text())
def test_text_is_redacted_once_and_for_all(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


def test_whole_location_is_redacted_when_its_password_has_a_space() -> None:
    assert redacted_location("rtsp://a:my secret@host/x y") == "rtsp://host/x%20y"
    assert redacted_location("a:my secret@host/x") == "host/x"
    assert redacted_location("my clips/a b.mp4") == "my clips/a b.mp4"


def test_location_is_known_to_bear_a_secret() -> None:
    assert has_secret("rtsp://a:secret@host/x")
    assert has_secret("a:secret@host")
    assert not has_secret("rtsp://host:554/x")
    assert not has_secret("my clips/a b@c.mp4")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["(a:" * 100_000, "@" + "(a:" * 100_000, "(a:" * 100_000 + " @"])
def test_text_of_strangers_costs_no_more_than_its_length(text: str) -> None:
    assert redacted(text)
