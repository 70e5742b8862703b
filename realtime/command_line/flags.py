"""The flags of `run_stream.py` and their help; `settings` beside it says what they mean."""

from __future__ import annotations

import argparse
from typing import NoReturn

from realtime.config import DEFAULT_BIND, LOG_FORMATS, TRANSPORTS
from realtime.redaction import redacted
from weights.paths import to_path
from weights.printable import PlainParser
from weights.program import called_as

PROGRAM = "run_stream.py"  # in a checkout; the wheel has `mafnet-live`
# What `--profile` sets of `[window]`; the file and other flags win over it.
PROFILES: dict[str, dict[str, float | int]] = {"full": {}, "small": {"hop_s": 0.5, "grid_hz": 2}}
EXAMPLES = """examples:
  python run_stream.py --camera 0                    camera and default microphone
  python run_stream.py --mic default                 microphone alone
  python run_stream.py --source clip.mp4             a file, as fast as possible
  python run_stream.py --source rtsp://host/stream   a network stream
  python run_stream.py --source a.mp4 --source b.mp4 several streams in one program
  python run_stream.py --source demo --pace          the built-in scene, as it plays
  python run_stream.py --doctor                      what is here, and what is wrong
  python run_stream.py --print-config > stream.toml  all settings, to change and --config
  python -m realtime.subscribe                       in another terminal: the events
"""


class _Parser(PlainParser):
    """Does not repeat a password when it complains about a flag."""

    def error(self, message: str) -> NoReturn:
        super().error(redacted(message))


def make_parser() -> argparse.ArgumentParser:
    """Return the flags; a flag that is not given is None, so that a config file can speak."""
    program = called_as("realtime", PROGRAM)
    parser = _Parser(
        prog=program,
        description="Recognize audio-visual events live: named events with onset, offset, "
        "confidence and evidence, over ZeroMQ and on the terminal.",
        epilog=EXAMPLES.replace(f"python {PROGRAM}", program),
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
    for track, what in (("--audio-track", "sound"), ("--video-track", "picture")):
        source.add_argument(
            track, type=int, metavar="N", help=f"which of several {what} tracks of a file, from 0"
        )
    source.add_argument("--pace", action="store_true", default=None, help="play a file as it plays")
    source.add_argument("--loop", action="store_true", default=None, help="repeat the demo")
    source.add_argument(
        "--no-reconnect", action="store_true", help="give a lost camera, microphone or stream up"
    )
    source.add_argument(
        "--wait",
        action="store_true",
        default=None,
        help="look for a source that is not there at the start, rather than fail",
    )
    source.add_argument(
        "--transport", choices=TRANSPORTS, help="of RTSP (default: TCP, or UDP where refused)"
    )
    source.add_argument("--duration", type=float, metavar="S", help="end after S seconds of stream")
    model = parser.add_argument_group("model")
    model.add_argument("--bundle", metavar="starter|ave|PATH", help="weights (default: starter)")
    model.add_argument("--device", help="auto, cpu, cuda or mps (default: auto)")
    model.add_argument("--backend", help="auto, torch or openvino (default: auto)")
    model.add_argument("--precision", help="auto, float32, bfloat16 or float16 (default: auto)")
    model.add_argument(
        "--profile",
        choices=list(PROFILES),
        help="small: fewer pictures, a longer hop, for a slow machine (default: full)",
    )
    model.add_argument("--hop", type=float, metavar="S", help="time between decisions (0.25)")
    model.add_argument("--window", type=int, metavar="T", help="clips of 1 s in a window (10)")
    model.add_argument("--on", type=float, metavar="P", help="score at which an event starts")
    model.add_argument("--off", type=float, metavar="P", help="score under which it ends")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--bind", metavar="ENDPOINT", help=f"event socket (default: {DEFAULT_BIND})"
    )
    output.add_argument(
        "--curve",
        metavar="DIR",
        help="encrypt, and let known clients in (realtime.keys makes it)",
    )
    output.add_argument("--no-publish", action="store_true", help="no event socket")
    output.add_argument(
        "--insecure", action="store_true", default=None, help="allow --bind beyond this machine"
    )
    output.add_argument("--metrics", metavar="HOST:PORT", help="a page of figures for Prometheus")
    output.add_argument("--no-dashboard", action="store_true", help="plain lines on a terminal too")
    output.add_argument(
        "--picture", action="store_true", default=None, help="the picture on the dashboard (key v)"
    )
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
    output.add_argument(
        "--history",
        metavar="FILE",
        help="keep what happened in this database (with --record: history.db in its folder)",
    )
    output.add_argument(
        "--explain",
        metavar="FILE.html",
        help="at the end, a page that shows why each event was told",
    )
    output.add_argument(
        "--mqtt", metavar="HOST[:PORT]", help="tell an MQTT broker, and Home Assistant behind it"
    )
    output.add_argument(
        "--web",
        metavar="HOST:PORT",
        help="a page in the browser: what happens, what happened, was it right",
    )
    output.add_argument(
        "--web-password-file",
        metavar="FILE",
        help="who wants in must know the password (mafnet-keys password makes it)",
    )
    other = parser.add_argument_group("other")
    other.add_argument("--config", type=to_path, metavar="FILE.toml", help="settings; flags win")
    other.add_argument("--list-devices", action="store_true", help="cameras and microphones here")
    other.add_argument(
        "--doctor",
        action="store_true",
        help="look at all that a run would use, and say what is wrong; try its devices",
    )
    other.add_argument("--json", action="store_true", help="with --doctor: one JSON object")
    other.add_argument(
        "--calibrate", action="store_true", help="clap: measure how far the picture lags, keep it"
    )
    other.add_argument("--print-config", action="store_true", help="the settings in force, as TOML")
    other.add_argument("--log-format", choices=LOG_FORMATS, help="of stderr (default: text)")
    other.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
    return parser
