"""What the commands of the research are given alike."""

import argparse
from pathlib import Path


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that asks for the data, the features of `research.prepare` and YAMNet.

    Args:
        doc: The command's module docstring; its first line describes it.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    for name in ("--data", "--features", "--yamnet"):
        parser.add_argument(name, type=Path, required=True)
    return parser
