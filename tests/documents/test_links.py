"""No document and no docstring names a file, a test or a module that is not there."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("realtime", "export", "mafnet", "extractors", "weights", "research")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    ROOT / "weights" / "starter" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
CODE = [
    *(ROOT / name for name in ("Makefile", "pyproject.toml", "run_stream.py", ".ci/run")),
    *(path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.*"))),
    *(
        path
        for name in ("benchmarks", "tests", ".ci")
        for path in sorted((ROOT / name).rglob("*.py"))
    ),
]
TEXTS = [*DOCUMENTS, *(path for path in CODE if path.suffix not in {".pyc", ".safetensors"})]

LINK = re.compile(r"\]\(([^)\s]+)\)")
TOP = "docs|tests|benchmarks|realtime|export|mafnet|extractors|weights|research|\\.ci"
NAMED = re.compile(rf"(?<![\w/.:-])(?:{TOP})/[\w./-]*\w\.(?:md|py|toml|json|service|txt)\b")
SHORT = re.compile(r"`((?:\w+/)+\w+\.py)`")  # below a package, as the architecture's walk has it
TEST = re.compile(r"\b(test_\w+)\.py(?:::(test_\w+))?")
MODULE = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return what a link may name behind `#`, as GitHub makes it of headings."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings)


@cache
def modules_of_tests() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_link_leads_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text("utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        where, _, anchor = link.partition("#")
        target = (document.parent / where).resolve() if where else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("text", TEXTS, ids=name)
def test_named_file_is_there(text: Path) -> None:
    for named in NAMED.findall(text.read_text("utf-8")):
        assert (ROOT / named).exists(), named


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_path_below_a_package_is_there(document: Path) -> None:
    for named in SHORT.findall(document.read_text("utf-8")):
        roots = (ROOT, *(ROOT / package for package in PACKAGES))
        assert any((root / named).is_file() for root in roots), named


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_named_test_is_there(document: Path) -> None:
    for module, function in TEST.findall(document.read_text("utf-8")):
        assert module in modules_of_tests(), f"{module}.py"
        assert f"def {function}" in modules_of_tests()[module], f"{module}.py::{function}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_named_module_is_there(document: Path) -> None:
    for dotted in MODULE.findall(document.read_text("utf-8")):
        assert resolves(dotted), dotted


def resolves(dotted: str) -> bool:
    """Tell whether a name leads to a module, or to something within one."""
    words = dotted.split(".")
    for n_words in range(len(words), 0, -1):
        path = ROOT.joinpath(*words[:n_words])
        if path.is_dir() or path.with_suffix(".py").is_file():
            found = importlib.import_module(".".join(words[:n_words]))
            for word in words[n_words:]:
                fields = getattr(found, "__dataclass_fields__", {})
                if not hasattr(found, word) and word not in fields:
                    return False
                found = getattr(found, word, None)
            return True
    return False


@pytest.mark.parametrize(
    ("index", "folder"), [("docs", "guide"), ("docs", "reference"), ("docs/lab", "")]
)
def test_every_page_is_in_the_list(index: str, folder: str) -> None:
    listed = (ROOT / index / "README.md").read_text("utf-8")

    for page in (ROOT / index / folder).glob("*.md"):
        assert page.name == "README.md" or f"({folder}{'/' * bool(folder)}{page.name})" in listed, (
            page
        )


def test_each_decision_has_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs" / "design" / "adr").glob("[0-9]*.md"))

    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert re.match(rf"# 0*{int(page.name[:4])}\. ", page.read_text("utf-8")), page
