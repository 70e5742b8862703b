"""The command line: flags and a config file in, a run out; the only place that sets up logging.

Nothing here imports torch, OpenCV, PortAudio or PyAV: `--help`, `--list-devices` and
`--print-config` work without them and at once. Exit codes: 0 done, 1 it ran and failed, 2 usage,
130 interrupted, 143 terminated.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import re
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO

from realtime.clock import MonotonicClock
from realtime.config import (
    DEFAULT_BIND,
    LOG_FORMATS,
    PublisherConfig,
    RecordConfig,
    RunConfig,
    SourceConfig,
    WindowConfig,
    is_network,
)
from realtime.config_file import NO_MICROPHONE, format_config, read_config_file
from realtime.errors import RecognizerError, UsageError
from realtime.log_format import JsonFormat, TextFormat
from realtime.outputs.base import writing
from realtime.redaction import has_secret, redacted, redacted_location
from realtime.supervision import ServiceManager, Watchdog

logger = logging.getLogger(__name__)

# What ends a dashboard when nobody is left to do it: plain style, the old screen, cursor shown.
LEAVE_SCREEN = b"\x1b[0m\x1b[?1049l\x1b[?25h"

EXAMPLES = """examples:
  python run_stream.py --camera 0                    camera and default microphone
  python run_stream.py --mic default                 microphone alone
  python run_stream.py --source clip.mp4             a file, as fast as possible
  python run_stream.py --source rtsp://host/stream   a network stream
  python run_stream.py --source a.mp4 --source b.mp4 several streams in one program
  python run_stream.py --source demo --pace          the built-in scene, as it plays
  python run_stream.py --print-config > stream.toml  all settings, to change and --config
  python -m realtime.subscribe                       in another terminal: the events
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit code."""
    _give_output_a_place()
    parser = make_parser()
    arguments = parser.parse_args(argv)
    _set_up_logging(arguments.verbose, arguments.log_format)
    try:
        if arguments.list_devices:
            from realtime.sources.devices import list_devices  # touches PortAudio

            _answer(list_devices() + "\n")
            return 0
        config = make_config(arguments)
        _set_up_logging(arguments.verbose, config.log_format)
        if arguments.print_config:
            places = [place or "" for s in config.sources for place in (s.camera, s.media)]
            if any(map(has_secret, places)):
                _say("run_stream: these settings hold a password; keep the file to yourself")
            _answer(format_config(config))
            return 0
        return _calibrate(config) if arguments.calibrate else _run(config)
    except RecognizerError as error:
        _say(f"run_stream: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1  # whoever read our output has gone


class _Parser(argparse.ArgumentParser):
    """Does not repeat a password when it complains about a flag."""

    def error(self, message: str) -> NoReturn:
        super().error(redacted(message))


def make_parser() -> argparse.ArgumentParser:
    """Return the flags; a flag that is not given is None, so that a config file can speak."""
    parser = _Parser(
        prog="run_stream.py",
        description="Recognize audio-visual events live: named events with onset, offset, "
        "confidence and evidence, over ZeroMQ and on the terminal.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_argument_group("source")
    source.add_argument("--camera", metavar="N|PATH|URL", help="camera index, device or URL")
    source.add_argument(
        "--mic",
        metavar="N|NAME|none",
        help="microphone number or part of its name (default: default)",
    )
    source.add_argument("--no-mic", action="store_true", help="camera alone; as --mic none")
    source.add_argument(
        "--source",
        action="append",
        metavar="FILE|URL|demo",
        help="a file, a stream, or the demo; give it again for further streams",
    )
    source.add_argument("--name", help="the stream's name in topics and messages")
    source.add_argument("--pace", action="store_true", default=None, help="play a file as it plays")
    source.add_argument("--loop", action="store_true", default=None, help="repeat the demo")
    source.add_argument(
        "--no-reconnect", action="store_true", help="give a lost camera, microphone or stream up"
    )
    source.add_argument("--duration", type=float, metavar="S", help="end after S seconds of stream")
    model = parser.add_argument_group("model")
    model.add_argument("--bundle", metavar="starter|ave|PATH", help="weights (default: starter)")
    model.add_argument("--device", help="auto, cpu, cuda or mps (default: auto)")
    model.add_argument("--backend", help="auto, torch or openvino (default: auto)")
    model.add_argument("--precision", help="auto, float32, bfloat16 or float16 (default: auto)")
    model.add_argument("--hop", type=float, metavar="S", help="time between decisions (0.25)")
    model.add_argument("--window", type=int, metavar="T", help="clips of 1 s in a window (10)")
    model.add_argument("--on", type=float, metavar="P", help="score at which an event starts")
    model.add_argument("--off", type=float, metavar="P", help="score under which it ends")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--bind", metavar="ENDPOINT", help=f"event socket (default: {DEFAULT_BIND})"
    )
    output.add_argument(
        "--curve", metavar="DIR", help="encrypt, and let known clients in (realtime.keys makes it)"
    )
    output.add_argument("--no-publish", action="store_true", help="no event socket")
    output.add_argument(
        "--insecure", action="store_true", default=None, help="allow --bind beyond this machine"
    )
    output.add_argument("--metrics", metavar="HOST:PORT", help="a page of figures for Prometheus")
    output.add_argument("--no-dashboard", action="store_true", help="plain lines on a terminal too")
    output.add_argument(
        "--log-json", action="store_true", default=None, help="events as JSON lines on stdout"
    )
    output.add_argument(
        "--record", metavar="DIR", help="record each event as an MP4 in this folder"
    )
    output.add_argument(
        "--record-labels",
        action="append",
        metavar="A,B",
        help="record only these, such as Bark,Siren; may be given again",
    )
    other = parser.add_argument_group("other")
    other.add_argument("--config", type=Path, metavar="FILE.toml", help="settings; flags win")
    other.add_argument("--list-devices", action="store_true", help="cameras and microphones here")
    other.add_argument(
        "--calibrate", action="store_true", help="clap: measure how far the picture lags, keep it"
    )
    other.add_argument("--print-config", action="store_true", help="the settings in force, as TOML")
    other.add_argument("--log-format", choices=LOG_FORMATS, help="of stderr (default: text)")
    other.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
    return parser


def make_config(arguments: argparse.Namespace) -> RunConfig:
    """Join defaults, the config file and the flags.

    Raises:
        UsageError: They contradict one another or cannot work.
    """
    settings = read_config_file(arguments.config) if arguments.config is not None else {}
    tables = settings.pop("source", {})
    sources = _sources(arguments, tables if isinstance(tables, list) else [tables])
    window = dict(settings.pop("window", {}))
    publisher = settings.pop("publisher", {})
    events = dict(settings.pop("events", {}))
    _replace(window, hop_s=arguments.hop, n_clips=arguments.window)
    _replace(events, on=arguments.on, off=arguments.off)
    for flag in ("bind", "curve"):
        if arguments.no_publish and getattr(arguments, flag) is not None:
            raise UsageError(f"--{flag} and --no-publish contradict each other")
    publishes = not arguments.no_publish and (
        publisher is not False or (arguments.bind, arguments.curve) != (None, None)
    )
    publisher = dict(publisher or {})
    _replace(publisher, bind=arguments.bind, curve=arguments.curve)
    record = _record_config(arguments, dict(settings.pop("record", {})))
    _replace(
        settings,
        bundle=arguments.bundle,
        device=arguments.device,
        backend=arguments.backend,
        precision=arguments.precision,
        duration_s=arguments.duration,
        insecure=arguments.insecure,
        log_json=arguments.log_json,
        metrics=arguments.metrics,
        dashboard=False if arguments.no_dashboard else None,
        log_format=arguments.log_format,
    )
    return RunConfig(
        source=sources[0],
        more_sources=tuple(sources[1:]),
        window=WindowConfig(**window),
        publisher=PublisherConfig(**publisher) if publishes else None,
        record=record,
        events=events,
        **settings,
    )


def _record_config(arguments: argparse.Namespace, settings: dict[str, Any]) -> RecordConfig | None:
    """Return what is recorded: nothing unless a folder is named."""
    labels = arguments.record_labels  # which commas part two of them is known with the bundle
    _replace(settings, directory=arguments.record, labels=None if labels is None else (*labels,))
    if settings and "directory" not in settings:
        raise UsageError("to record, name a folder: --record DIR, or directory under [record]")
    return RecordConfig(**settings) if settings else None


def _sources(arguments: argparse.Namespace, tables: list[dict[str, Any]]) -> list[SourceConfig]:
    """Work out the streams of a file's tables and the flags; `--source` replaces the tables."""
    asked: list[str | None] = arguments.source or [None] * len(tables)
    if arguments.source is not None:  # one table's other settings hold for all
        shared = dict(tables[0]) if len(tables) == 1 else {}
        if len(asked) > 1:
            shared.pop("name", None)
        tables = [shared] * len(asked)
    if len(asked) > 1:
        devices = (arguments.camera, arguments.mic, arguments.no_mic or None)
        if arguments.source is None and devices != (None, None, None):
            raise UsageError(
                f"the settings have {len(asked)} sources; change a camera or microphone under its "
                "[[source]], or give --source"
            )
        if arguments.name is not None:
            raise UsageError(
                f"one name for {len(asked)} sources: give each its own under [[source]]"
            )
    named = [_source_settings(arguments, s, dict(t)) for s, t in zip(asked, tables, strict=True)]
    taken = {settings["name"] for settings in named if "name" in settings}
    for settings in named:
        if "name" not in settings:
            settings["name"] = name = _default_name(settings)
            number = 1
            while settings["name"] in taken:
                number += 1
                settings["name"] = f"{name}-{number}"
            taken.add(settings["name"])
    return [SourceConfig(**settings) for settings in named]


def _source_settings(
    arguments: argparse.Namespace, source: str | None, settings: dict[str, Any]
) -> dict[str, Any]:
    """Work out what a stream is, and its name if it was given one."""
    microphone = NO_MICROPHONE if arguments.no_mic else arguments.mic
    if arguments.no_mic and arguments.mic not in (None, NO_MICROPHONE):
        raise UsageError("--mic and --no-mic contradict each other")
    if source is not None and (arguments.camera, microphone) != (None, None):
        raise UsageError("--source stands alone: it brings its own sound and picture")
    if source is not None:
        for key in ("camera", "microphone", "media", "kind"):
            settings.pop(key, None)
        settings["kind"] = "demo" if source == "demo" else "media"
        if settings["kind"] == "media":
            settings["media"] = source
    elif arguments.camera is not None or microphone not in (None, NO_MICROPHONE):
        for key in ("media", "kind"):
            settings.pop(key, None)
    _replace(settings, camera=arguments.camera, microphone=microphone)
    named = bool({"camera", "media"} & settings.keys())
    named |= settings.get("microphone", NO_MICROPHONE) != NO_MICROPHONE
    if arguments.print_config and not named and settings.get("kind", "live") == "live":
        _say("run_stream: no source given; these are the settings of --camera 0")
        settings["camera"] = "0"
    if "camera" in settings:
        settings.setdefault("microphone", "default")
    if settings.get("microphone") == NO_MICROPHONE:
        del settings["microphone"]
    settings.setdefault("kind", "media" if "media" in settings else "live")
    if settings["kind"] == "live" and not {"camera", "microphone"} & settings.keys():
        raise UsageError(
            "nothing to watch or hear: give --camera 0, --mic default, --source FILE or "
            "--source demo (--help shows examples, --list-devices what is here)"
        )
    _replace(settings, pace=arguments.pace, loop=arguments.loop, name=arguments.name)
    _replace(settings, reconnect=False if arguments.no_reconnect else None)
    return settings


def _default_name(settings: dict[str, Any]) -> str:
    """Name a stream after what it comes from."""
    if settings["kind"] == "demo":
        return "demo"
    if settings["kind"] == "media":
        media = redacted_location(str(settings.get("media", "")))
        if is_network(media):
            host = media.partition("://")[2]
            return _plain(re.split(r"[/:?]", host)[0]) or "stream"
        return _plain(Path(media).stem) or "file"
    camera = settings.get("camera")
    if camera is None:
        return "microphone"
    camera = redacted_location(str(camera))
    return "camera" if is_network(camera) else f"camera-{_plain(Path(camera).name)}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-")


def _replace(settings: dict[str, Any], **flags: object) -> None:
    """Put the flags that were given over the settings of the file."""
    settings.update({name: value for name, value in flags.items() if value is not None})


def _calibrate(config: RunConfig) -> int:
    from realtime.calibrate import calibrate  # no models: numpy and the devices alone
    from realtime.offsets import Offsets
    from weights.store import default_home

    offsets = Offsets(default_home())
    found = calibrate(config.source, offsets, MonotonicClock(), lambda text: _answer(f"{text}\n"))
    _answer(
        f"the picture is {found.offset_ns / 1e6:.0f} ms later than the sound (half of "
        f"{found.n_claps} claps within {found.spread_ns / 1e6:.0f} ms); kept in {offsets.path}\n"
    )
    return 0


def _run(config: RunConfig) -> int:
    from realtime.sources.files import check_files

    check_files(config.sources)  # before seconds of loading
    from realtime.pipeline import Pipeline  # imports all that a run needs

    pipeline = Pipeline(config, json_stream=sys.stdout if config.log_json else None)
    interrupted = _Interrupt()
    service = ServiceManager.of(os.environ)
    watchdog = Watchdog(service, MonotonicClock())
    survivors: list[str] = []
    try:
        pipeline.open()
        from realtime.screen import Screens  # rich: after a missing camera was said

        with Screens(config, _screen_stream(config)) as screens:
            interrupted.running = True
            interrupted.screen = screens.terminal
            pipeline.start()
            service.ready()
            while not (interrupted.exit_code or pipeline.wait(screens.interval_s)):
                watchdog.watch(pipeline.progress())
                screens.show(pipeline)
            service.stopping()
            survivors = pipeline.close()
            screens.show(pipeline)
        interrupted.screen = None
        screens.summarize(pipeline)
    except BaseException as error:
        pipeline.close()
        if interrupted.exit_code and isinstance(error, RecognizerError):
            return interrupted.exit_code  # a library made an error of its own of the signal
        raise
    finally:
        interrupted.restore()
        service.close()
    exit_code = interrupted.exit_code
    try:
        pipeline.raise_failure()
    except RecognizerError as error:
        if not survivors:
            raise
        _say(f"run_stream: {error}")
        exit_code = error.exit_code
    if survivors:
        # A thread inside a native library would be torn down with the interpreter, noisily; one
        # that hangs in a write holds stdout's lock, so that nobody may flush it here.
        logger.warning("ended without waiting for %s", ", ".join(survivors))
        os._exit(exit_code)
    return exit_code


class _Nowhere(io.StringIO):
    """Takes text and forgets it."""

    def write(self, text: str, /) -> int:
        return len(text)


def _screen_stream(config: RunConfig) -> TextIO:
    """Return where people read: not where programs do."""
    if not config.log_json:
        return sys.stdout
    if config.log_format == "json":  # neither stdout nor stderr is for people then
        return _Nowhere()
    return sys.stderr


class _Interrupt:
    """Turns Ctrl-C and SIGTERM into a clean stop; the second one ends the program at once.

    It only leaves a note that main reads: an `Event` may not be set here, main may hold its lock.

    Attributes:
        exit_code: 0 until a signal came.
        running: Whether main looks at `exit_code` often enough.
        screen: File descriptor of the terminal that a dashboard fills; None without one.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        self.running = False
        self.screen: int | None = None
        self._before = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
        }

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.exit_code:
            if self.screen is not None:
                _leave_screen(self.screen)
            os._exit(self.exit_code)
        self.exit_code = 128 + number
        if not self.running:  # models may still load for seconds
            raise SystemExit(self.exit_code)


def _leave_screen(terminal: int) -> None:
    """Give a terminal back, past Python's buffers and locks, unless it is stopped (Ctrl-S)."""
    try:
        if select.select([], [terminal], [], 0)[1]:
            os.write(terminal, LEAVE_SCREEN)
    except (OSError, ValueError):  # it has gone; the program goes too
        return


def _give_output_a_place() -> None:
    """Lead closed output (`>&-`, some service managers) to nowhere; Python has None for it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - for the whole run


def _answer(text: str) -> None:
    """Print what was asked for."""
    with writing(sys.stdout):
        sys.stdout.write(text)
        sys.stdout.flush()


def _set_up_logging(verbose: bool, log_format: str | None) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormat() if log_format == "json" else TextFormat(verbose))
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("PIL", "matplotlib", "libav", "timm"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _say(sentence: str) -> None:
    """Say the one sentence of an error, in the form of the log."""
    logger.error("%s", sentence)
