"""`python -m realtime.edge`: captures here, has a pool elsewhere recognize it.

    python -m realtime.edge --camera 0 --to tcp://127.0.0.1:5570 --name door

Exit codes: 0 done, 1 it ran and failed, 2 usage, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from realtime.clock import NS_PER_S, Clock
from realtime.cluster.edge.skewed_clock import clock_of
from realtime.cluster.edge.uplink import Uplink
from realtime.cluster.wire.endpoint import DEFAULT_ENDPOINT
from realtime.cluster.wire.pictures import QUALITY
from realtime.cluster.wire.protocol import JPEG, RAW, Welcome
from realtime.command_line.flags import make_parser as make_live_parser
from realtime.command_line.log_format import TextFormat
from realtime.command_line.settings import make_config
from realtime.config import SourceConfig
from realtime.errors import RecognizerError
from realtime.redaction import redacted
from weights.dependencies import restrain
from weights.paths import to_path
from weights.printable import PlainParser, clean
from weights.program import called_as
from weights.store import default_home

logger = logging.getLogger(__name__)

CODINGS = {"jpeg": JPEG, "raw": RAW}
_SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    restrain(default_home())
    arguments = make_parser().parse_args(argv)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormat(verbose=arguments.verbose))
    level = logging.DEBUG if arguments.verbose else logging.INFO
    logging.basicConfig(level=level, handlers=[handler], force=True)
    stop = _Stop()
    try:
        config = _source(arguments)
        return _run(config, arguments, clock_of(arguments.test_clock), stop) or stop.code
    except RecognizerError as error:
        sys.stderr.write(clean(redacted(f"edge: {error}")) + "\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


class _Stop:
    """Set by a signal, with the exit code that it means."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.code = 0
        for number in _SIGNALS:
            signal.signal(number, self._take)

    def _take(self, number: int, _: FrameType | None) -> None:
        self.code = self.code or _SIGNALS[signal.Signals(number)]
        self.event.set()


def _source(arguments: argparse.Namespace) -> SourceConfig:
    """Read the source as `mafnet-live` does."""
    live = make_live_parser().parse_args([])
    for name in ("camera", "mic", "name", "loop"):
        setattr(live, name, getattr(arguments, name))
    live.source = None if arguments.source is None else [arguments.source]
    live.no_publish = True
    return make_config(live, {}).source


def _run(config: SourceConfig, arguments: argparse.Namespace, clock: Clock, stop: _Stop) -> int:
    is_device = config.kind == "live"
    uplink = Uplink(
        arguments.to,
        config.name,
        picture=config.camera is not None or not is_device,
        sound=config.microphone is not None or not is_device,
        curve=arguments.curve,
        clock=clock,
    )
    try:
        while not stop.event.is_set():
            welcome = uplink.welcome
            if welcome is None:
                uplink.step()
            elif _serve(config, arguments, welcome, uplink, clock, stop):
                break
    finally:
        uplink.close()
    return 0


def _serve(
    config: SourceConfig,
    arguments: argparse.Namespace,
    welcome: Welcome,
    uplink: Uplink,
    clock: Clock,
    stop: _Stop,
) -> bool:
    """Capture and send; return True at the end, False once the pool wants other pictures."""
    from realtime.cluster.edge.capture import Capture  # imports what reads sources
    from realtime.cluster.edge.outlet import Outlet

    with ThreadPoolExecutor(1, "capture-open") as opening:  # which may take seconds
        future = opening.submit(Capture, config, welcome, uplink.news, clock)
        while not (future.done() or stop.event.is_set()):
            uplink.step()
        capture = future.result()
    outlet = Outlet(capture.rings, CODINGS[arguments.pictures], arguments.quality)
    began_ns: int | None = None
    try:
        while not stop.event.is_set():
            uplink.step()
            if uplink.welcome != welcome:
                logger.warning("the pool wants other pictures now; the source is opened anew")
                return False
            if uplink.wanted and began_ns is None:
                began_ns = clock.now_ns()
                uplink.serve(outlet, capture.timeline)
                capture.start()
            if began_ns is not None and outlet.is_over:
                capture.raise_fault()
                return True
        return True
    finally:
        uplink.serve(None, None)
        capture.close()
        lasted_ns = 0 if began_ns is None else clock.now_ns() - began_ns
        logger.info(
            "sent %.3f MB in %.1f s; %d pictures and %.2f s of sound were not sent",
            outlet.n_bytes / 1e6,
            lasted_ns / NS_PER_S,
            outlet.n_lost_pictures,
            outlet.n_lost_samples / 16_000,
        )


def _quality(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 95:
        raise argparse.ArgumentTypeError(f"a quality is 1 to 95, got {text!r}")
    return int(text)


def make_parser() -> argparse.ArgumentParser:
    """Return the flags."""
    parser = PlainParser(
        prog=called_as("realtime.edge"),
        description="Capture pictures and sound here, and send them to a pool that recognizes.",
    )
    parser.add_argument("--camera", metavar="N|PATH|URL", help="camera index, device or URL")
    parser.add_argument("--mic", metavar="N|NAME|none", help="microphone (default: default)")
    parser.add_argument("--source", metavar="FILE|URL|demo", help="in place of a camera")
    parser.add_argument("--loop", action="store_true", default=None, help="repeat the demo")
    parser.add_argument("--name", help="the stream's name; the pool must expect it")
    parser.add_argument(
        "--to", default=DEFAULT_ENDPOINT, metavar="tcp://HOST:PORT", help="the pool (%(default)s)"
    )
    parser.add_argument(
        "--curve", type=to_path, metavar="DIR", help="this edge's keys (realtime.keys client)"
    )
    parser.add_argument("--pictures", choices=list(CODINGS), default="jpeg", help="how they travel")
    parser.add_argument("--quality", type=_quality, default=QUALITY, metavar="1-95", help="of JPEG")
    parser.add_argument("--test-clock", help=argparse.SUPPRESS)  # OFFSET_S,PPM: a wrong clock
    parser.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
    return parser
