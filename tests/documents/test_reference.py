"""The reference pages that are written from the code say what the code says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITTEN: dict[str, str] = runpy.run_path(str(ROOT / ".ci" / "reference.py"))["pages"]()


@pytest.mark.parametrize("name", WRITTEN)
def test_page_is_as_make_reference_writes_it(name: str) -> None:
    page = ROOT / "docs" / "reference" / name

    assert page.read_text("utf-8") == WRITTEN[name], "make reference"


@pytest.mark.parametrize("name", ["commands.md", "settings.md"])
def test_each_flag_and_setting_is_explained(name: str) -> None:
    assert not re.findall(r"^- `[^`]+`(?: \(required\))?$", WRITTEN[name], re.MULTILINE)
