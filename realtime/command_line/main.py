"""The command line: flags and a config file in, a run out; the only place that sets up logging.

Nothing here imports torch, OpenCV, PortAudio or PyAV: `--help`, `--list-devices` and
`--print-config` work without them and at once. Exit codes: 0 done, 1 it ran and failed, 2 usage,
129 hung up, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Sequence
from typing import TextIO

from realtime.clock import MonotonicClock
from realtime.command_line.config_file import format_config
from realtime.command_line.doctor import run_doctor
from realtime.command_line.first_run import choices, offer
from realtime.command_line.flags import make_parser
from realtime.command_line.heap import HeapTrimmer
from realtime.command_line.interrupt import Interrupt
from realtime.command_line.log_format import ANSWER, JsonFormat, TextFormat
from realtime.command_line.reload_signal import ReloadSignal
from realtime.command_line.running import MakeRun
from realtime.command_line.settings import make_config
from realtime.command_line.settings_comments import with_comments
from realtime.command_line.settings_in_force import in_force
from realtime.command_line.supervision import ServiceManager, Watchdog
from realtime.config import RunConfig
from realtime.errors import RecognizerError
from realtime.outputs.base import writing
from realtime.redaction import has_secret
from weights.dependencies import restrain
from weights.printable import clean_lines
from weights.program import short_name
from weights.store import default_home

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, make_run: MakeRun | None = None) -> int:
    """Run the program; return its exit code.

    Args:
        argv: The command line; None for the process's.
        make_run: Makes what recognizes; None for a `Pipeline`, which does it in this process.
    """
    _give_output_a_place()
    restrain(default_home())
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.json and not arguments.doctor:
        parser.error("--json goes with --doctor; events as JSON are --log-json")
    _set_up_logging(arguments.verbose, arguments.log_format)
    try:
        if not (sys.argv[1:] if argv is None else argv) and _is_attended():
            flags = offer(choices(), parser.prog, input, _answer)
            if flags is None:
                return 0
            arguments = parser.parse_args(flags)
        if arguments.list_devices:
            from realtime.sources.devices import list_devices  # touches PortAudio

            _answer(list_devices() + "\n")
            return 0
        if arguments.doctor:
            code = run_doctor(arguments, MonotonicClock(), _answer)
            if any(thread.name == "doctor" for thread in threading.enumerate()):
                os._exit(code)  # a driver hangs: its thread would hang the interpreter's end
            return code
        config = make_config(arguments)
        _set_up_logging(arguments.verbose, config.log_format)
        if arguments.print_config:
            places = [place or "" for s in config.sources for place in (s.camera, s.media)]
            if any(map(has_secret, places)):
                _say(f"{short_name()}: these settings hold a password; keep the file to yourself")
            _answer(with_comments(format_config(config)) + in_force(config))
            return 0
        return _calibrate(config) if arguments.calibrate else _run(config, make_run)
    except RecognizerError as error:
        _say(f"{short_name()}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1  # whoever read our output has gone


def _is_attended() -> bool:
    """Whether somebody sits at a terminal and can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _calibrate(config: RunConfig) -> int:
    from realtime.av_offset.calibrate import calibrate  # no models: numpy and the devices alone
    from realtime.av_offset.offsets import Offsets

    offsets = Offsets(default_home())
    found = calibrate(config.source, offsets, MonotonicClock(), lambda text: _answer(f"{text}\n"))
    _answer(
        f"the picture is {found.offset_ns / 1e6:.0f} ms later than the sound (half of "
        f"{found.n_claps} claps within {found.spread_ns / 1e6:.0f} ms); kept in {offsets.path}\n"
    )
    return 0


def _run(config: RunConfig, make_run: MakeRun | None) -> int:
    from realtime.sources.files import check_files

    check_files(config.sources)  # before seconds of loading
    if make_run is None:
        from realtime.pipeline import Pipeline  # imports all that a run needs

        make_run = Pipeline
    pipeline = make_run(config, sys.stdout if config.log_json else None)
    interrupted = Interrupt()
    reload = ReloadSignal()
    service = ServiceManager.of(os.environ)
    watchdog = Watchdog(service, MonotonicClock())
    heap = HeapTrimmer(MonotonicClock())
    survivors: list[str] = []
    try:
        pipeline.open()
        from realtime.command_line.screen import Screens  # rich: after a missing camera was said

        with Screens(config, _screen_stream(config)) as screens:
            interrupted.running = True
            interrupted.screen = screens.terminal
            interrupted.give_back = screens.keys.restore
            pipeline.start()
            service.ready()
            while not (interrupted.exit_code or screens.quits or pipeline.wait(screens.interval_s)):
                if reload.take():
                    pipeline.take_bundle()
                watchdog.watch(pipeline.progress())
                heap.step()
                screens.show(pipeline)
            service.stopping()
            survivors = pipeline.close()
            screens.show(pipeline)
        interrupted.screen = None
        screens.summarize(pipeline)
    except BaseException as error:
        survivors = pipeline.close()
        if interrupted.exit_code and survivors:
            os._exit(interrupted.exit_code)  # a thread inside a native library, as below
        if interrupted.exit_code and isinstance(error, RecognizerError):
            return interrupted.exit_code  # a library made an error of its own of the signal
        raise
    finally:
        interrupted.restore()
        reload.restore()
        service.close()
    exit_code = interrupted.exit_code
    try:
        pipeline.raise_failure()
    except RecognizerError as error:
        if not survivors:
            raise
        _say(f"{short_name()}: {error}")
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


def _give_output_a_place() -> None:
    """Lead closed output (`>&-`, some service managers) to nowhere; Python has None for it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - for the whole run


def _answer(text: str) -> None:
    """Print what was asked for."""
    with writing(sys.stdout):
        sys.stdout.write(clean_lines(text))  # devices name themselves
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
    logger.error("%s", sentence, extra=ANSWER)
