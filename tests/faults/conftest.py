"""`--reliability FILE` puts the table of faults, as this run found it, into a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
COLUMNS = ("fault", "survived", "in the scene", "told", "beyond the fault", "lost beyond it")
_rows: list[tuple[str, ...]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", metavar="FILE", type=Path, help="write the table of faults")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    told: dict[str, Any] = dict(report.user_properties)
    if report.when != "call" or "fault" not in told:
        return
    figures = (told[key] for key in ("in_scene", "told", "beyond", "lost"))
    survived = "yes" if report.passed else "NO"
    _rows.append((str(told["fault"]), survived, *map(str, figures)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    file: Path | None = session.config.getoption("--reliability", default=None)
    if file is None:
        return
    lines = [COLUMNS, ("---",) * len(COLUMNS), *_rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    text = file.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    file.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")
