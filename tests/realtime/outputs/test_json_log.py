import io
import json
import os
import threading
from typing import TextIO

import pytest

from realtime.errors import OutputError
from realtime.outputs.json_log import JsonLog
from realtime.outputs.output import OutputLoop
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy

EVENT = Message("event/door/", {"type": "event", "label": "Glocke läutet"})


def make_mailbox(*messages: Message) -> Mailbox[Message]:
    mailbox: Mailbox[Message] = Mailbox(10, Policy.WAIT)
    for message in messages:
        mailbox.put(message)
    mailbox.close()
    return mailbox


def make_loop(stream: TextIO, mailbox: Mailbox[Message]) -> OutputLoop:
    return OutputLoop(JsonLog(stream), mailbox, Stats())


def test_events_are_written_one_a_line() -> None:
    stream = io.StringIO()
    log = make_loop(stream, make_mailbox(EVENT, EVENT))
    while log.step():
        pass
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [EVENT.body] * 2


def test_json_is_utf8_whatever_the_streams_encoding_is() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        JsonLog(stream).write(EVENT)
        assert raw.getvalue() == EVENT.payload() + b"\n"


def test_each_line_is_there_before_the_next_step() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as reader, os.fdopen(writing, "w") as stream:
        JsonLog(stream).write(EVENT)
        assert reader.read(1000) == EVENT.payload() + b"\n"


def test_a_reader_that_has_gone_is_one_sentence_and_no_second_complaint() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    os.close(reading)
    log = make_loop(stream, make_mailbox(EVENT))
    with pytest.raises(OutputError, match="has gone"):
        log.step()
    stream.close()  # flushes: to nowhere now


def test_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "w") as stream:  # noqa: PTH123 - a device, not a path of ours
        log = make_loop(stream, make_mailbox(EVENT))
        with pytest.raises(OutputError, match="cannot write the JSON lines"):
            log.step()


def test_it_waits_for_messages_until_the_mailbox_closes() -> None:
    mailbox: Mailbox[Message] = Mailbox(10, Policy.WAIT)
    stream = io.StringIO()
    log = make_loop(stream, mailbox)

    def run() -> None:
        while log.step():
            pass

    thread = threading.Thread(target=run)
    thread.start()
    mailbox.put(EVENT)
    mailbox.close()
    thread.join(5)
    assert not thread.is_alive()
    assert stream.getvalue().count("\n") == 1
