"""A Unix socket belongs to whoever listens on it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from realtime.clock import NS_PER_S, ManualClock
from realtime.config import PublisherConfig, RecordConfig
from realtime.errors import OutputError
from realtime.outputs.file_lock import try_lock
from realtime.outputs.recording.store import RecordStore
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy

pytestmark = pytest.mark.timeout(60)


def no_heartbeat() -> Message:
    return Message("heartbeat/", {"type": "heartbeat", "topic_seq": 1})


def make_publisher(bind: str, clock: ManualClock | None = None) -> ZmqPublisher:
    mailbox: Mailbox[Message] = Mailbox(10, Policy.DROP_OLDEST)
    return ZmqPublisher(
        PublisherConfig(bind=bind), mailbox, no_heartbeat, Stats(), clock or ManualClock()
    )


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A socket's path has 107 characters."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", ["ipc://{folder}/events", "ipc://@mafnet-test-{pid}"])
def test_second_publisher_is_refused_and_the_first_goes_on(name: str, short_folder: Path) -> None:
    bind = name.format(folder=short_folder, pid=os.getpid())
    clock = ManualClock()
    first, second = make_publisher(bind, clock), make_publisher(bind)
    first.open()
    try:
        with pytest.raises(OutputError, match="is taken by another program; stop it"):
            second.open()
        with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
            subscriber.subscribe("")
            subscriber.connect(bind)
            while not subscriber.poll(10):
                clock.advance(NS_PER_S)  # the next heartbeat is due
                first.step()
            assert subscriber.recv_multipart(zmq.NOBLOCK)[0] == b"heartbeat/"
            subscriber.close(linger=0)
    finally:
        first.close()


def test_another_programs_socket_is_refused(short_folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(short_folder / "events"))
        other.listen()
        with pytest.raises(OutputError, match="is taken by another program"):
            make_publisher(f"ipc://{short_folder}/events").open()
        assert (short_folder / "events").is_socket()


def test_socket_that_a_killed_program_left_is_replaced_and_none_is_left_at_the_end(
    short_folder: Path,
) -> None:
    path = short_folder / "events"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
        gone.listen()
    assert path.is_socket()  # nobody listens any more

    publisher = make_publisher(f"ipc://{path}")
    publisher.open()
    publisher.close()

    assert not path.exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link to a file"])
def test_what_is_no_socket_stays_and_is_refused(kind: str, short_folder: Path) -> None:
    path = short_folder / "events"
    precious = short_folder / "precious"
    precious.write_text("precious")
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(precious)

    with pytest.raises(OutputError, match="is there and is no socket"):
        make_publisher(f"ipc://{path}").open()

    assert path.is_dir() if kind == "folder" else path.read_text() == "precious"


def test_endpoint_is_refused_while_another_run_opens_it(short_folder: Path) -> None:
    holder = (
        "import fcntl, os, sys\n"
        "claim = os.open(sys.argv[1] + '/events.claim', os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(claim, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(short_folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="is being opened by another program"):
            make_publisher(f"ipc://{short_folder}/events").open()
        other.communicate("")


def test_socket_may_lie_in_the_folder_that_is_recorded_to(short_folder: Path) -> None:
    store = RecordStore(RecordConfig(directory=str(short_folder)))
    store.open()
    publisher = make_publisher(f"ipc://{short_folder}/events")
    try:
        publisher.open()
        assert [path.name for path in short_folder.iterdir()] == ["events"]  # no claim is left
    finally:
        publisher.close()
        store.close()


def test_only_one_of_many_that_open_at_once_has_the_endpoint(short_folder: Path) -> None:
    path = short_folder / "events"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    script = (
        "import sys, time\n"
        "from realtime.errors import OutputError\n"
        "from test_ipc_claim import make_publisher\n"
        "publisher = make_publisher(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "try:\n"
        "    publisher.open()\n"
        "    print('has it', flush=True)\n"
        "except OutputError:\n"
        "    print('refused', flush=True)\n"
        "sys.stdin.readline()\n"
        "publisher.close()\n"
    )
    here = str(Path(__file__).parent)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.append({here!r})\n{script}",
             f"ipc://{path}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    told = []
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("\n")
        run.stdin.flush()
    for run in runs:
        assert run.stdout is not None
        told.append(run.stdout.readline())
    for run in runs:
        run.communicate("\n", timeout=30)

    assert sorted(told) == ["has it\n", "refused\n", "refused\n", "refused\n"]
    assert list(short_folder.iterdir()) == []


def test_a_folder_that_is_locked_here_is_not_locked_twice(tmp_path: Path) -> None:
    descriptors = [os.open(tmp_path, os.O_RDONLY) for _ in range(2)]
    try:
        assert [try_lock(descriptor) for descriptor in descriptors] == [True, False]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def test_socket_of_another_run_stays_when_an_older_one_ends(short_folder: Path) -> None:
    path = short_folder / "events"
    publisher = make_publisher(f"ipc://{path}")
    publisher.open()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as newer:
        newer.bind(str(path))
        publisher.close()

    assert path.is_socket()


def test_publisher_is_one_sentence_when_too_many_files_are_open(
    monkeypatch: pytest.MonkeyPatch, short_folder: Path
) -> None:
    def context() -> None:
        raise zmq.ZMQError(errno.EMFILE)

    monkeypatch.setattr("realtime.outputs.socket.zmq_publisher.zmq.Context", context)

    with pytest.raises(OutputError, match="too many files are open") as caught:
        make_publisher(f"ipc://{short_folder}/events").open()
    assert "\n" not in str(caught.value)
