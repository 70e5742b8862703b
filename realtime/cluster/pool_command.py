"""`python -m realtime.pool`: recognizes what edges send, in one process.

    python -m realtime.pool --pool local --bind tcp://127.0.0.1:5570 --edge door --edge yard \
        -- --web 127.0.0.1:8080

Place in the flow: it opens the door for edges, makes `edge://NAME` a source of this process, and
is `mafnet-live` from there on; what stands behind `--` are its flags. Exit codes are its too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from realtime.clock import BootClock
from realtime.cluster.edge_reader import edge_kind
from realtime.cluster.endpoint import DEFAULT_ENDPOINT, edge_name
from realtime.cluster.hub import Hub
from realtime.cluster.protocol import Welcome
from realtime.command_line.flags import make_parser as make_live_parser
from realtime.command_line.main import main as live_main
from realtime.command_line.settings import make_config
from realtime.config import RunConfig
from realtime.errors import RecognizerError, UsageError
from realtime.redaction import redacted
from realtime.sources.registry import register_source
from weights.dependencies import restrain
from weights.paths import to_path
from weights.printable import PlainParser, clean
from weights.program import called_as
from weights.store import default_home

SCHEME = "edge"
_NO_EDGES = "a pool wants edges: name each with --edge NAME, or as media edge://NAME in --config"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    own, live = split(sys.argv[1:] if argv is None else argv)
    arguments = make_parser().parse_args(own)
    restrain(default_home())
    flags = live_flags(arguments.edge, live)
    try:
        wanted = make_live_parser().parse_args(flags)
        if not arguments.edge and wanted.config is None:
            raise UsageError(_NO_EDGES)
        config = make_config(wanted)
        hub = Hub(arguments.bind, arguments.curve, BootClock())
        expected = edges_of(config)
        hub.open(welcome_of(config))
    except RecognizerError as error:
        sys.stderr.write(clean(redacted(f"pool: {error}")) + "\n")
        return error.exit_code
    for name in expected:
        hub.link(name)
    register_source(SCHEME, edge_kind(hub))
    hub.start()
    sys.stderr.write(f"pool: edges come in at {hub.endpoint}; expected: {', '.join(expected)}\n")
    try:
        return live_main(flags)
    finally:
        hub.close()


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the pool's own flags from those of `mafnet-live`, which stand behind `--`."""
    words = list(argv)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def live_flags(edges: Sequence[str], live: Sequence[str]) -> list[str]:
    """Return what `mafnet-live` would be called with."""
    sources = [word for name in edges for word in ("--source", f"{SCHEME}://{name}")]
    return [*sources, "--wait", *live]


def edges_of(config: RunConfig) -> list[str]:
    """Return the names of the streams that edges send.

    Raises:
        UsageError: There is none, or its edge would have another name than the stream.
    """
    places = [source.media or "" for source in config.sources]
    names = [edge_name(place) for place in places if place.startswith(f"{SCHEME}://")]
    if not names:
        raise UsageError(_NO_EDGES)
    if len(set(names)) < len(names):
        raise UsageError(f"each edge has one stream, got {', '.join(names)}")
    return names


def welcome_of(config: RunConfig) -> Welcome:
    """Return which pictures edges are asked for: those that the bundle's trunk reads.

    Raises:
        ModelError: There is no such bundle.
    """
    from realtime.build import frame_transform
    from realtime.bundle_settings import find_bundle, grid_hz_of

    bundle = find_bundle(config.bundle)
    transform = frame_transform(bundle)
    return Welcome(
        resize_to=transform.resize_to,
        size=transform.size,
        crop=transform.crop,
        interpolation=transform.interpolation,
        grid_hz=grid_hz_of(bundle, config.window.grid_hz),
    )


def make_parser() -> argparse.ArgumentParser:
    """Return the pool's own flags."""
    parser = PlainParser(
        prog=called_as("realtime.pool"),
        description="Recognize what edges send (python -m realtime.edge). What stands behind -- "
        "are flags of mafnet-live: outputs, bundle, settings file.",
    )
    parser.add_argument(
        "--pool", choices=["local"], default="local", help="where it computes: in this process"
    )
    parser.add_argument(
        "--bind",
        default=DEFAULT_ENDPOINT,
        metavar="tcp://HOST:PORT",
        help="for edges (%(default)s)",
    )
    parser.add_argument(
        "--edge", action="append", default=[], metavar="NAME", help="an edge; give it for each"
    )
    parser.add_argument(
        "--curve",
        type=to_path,
        metavar="DIR",
        help="encrypt, and let known edges in, each as the name of its key (realtime.keys)",
    )
    return parser
