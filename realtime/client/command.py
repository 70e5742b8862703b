"""How a command of ours that works on files runs its subcommand, and ends."""

from __future__ import annotations

import argparse
import os
import sys

from realtime.errors import RecognizerError
from weights.printable import clean


def run_command(name: str, arguments: argparse.Namespace) -> int:
    """Run the chosen subcommand, and say an error in one sentence on stderr.

    Args:
        name: The command's, at the head of an error.
        arguments: As parsed; `run` is the subcommand's function, which takes them all.

    Returns:
        The exit code: what `run` gives, an error's own, 130 after Ctrl-C; 0 where whoever read the
        output has gone.
    """
    try:
        return int(arguments.run(arguments))
    except RecognizerError as error:
        sys.stderr.write(clean(f"{name}: {error}") + "\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # Python would complain again at its own exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
