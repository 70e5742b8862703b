"""Log lines: one a record, and nothing secret in them."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import datetime

from realtime.command_line.log_format import JsonFormat, TextFormat


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("realtime.x", logging.WARNING, "x.py", 1, message, arguments, None)


def test_json_line_is_one_object_when_the_message_has_line_ends() -> None:
    line = JsonFormat().format(record("a\nb %s \udc80", "é"))

    fields = json.loads(line)
    assert "\n" not in line
    assert fields["message"] == "a\nb é \ufffd"  # strict readers refuse half a character
    assert (fields["level"], fields["logger"]) == ("warning", "realtime.x")
    assert fields["time"].endswith("Z")
    assert fields["thread"] == "MainThread"


def test_password_is_taken_out_of_every_line() -> None:
    said = record("%s cannot be opened", "rtsp://user:pw-secret@host/x")
    try:
        raise OSError("rtsp://user:pw-secret@host/x broke")
    except OSError:
        said.exc_info = sys.exc_info()

    for line in (JsonFormat().format(said), TextFormat(verbose=True).format(said)):
        assert "rtsp://host/x cannot be opened" in line
        assert "rtsp://host/x broke" in line
        assert "pw-secret@" not in line


def test_text_line_has_its_time_and_what_it_is() -> None:
    moment, _, text = TextFormat(verbose=False).format(record("ready")).partition(" warning: ")
    assert text == "ready"
    assert abs(datetime.fromisoformat(moment).timestamp() - time.time()) < 60
    _, _, text = TextFormat(verbose=True).format(record("ready")).partition(" WARNING ")
    assert text == "realtime.x: ready"


def test_answer_to_the_caller_stands_alone() -> None:
    said = record("there is no file")
    said.is_answer = True
    assert TextFormat(verbose=True).format(said) == "there is no file"
