import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client_publisher import WAIT_S, Publisher
from realtime.client import decoding, subscriber
from realtime.client.decoding import decode
from realtime.client.subscribe import main
from realtime.client.subscriber import Received, Subscriber
from realtime.clock import ManualClock, WallClock
from realtime.config import DEFAULT_BIND
from realtime.errors import UsageError
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.terminal.lines import message_line
from realtime.outputs.wire import VERSION, Message

pytestmark = pytest.mark.timeout(60)


def receive(subscriber: Subscriber) -> Received:
    message = subscriber.receive(WAIT_S)
    assert message is not None, "no message came"
    return message


def test_the_default_endpoint_and_version_are_the_publishers() -> None:
    assert (subscriber.DEFAULT_ENDPOINT, decoding.VERSION) == (DEFAULT_BIND, VERSION)


def test_it_starts_without_numpy_torch_and_rich() -> None:
    code = (
        "import sys, realtime.client.subscriber; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'torch', 'rich')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_messages_of_the_wanted_kind_are_handed_out(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint) as subscriber:
        publisher.wait_for_subscription()
        publisher.send("heartbeat/")
        publisher.send("prediction/door/")
        publisher.send("event/door/", label="Siren")
        message = receive(subscriber)
    assert (message.topic, message.body["label"]) == ("event/door/", "Siren")
    assert not message.is_replay


def test_sources_and_labels_are_filtered(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, sources=["cam1"], labels=["Bark"]) as subscriber:
        publisher.wait_for_subscription()
        publisher.send("event/cam10/", label="Bark")
        publisher.send("event/cam1/", label="Siren", topic_seq=1)
        publisher.send("event/cam1/", label="Bark", topic_seq=2)
        message = receive(subscriber)
    assert (message.topic, message.body["topic_seq"]) == ("event/cam1/", 2)


LABELS = ["Background", "Bark", "Siren", "Police car (siren)", "Male speech, man speaking"]


@pytest.mark.parametrize("wanted", ["bark", "BARK", " Bark ", "male SPEECH, man speaking"])
def test_label_is_found_in_any_case(publisher: Publisher, wanted: str) -> None:
    with Subscriber(publisher.endpoint, labels=[wanted]) as subscriber:
        publisher.wait_for_subscription()
        publisher.send("status/door/", labels=LABELS, background="Background")
        publisher.send("event/door/", label="Siren")
        publisher.send("event/door/", label=LABELS[4] if "speech" in wanted.lower() else "Bark")
        label = receive(subscriber).body["label"]
    assert str(label).casefold() == wanted.strip().casefold()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("Barking", "near ones are Bark$"),
        ("sirene", "near ones are Siren"),
        ("siren ", None),
        ("speech", "near ones are Male speech, man speaking$"),
        ("Background", "it has 4: Bark, Siren"),
        ("Glocke", "it has 4: Bark, Siren"),
        ("\x9b2J", "names no event"),
        ("", "names no event ''"),
    ],
)
def test_label_that_there_is_not_is_an_error_with_near_ones(
    publisher: Publisher, capsys: pytest.CaptureFixture[str], wanted: str, words: str | None
) -> None:
    send_in_thread(
        publisher,
        lambda: (
            publisher.send("status/door/", labels=LABELS, background="Background", replay=True),
            publisher.send("event/door/", label="Siren"),
        ),
    )
    flags = ["--count", "1", "--timeout", "10", "--label", "bark", "--label", wanted]

    code = main([publisher.endpoint, *flags])

    said = capsys.readouterr().err
    if words is None:
        assert (code, said) == (0, "")
        return
    assert code == 2
    assert re.search(words, said, re.MULTILINE)
    assert said.count("\n") == 1
    assert said.removesuffix("\n").isprintable()


def test_label_waits_for_a_publisher_that_is_not_there_yet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    late: list[Publisher] = []

    def come() -> None:
        late.append(Publisher(f"tcp://127.0.0.1:{port}"))
        late[0].wait_for_subscription()
        late[0].send("status/door/", labels=LABELS)

    sender = threading.Timer(0.3, come)
    sender.start()
    try:
        code = main([f"tcp://127.0.0.1:{port}", "--label", "sirenn", "--timeout", "20"])
    finally:
        sender.join()
        late[0].close()
    assert code == 2
    assert "near ones are Siren" in capsys.readouterr().err


def test_another_run_with_other_labels_ends_nothing(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, labels=["Bark"], on_notice=lambda _: None) as subscriber:
        publisher.wait_for_subscription()
        publisher.send("status/door/", labels=LABELS)
        publisher.send("status/door/", run="r2", labels=["Siren"])
        publisher.send("event/door/", run="r2", label="Bark")
        assert receive(subscriber).body["label"] == "Bark"


@pytest.mark.parametrize(
    "label", [["x"], {"a": 1}, None, 7, True, ["Bark"], "Barks", "", "\ud800"], ids=str
)
@pytest.mark.parametrize("labels", [["x"], {"Bark": 1}, "Bark", None, 7, []], ids=str)
def test_labels_of_any_kind_from_the_network_end_nothing(
    publisher: Publisher, label: object, labels: object
) -> None:
    with Subscriber(publisher.endpoint, labels=["Bark", "x"]) as subscriber:
        publisher.wait_for_subscription()
        publisher.send("event/door/", label=label)
        if labels != ["x"]:
            publisher.send("status/door/", labels=labels, background=label)
        publisher.send("event/door/", label="Bark", topic_seq=2)
        assert receive(subscriber).body["topic_seq"] == 2


def test_gaps_restarts_and_repeats_are_noticed(publisher: Publisher) -> None:
    notices: list[str] = []
    with Subscriber(publisher.endpoint, on_notice=notices.append) as subscriber:
        publisher.wait_for_subscription()
        publisher.send("event/door/", topic_seq=1)
        publisher.send("event/door/", topic_seq=4)
        publisher.send("event/door/", topic_seq=4, replay=True)
        publisher.send("event/door/", topic_seq=1, run="r2")
        numbers = [receive(subscriber).body["topic_seq"] for _ in range(3)]
    assert numbers == [1, 4, 1]
    assert notices == [
        "2 messages of event/door/ lost",
        "the publisher started anew (run r2, before r1)",
    ]


def test_silence_is_noticed_once_and_so_is_its_end(publisher: Publisher) -> None:
    notices: list[str] = []
    with Subscriber(publisher.endpoint, silence_s=0.05, on_notice=notices.append) as subscriber:
        assert subscriber.receive(0.3) is None
        assert len(notices) == 1
        assert "not even a heartbeat" in notices[0]
        publisher.wait_for_subscription()
        publisher.send("event/door/")
        receive(subscriber)
    assert notices[1:] == [f"{publisher.endpoint} is back"]


GARBAGE = [
    (b"event/x/",),
    (b"event/x/", b"{}", b"{}"),
    (b"event/\xff/", b"{}"),
    (b"event/x/", b""),
    (b"event/x/", b"\xff\xfe"),
    (b"event/x/", b"[" * 100_000),
    (b"event/x/", b'{"v":1' + b"0" * 5000 + b"}"),
    (b"event/x/", b'{"v":NaN}'),
    (b"event/x/", b'{"v":1,"run":"r","type":"event","seq":1,"topic_seq":1,"confidence":1e999}'),
    (b"event/x/", b'{"v":1,"run":"r","type":"event","seq":1,"topic_seq":1,"t":[-9e400]}'),
    (b"event/x/", b"[1, 2]"),
    (b"event/x/", b'{"v":1,"run":"r","type":"event","seq":1,"topic_seq":true}'),
    (b"event/x/", b'{"v":1,"run":7,"type":"event","seq":1,"topic_seq":1}'),
    (b"event/x/", b'{"v":2,"run":"r","type":"event","seq":1,"topic_seq":1}'),
    (b"event/" + b"x" * 600, b'{"v":1,"run":"r","type":"event","seq":1,"topic_seq":1}'),
    (b"event/x/", b'{"v":1,"run":"' + b"r" * 200 + b'","type":"event","seq":1,"topic_seq":1}'),
    (b"event/x/", b'{"v":1,"run":"r","type":"event","seq":1,"topic_seq":' + b"9" * 4299 + b"}"),
    (b"event/x/", b'{"v":1,"run":"r","type":"event","seq":-' + b"9" * 4299 + b',"topic_seq":1}'),
]


def test_garbage_is_a_warning_each_and_the_next_message_arrives(publisher: Publisher) -> None:
    notices: list[str] = []
    with Subscriber(publisher.endpoint, on_notice=notices.append) as subscriber:
        publisher.wait_for_subscription()
        for frames in GARBAGE:
            publisher.send_frames(*frames)
        publisher.send("event/door/", label="Siren")
        assert receive(subscriber).body["label"] == "Siren"
    assert len(notices) == len(GARBAGE)
    assert all(notice.isprintable() for notice in notices)


def test_the_command_survives_garbage_in_every_field(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.send("event/door/")  # nobody listens yet
    evil = {"label": "\x1b[2J\ud800", "onset": [], "evidence": {"picture": 1e308}, "top": {}}
    send_in_thread(
        publisher,
        lambda: (
            publisher.send("event/door/", **evil),
            publisher.send("event/door/", topic_seq=2, duration_s="long", phase=["x"]),
            publisher.send("heartbeat/", topics={"event/door/": "many"}, uptime_s=[]),
        ),
    )
    code = main([publisher.endpoint, "--topic", "all", "--count", "3", "--timeout", "10"])
    out = capsys.readouterr().out
    assert code == 0
    assert "\x1b" not in out
    assert len(out.splitlines()) == 3


def test_json_lines_are_the_objects_that_were_sent(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    send_in_thread(publisher, lambda: publisher.send("event/door/", label="Glocke läutet"))
    assert main([publisher.endpoint, "--json", "--count", "1", "--timeout", "10"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["label"], body["run"]) == ("Glocke läutet", "r1")


HOSTILE = "\x9b2J\x90\u202egnp.exe\u2066\x7f\u200b\ufeff"


def test_json_lines_bear_nothing_that_a_terminal_obeys_and_lose_nothing(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    send_in_thread(publisher, lambda: publisher.send("event/door/", label=HOSTILE, **{HOSTILE: 1}))
    assert main([publisher.endpoint, "--json", "--count", "1", "--timeout", "10"]) == 0
    line = capsys.readouterr().out.removesuffix("\n")
    assert line.isprintable()
    assert (json.loads(line)["label"], json.loads(line)[HOSTILE]) == (HOSTILE, 1)


def test_readable_lines_and_complaints_bear_nothing_that_a_terminal_obeys(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {"phase": HOSTILE, "label": HOSTILE, "reason": HOSTILE, "source": HOSTILE}
    send_in_thread(publisher, lambda: publisher.send("event/door/", **fields))
    assert main([publisher.endpoint, "--count", "1", "--timeout", "10"]) == 0
    assert main([f"gopher://{HOSTILE}", "--timeout", "0.1"]) == 2
    assert main(["--curve", f"no{HOSTILE}folder", "--timeout", "0.1"]) == 2
    with pytest.raises(SystemExit):
        main(["tcp://127.0.0.1:9", HOSTILE])
    printed = capsys.readouterr()
    assert all(line.isprintable() for line in (printed.out + printed.err).split("\n"))


def test_a_time_out_without_the_wanted_count_is_a_failure_and_a_sentence(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([publisher.endpoint, "--count", "1", "--timeout", "0.05"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("subscribe: 1 message wanted, 0 came within 0.05 s;")
    assert said.count("\n") == 1
    assert main([publisher.endpoint, "--timeout", "0.05"]) == 0
    assert capsys.readouterr().err == ""


def test_health_is_0_when_recognition_goes_on(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = {"door": {"picture": "ok", "sound": "absent"}}
    send_in_thread(
        publisher,
        lambda: [
            publisher.send("heartbeat/", topic_seq=n, counters={"predictions": n}, sources=sources)
            for n in range(1, 4)
        ],
    )
    assert main([publisher.endpoint, "--health", "--max-age", "30"]) == 0
    assert capsys.readouterr().out.startswith("well: recognition goes on: door picture ok")


def test_health_is_1_when_recognition_stands_still(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    send_in_thread(
        publisher,
        lambda: [
            publisher.send("heartbeat/", topic_seq=n, counters={"predictions": 7})
            for n in range(1, 4)
        ],
    )
    assert main([publisher.endpoint, "--health", "--max-age", "0.5"]) == 1
    assert "stands still" in capsys.readouterr().out


def test_health_is_1_when_there_is_no_heartbeat(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([publisher.endpoint, "--health", "--max-age", "0.1"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("not well: no heartbeat came within 0.1 s from tcp://127.0.0.1:")
    assert out.count("\n") == 1


def test_keys_that_are_not_there_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--curve", "no-such-folder", "--timeout", "0.1"]) == 2
    assert "realtime.keys client" in capsys.readouterr().err


@pytest.mark.parametrize("endpoint", ["nonsense", "tcp://", "", "gopher://x", "tcp://a\x00b:1"])
def test_a_wrong_endpoint_is_one_sentence(
    endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([endpoint, "--timeout", "0.1"]) == 2
    assert capsys.readouterr().err.startswith("subscribe: cannot connect to")


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "flags",
    [
        [f"tcp://u:{SECRET}@127.0.0.1:99999"],
        [f"u:{SECRET}@127.0.0.1:9"],
        [f"tcp://u:{SECRET}@127.0.0.1:9", "--health", "--max-age", "0.1"],
        ["tcp://127.0.0.1:9", f"u:{SECRET}@127.0.0.1:9"],
    ],
)
def test_password_in_an_endpoint_is_not_said(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(SystemExit):  # argparse
        main([*flags, "--timeout", "0.1"])

    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    assert "127.0.0.1" in printed.out + printed.err


@pytest.mark.parametrize("endpoint", ["tcp://::1:5577", "tcp://fe80::1%lo:5577", "tcp://::1"])
def test_ipv6_address_without_brackets_is_one_sentence(
    endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([endpoint, "--timeout", "0.1"]) == 2
    said = capsys.readouterr().err
    assert "stands in brackets, tcp://[" in said
    assert said.count("\n") == 1


def test_a_flood_of_notices_is_said_in_part(publisher: Publisher) -> None:
    notices: list[str] = []
    with Subscriber(publisher.endpoint, on_notice=notices.append) as subscriber:
        publisher.wait_for_subscription()
        for _ in range(300):
            publisher.send_frames(b"event/door/", b"{}")
        publisher.send("event/door/")
        receive(subscriber)
    assert 100 <= len(notices) < 200


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="topics are event"):
        Subscriber(kinds=["events"])


@pytest.mark.parametrize("flag", ["--count", "--timeout", "--max-age"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "many"])
def test_counts_and_times_are_above_zero(flag: str, value: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([flag, value])
    assert ended.value.code == 2


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let processes that are started hear Ctrl-C, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_is_no_traceback(publisher: Publisher) -> None:
    command = [sys.executable, "-m", "realtime.subscribe", publisher.endpoint]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        publisher.wait_for_subscription()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")


def test_a_reader_that_has_gone_is_no_traceback(publisher: Publisher) -> None:
    command = [sys.executable, "-m", "realtime.subscribe", publisher.endpoint]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        publisher.wait_for_subscription()
        assert process.stdout is not None
        process.stdout.close()
        publisher.send("event/door/")
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_an_events_line_says_when_what_how_sure_and_which_sense() -> None:
    body: dict[str, object] = {
        "type": "event",
        "source": "door",
        "phase": "offset",
        "label": "Siren",
        "confidence": 0.97,
        "onset": {"t_s": 10.25},
        "offset": {"t_s": 12.5},
        "duration_s": 2.25,
        "evidence": {"picture": 0.2, "sound": 0.8},
    }
    assert message_line(body).split() == [
        *("door", "0:12.50", "■", "offset", "Siren", "0.97", "sound", "80%", "2.25", "s"),
    ]


def test_an_updates_line_says_how_far_the_stream_is() -> None:
    body: dict[str, object] = {
        "type": "event",
        "phase": "update",
        "onset": {"t_s": 10.25},
        "evidence": {"clip_end_t_s": [10.5, 11.5]},
    }
    assert message_line(body).split()[1] == "0:11.50"


def test_what_the_publisher_makes_can_be_decoded() -> None:
    stamper = MessageStamper("r1", ManualClock(), WallClock.fixed(datetime(2026, 1, 2, tzinfo=UTC)))
    message: Message = stamper.heartbeat({}, {}, {})
    assert decode((message.topic.encode(), message.payload())) == (message.topic, message.body)


names = st.sampled_from(
    [
        *("type", "source", "phase", "label", "confidence", "onset", "offset", "top", "evidence"),
        *("duration_s", "reason", "end", "senses", "state", "detail", "latency_ms", "uptime_s"),
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
)
# The machine that tests may be busy; what is drawn is small.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(
    kind=st.sampled_from(["event", "prediction", "status", "heartbeat", "other"]),
    fields=st.dictionaries(names, json_values),
)
def test_any_object_makes_one_printable_line(kind: str, fields: dict[str, object]) -> None:
    assert message_line({"type": kind, **fields}).isprintable()


@patient
@given(frames=st.lists(st.binary(), max_size=3))
def test_any_frames_are_decoded_or_refused_with_a_reason(frames: list[bytes]) -> None:
    with pytest.raises(ValueError, match="it"):
        decode(frames)


def send_in_thread(publisher: Publisher, send: Callable[[], object]) -> None:
    """Send as soon as somebody has subscribed, while the test waits in the command."""

    def run() -> None:
        publisher.wait_for_subscription()
        send()

    sender = threading.Thread(target=run, daemon=True)
    publisher.senders.append(sender)
    sender.start()
