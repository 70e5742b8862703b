"""Documents keep to a form: short lines everywhere, short sentences in the guide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guide").glob("*.md"))
ALL = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted(set((ROOT / "docs").rglob("*.md")) - {ROOT / "docs" / "lab" / "starter.md"}),
]
MAX_LINE = 100
MAX_WORDS = 25  # of a sentence in the guide


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def sentences(text: str) -> list[str]:
    """Return the sentences of a document's prose and lists; a span of code is one word."""
    text = re.sub(
        r"^```.*?^```|^\|.*?$|^#.*?$|^<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE
    )
    text = re.sub(r"`[^`]+`", "code", text)
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text)
    parts = re.split(r"(?<=[.!?])\s|\n\n|\n\s*(?:[-*]|\d+\.) ", text)
    return [" ".join(part.split()) for part in parts if part.strip()]


@pytest.mark.parametrize("document", ALL, ids=name)
def test_no_line_is_long(document: Path) -> None:
    lines = document.read_text("utf-8").splitlines()

    assert [line for line in lines if len(line) > MAX_LINE] == []


@pytest.mark.parametrize("document", GUIDES, ids=name)
def test_sentences_of_the_guide_are_short(document: Path) -> None:
    told = sentences(document.read_text("utf-8"))

    assert [sentence for sentence in told if len(sentence.split()) > MAX_WORDS] == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 120


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "lab").glob("2*.md")), ids=name)
def test_page_of_the_lab_has_a_date_a_table_and_a_conclusion(page: Path) -> None:
    text = page.read_text("utf-8")

    assert re.match(r"\d{4}-\d\d-\d\d-", page.name)
    assert page.name[:10] in text
    assert "\n| run |" in text or "\n| part |" in text
    assert text.count("**Conclusion.**") == 1
