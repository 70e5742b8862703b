"""Prints how many lines each package has, and how many of them `mafnet-live` can reach.

`python .ci/sizes.py`, from the root. A module is reached if a chain of imports leads from
`realtime.command_line.main` to it, those inside of functions too. Blank lines and docstrings count.
"""

from __future__ import annotations

from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGES = ("realtime", "mafnet", "extractors", "export", "teaching", "weights")
BEGINNING = "realtime.command_line.main"


def main() -> None:
    """Print a table in Markdown."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    reached = {BEGINNING, *graph.find_upstream_modules(BEGINNING)}
    print("| package | lines | reached by `mafnet-live` |\n|---|---|---|")
    total = total_reached = 0
    for package in (*PACKAGES, "extractors.decoding"):
        modules = {m for m in graph.modules if m == package or m.startswith(f"{package}.")}
        lines = sum(map(lines_of, modules))
        n_reached = sum(map(lines_of, modules & reached))
        if package in PACKAGES:
            total, total_reached = total + lines, total_reached + n_reached
        print(f"| `{package}` | {lines} | {n_reached} |")
    print(f"| all | {total} | {total_reached} |")


def lines_of(module: str) -> int:
    """Return how many lines a module has."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return len(path.read_text("utf-8").splitlines())


if __name__ == "__main__":
    main()
