"""`mafnet-completion SHELL`: what a shell completes of our commands, as its own script.

shtab writes it from the parsers. Needs the extra `completion`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from weights.printable import PlainParser
from weights.program import called_as

SHELLS = ("bash", "zsh", "tcsh")
# Each console script, where its parser is made, and which of the parser's commands it is.
PARSERS = {
    "mafnet-live": "realtime.command_line.flags:make_parser",
    "mafnet-subscribe": "realtime.client.subscribe:make_parser",
    "mafnet-keys": "realtime.client.keys:make_parser",
    "mafnet-history": "realtime.client.history:make_parser",
    "mafnet-rules": "realtime.client.rules:make_parser",
    "mafnet-weights": "weights.__main__:make_parser",
    "mafnet-train": "mafnet.__main__:make_parser train",
    "mafnet-export": "export.__main__:make_parser",
    "mafnet-completion": "realtime.completion:make_parser",
}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = PlainParser(
        prog=called_as("realtime.completion"),
        description="Print what a shell completes of all mafnet commands, for it to read.",
        epilog='bash: eval "$(mafnet-completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc, '
        "behind compinit; tcsh: mafnet-completion tcsh > FILE, and source FILE in ~/.tcshrc",
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the script; return the exit code."""
    shell: str = make_parser().parse_args(argv).shell
    try:
        import shtab
    except ImportError:
        sys.stderr.write(
            "mafnet-completion: it wants the package shtab, which is not installed; run "
            "`pip install 'mafnet-live[completion]'`\n"
        )
        return 1
    for name, place in PARSERS.items():
        parser = _parser_of(place)
        parser.prog = name
        sys.stdout.write(f"{shtab.complete(parser, shell=shell)}\n")
    return 0


def _parser_of(place: str) -> argparse.ArgumentParser:
    where, _, command = place.partition(" ")
    module, _, function = where.partition(":")
    make: Callable[[], argparse.ArgumentParser] = getattr(importlib.import_module(module), function)
    parser = make()
    for action in parser._actions:
        if command and isinstance(action, argparse._SubParsersAction):
            chosen: argparse.ArgumentParser = action.choices[command]
            return chosen
    return parser


if __name__ == "__main__":
    sys.exit(main())
