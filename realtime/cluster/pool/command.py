"""`python -m realtime.pool`: recognizes what edges send, in one process or in many on Ray.

    python -m realtime.pool --pool local --bind tcp://127.0.0.1:5570 --edge door --edge yard \
        -- --web 127.0.0.1:8080

Place in the flow: it opens the door for edges, makes `edge://NAME` a source of this process, and
is `mafnet-live` from there on; what stands behind `--` are its flags. Exit codes are its too. With
`--ray` the door tells edges where to go, and a `PoolRun` stands in place of the pipeline.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from realtime.addresses import is_port
from realtime.clock import BootClock
from realtime.cluster.ingest.edge_reader import edge_kind
from realtime.cluster.ingest.hub import Hub
from realtime.cluster.ingest.welcome import NO_EDGES, SCHEME, edges_of, welcome_of
from realtime.cluster.pool.ray_environment import prepare
from realtime.cluster.wire.endpoint import DEFAULT_ENDPOINT
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    own, live = split(sys.argv[1:] if argv is None else argv)
    arguments = make_parser().parse_args(own)
    restrain(default_home())
    flags = live_flags(arguments.edge, live)
    try:
        wanted = make_live_parser().parse_args(flags)
        if not arguments.edge and wanted.config is None:
            raise UsageError(NO_EDGES)
        config = make_config(wanted)
        if arguments.ray is not None:
            return _on_ray(arguments, config, flags)
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


def _on_ray(arguments: argparse.Namespace, config: RunConfig, flags: list[str]) -> int:
    """Run a pool of several recognizers."""
    prepare(arguments.ray, os.environ)
    from realtime.cluster.pool.ray_pool import joiner  # imports Ray: only where wanted
    from realtime.cluster.pool.run import FrontSettings, PoolRun

    edges_of(config, like_streams=True)
    join = joiner(arguments)
    settings = FrontSettings(bind=arguments.bind, curve=arguments.curve)
    return live_main(flags, lambda run, json: PoolRun(run, settings, join, json))


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
    cluster = parser.add_argument_group("several recognizers, on a Ray cluster")
    cluster.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="HOST:PORT of the cluster's head, auto for the one this machine is in, local for one "
        "of this machine alone",
    )
    cluster.add_argument("--actors", type=_count, metavar="N", help="at most (as many as fit)")
    cluster.add_argument(
        "--streams-per-actor",
        type=_count,
        default=8,
        metavar="N",
        help="before another one is started (%(default)s)",
    )
    cluster.add_argument(
        "--spare", type=int, default=1, metavar="N", help="actors beyond that (%(default)s)"
    )
    cluster.add_argument("--cpus", type=float, default=1.0, metavar="N", help="of an actor (1)")
    cluster.add_argument("--gpus", type=float, default=0.0, metavar="N", help="of an actor (0)")
    cluster.add_argument(
        "--ports", type=_ports, metavar="FIRST-LAST", help="of actors at their nodes (any)"
    )
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on is wanted, got {text!r}")
    return int(text)


def _ports(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not (is_port(first) and is_port(last) and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"ports are FIRST-LAST such as 5571-5599, got {text!r}")
    return int(first), int(last)
