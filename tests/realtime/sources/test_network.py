"""Streams over loopback sockets: no other machine is asked."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from realtime.buffers.frame_ring import END_SLOT
from realtime.buffers.lag import Lag
from realtime.clock import NS_PER_MS, NS_PER_S, Clock, MonotonicClock
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.sources.base import Reader
from realtime.sources.delivery import Delivery
from realtime.sources.factory import open_readers
from realtime.sources.opened import OpenedSource
from realtime.sources.playout import Playout, Stamps
from realtime.sources.sender_clock import SenderClock
from realtime.threads.worker import Worker
from source_builders import Stream, empty_of_content, make_stream, read_to_end, write_media

N_JPEGS = 40


class Handler(BaseHTTPRequestHandler):
    file: Path
    undecodable: Path
    long: Path

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/endless":
            self._send_jpegs(500)
            return
        if self.path.startswith("/live"):
            self._send_jpegs()
            return
        file = {"/undecodable": self.undecodable, "/cut": self.long}.get(self.path, self.file)
        data = file.read_bytes()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.path == "/cut":
            self._send(data[: len(data) // 2])
            self.connection.close()
            return
        self._send(data)

    def _send_jpegs(self, n_jpegs: int = N_JPEGS) -> None:
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for i in range(n_jpegs):
            picture = io.BytesIO()
            Image.new("RGB", (64, 48), (i * 5 % 256, 0, 0)).save(picture, "JPEG")
            data = picture.getvalue()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            if not self._send(head.encode() + data + b"\r\n"):
                return
            time.sleep(0.02)
        if self.path == "/live/hang":
            time.sleep(20.0)

    def _send(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
        except OSError:  # the reader hung up
            return False
        return True

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("web")
    Handler.file = write_media(folder / "a.mkv", seconds=1.0)
    Handler.long = write_media(folder / "long.mkv", seconds=8.0)
    Handler.undecodable = empty_of_content(write_media(folder / "b.mp4", video_codec="h264"))
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.block_on_close = False
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()


def open_config(config: SourceConfig, clock: Clock | None = None) -> tuple[Stream, OpenedSource]:
    stream = make_stream(live=True, clock=clock or MonotonicClock())
    i = stream.inlet
    opened = open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)
    return stream, opened


def read_until_lost(reader: Reader) -> str:
    """Read until the server has hung up; return what is said of it."""
    with pytest.raises(SourceError, match="ended by its server") as lost:
        step_to_end(reader)
    return str(lost.value)


def read_together(readers: Sequence[Reader]) -> None:
    """Read a recording's senses to their ends, each in a thread of its own."""
    stop = threading.Event()
    workers = [Worker(reader.name, reader.step, stop) for reader in readers]
    for worker in workers:
        worker.start()
    for worker, reader in zip(workers, readers, strict=True):
        assert worker.join(30)
        assert worker.error is None
        reader.close()


def step_to_end(reader: Reader) -> None:
    while reader.step():
        pass


@pytest.mark.timeout(60)
def test_jpeg_frames_are_dated_when_they_arrive(server: str) -> None:
    config = SourceConfig(name="c", kind="live", reconnect=False, camera=f"{server}/live/end")
    stream, opened = open_config(config)
    (reader,) = opened.readers
    began_ns = stream.clock.now_ns()
    read_until_lost(reader)
    reader.close()

    assert (opened.senses.picture, opened.senses.sound) == (True, False)
    newest = stream.frames.newest_at(END_SLOT)
    assert newest is not None
    assert began_ns < newest[1] <= stream.clock.now_ns()
    assert stream.slots()[0] == 0


@pytest.mark.timeout(60)
def test_a_camera_is_lost_when_its_server_hangs_up(server: str) -> None:
    config = SourceConfig(name="c", kind="live", reconnect=False, camera=f"{server}/live/end")
    _, opened = open_config(config)
    (reader,) = opened.readers

    assert "/live/end" in read_until_lost(reader)
    reader.close()


@pytest.mark.timeout(60)
def test_a_stream_is_over_when_its_server_hangs_up(server: str) -> None:
    config = SourceConfig(name="c", kind="media", media=f"{server}/live/end", reconnect=False)
    stream, opened = open_config(config)

    read_to_end(*opened.readers)

    assert stream.frames.ended


@pytest.mark.timeout(60)
@pytest.mark.parametrize("reconnect", [False, True])
def test_recording_of_which_nothing_can_be_decoded_is_one_sentence(
    server: str, reconnect: bool
) -> None:
    media = f"{server}/undecodable"
    config = SourceConfig(name="c", kind="media", media=media, reconnect=reconnect)

    with pytest.raises(SourceError, match=r"undecodable was opened, but not one picture or sound"):
        open_config(config)


@pytest.mark.timeout(60)
def test_a_stream_begins_at_the_first_step_when_its_camera_sent_pictures_before(
    server: str,
) -> None:
    config = SourceConfig(name="c", kind="live", reconnect=False, camera=f"{server}/endless")
    stream, opened = open_config(config)
    (reader,) = opened.readers
    time.sleep(0.5)  # models load; the server sends on
    began_ns = stream.clock.now_ns()
    while stream.count("frames") < 5:
        assert reader.step()
    reader.close()

    assert stream.timeline.epoch_ns is not None
    assert stream.timeline.epoch_ns > began_ns - 100 * NS_PER_MS  # the one that was on its way
    assert stream.count("dropped_packets") == 0


class BrokenClock(MonotonicClock):
    """Fails in the thread of the socket."""

    def now_ns(self) -> int:
        if threading.current_thread().name == "capture-socket":
            raise RuntimeError("no time")
        return super().now_ns()


@pytest.mark.timeout(60)
def test_the_reader_fails_when_its_helper_thread_meets_an_unforeseen_error(server: str) -> None:
    config = SourceConfig(name="c", kind="live", reconnect=False, camera=f"{server}/endless")
    _, opened = open_config(config, BrokenClock())
    (reader,) = opened.readers
    with pytest.raises(RuntimeError, match="no time"):
        step_to_end(reader)
    reader.close()


@pytest.mark.timeout(60)
def test_close_is_quick_when_the_sender_hangs(server: str) -> None:
    config = SourceConfig(name="c", kind="live", reconnect=False, camera=f"{server}/live/hang")
    stream, opened = open_config(config)
    (reader,) = opened.readers
    n_frames = -1
    while stream.count("frames") != n_frames:  # until a step gets nothing
        n_frames = stream.count("frames")
        assert reader.step()
    before = time.monotonic()
    assert reader.step()
    reader.close()

    assert time.monotonic() - before < 1.5


@pytest.mark.timeout(60)
def test_a_recording_on_a_server_plays_at_its_own_speed(
    server: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = SourceConfig(name="c", kind="media", media=f"{server}/a.mkv")
    stream, opened = open_config(config)
    before = time.monotonic()
    read_together(opened.readers)

    assert time.monotonic() - before >= 0.8
    assert (opened.senses.picture, opened.senses.sound) == (True, True)
    assert len(stream.slots()) >= 14
    assert stream.sounds.end_index >= 15_000
    assert "broke off" not in caplog.text


@pytest.mark.timeout(60)
def test_a_recording_that_breaks_off_is_warned_of(
    server: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, opened = open_config(SourceConfig(name="c", kind="media", media=f"{server}/cut"))
    with caplog.at_level(logging.WARNING):
        read_together(opened.readers)

    (warning,) = [message for message in caplog.messages if "broke off" in message]
    assert "of it were not sent" in warning


def test_a_refused_connection_is_one_sentence_without_the_password() -> None:
    config = SourceConfig(name="c", kind="live", camera="http://bob:secret@127.0.0.1:9/x")
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:9/x cannot be opened") as caught:
        open_config(config)
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(bool(list(Path("/dev").glob("video*"))), reason="this machine has a camera")
@pytest.mark.timeout(60)
def test_the_stream_runs_on_when_only_one_sense_opens(server: str) -> None:
    config = SourceConfig(
        name="c",
        kind="live",
        reconnect=False,
        camera=f"{server}/live/end",
        microphone="no such device",
    )
    _, opened = open_config(config)
    for reader in opened.readers:
        reader.close()

    assert (opened.senses.picture, opened.senses.sound) == (True, False)
    (problem,) = opened.problems
    assert problem.sense == "sound"
    assert problem.state == "lost"
    assert problem.detail


def test_sender_clock_takes_the_least_delay_when_arrival_varies() -> None:
    clock = SenderClock()
    for i in range(100):
        delay_ms = (i * 37) % 90 + 10
        clock.observe(i * 40 * NS_PER_MS, NS_PER_S + (i * 40 + delay_ms) * NS_PER_MS)

    assert clock.time_ns(0) == NS_PER_S + 10 * NS_PER_MS


def test_packets_are_handed_out_when_their_time_stamps_leap_again_and_again() -> None:
    playout: Playout[int] = Playout(Delivery(NS_PER_S // 4), Lag())
    for n in range(100):  # a camera whose clock is broken, while nobody takes anything yet
        stamp_ns = n * 10 * NS_PER_S
        stamps = Stamps(stream=0, start_ns=stamp_ns, end_ns=stamp_ns, play_ns=stamp_ns)
        playout.put(n, 10, stamps, n * 40 * NS_PER_MS)
    now_ns = 100 * 40 * NS_PER_MS
    assert playout.wait_ns(now_ns) == 0

    taken = []
    while (arrived := playout.take(now_ns)) is not None:
        taken.append(arrived.item)
        playout.time_ns(arrived.item * 10 * NS_PER_S, arrived)

    assert taken == list(range(100))


def test_sender_clock_starts_anew_when_time_stamps_jump() -> None:
    clock = SenderClock()
    clock.observe(1000 * NS_PER_S, 5 * NS_PER_S)
    clock.observe(0, 6 * NS_PER_S)

    assert clock.time_ns(0) == 6 * NS_PER_S
