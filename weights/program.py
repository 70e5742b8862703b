"""What commands share: what they were called by, for help and errors, and where their log goes."""

import logging
import sys
from pathlib import Path

from weights.printable import PlainFormatter

# `[project.scripts]` of pyproject.toml, and the name that `mafnet-live` had.
SCRIPTS = (
    "mafnet-completion",
    "mafnet-export",
    "mafnet-history",
    "mafnet-keys",
    "mafnet-live",
    "mafnet-rules",
    "mafnet-subscribe",
    "mafnet-train",
    "mafnet-weights",
    "run-stream",
)


def called_as(module: str, file: str = "") -> str:
    """Return how the running command is called again.

    Args:
        module: What `python -m` takes.
        file: A file that may stand for it, such as `run_stream.py`.
    """
    path = Path(sys.argv[0]) if sys.argv else Path()
    if path.stem in SCRIPTS:
        return path.stem
    if file and path.name != "__main__.py":
        return f"python {file}"
    return f"python -m {module}"


def short_name(file: str = "run_stream") -> str:
    """Return what the running command calls itself at the head of an error."""
    path = Path(sys.argv[0]) if sys.argv else Path()
    return path.stem if path.stem in SCRIPTS else file


def log_to_stderr() -> None:
    """Have a command's log lines, from INFO on, printed as one line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
