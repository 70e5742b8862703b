"""Print the commands that the documents give, and how each is run.

    python .ci/commands.py [CLASS ...]

A command is run by a test (`run`, `by`) or by a target of `.ci/run` (`ci`), or by nothing, with the
reason (`not`). Those of docs/lab alone were measured once and have to parse (`lab`). The table is
tests/documents/commands.toml.
"""

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from documents.command_table import documented, of_the_lab, read_table  # noqa: E402

CLASSES = {
    "run": "by tests/documents/test_commands_run.py",
    "by": "by another test",
    "ci": "by .ci/run",
    "not": "by nothing",
    "lab": "measured once; it parses",
}


def main(wanted: list[str]) -> int:
    """Print the list, of some classes alone where they are named; return the exit code."""
    if unknown := set(wanted) - set(CLASSES):
        print(f"a class is {', '.join(CLASSES)}, got {', '.join(unknown)}", file=sys.stderr)
        return 2
    ways = read_table().ways()
    counts: Counter[str] = Counter()
    for command, places in documented().items():
        how, said = ("lab", "") if of_the_lab(command) else ways.get(command, ("?", ""))
        counts[how] += 1
        if not wanted or how in wanted:
            print(f"{places[0]}: {command}\n    {how}: {said or CLASSES.get(how, '')}")
    print(f"\n{counts.total()} commands")
    for name, said in CLASSES.items():
        print(f"{counts[name]:5} {name:4} {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
