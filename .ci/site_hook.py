"""What the site changes of the pages.

Links that lead out of `docs` become names of files: in the repository those lie beside the
documents, a site has none of them. The page of the public interface gets all docstrings in full.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return a page's text for the site."""
    folder = posixpath.dirname(page.file.src_uri)

    def name_it(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", folder, link[2]))
        inside = target == "docs" or target.startswith("docs/")
        return link[0] if inside else f"`{target}`"

    text = _LINK.sub(name_it, markdown)
    return f"{text}\n\n{_in_full()}" if page.file.src_uri == "reference/api.md" else text


def _in_full() -> str:
    """Return the names of `realtime` for mkdocstrings, which draws their docstrings."""
    sys.path.insert(0, str(ROOT))
    import realtime

    homes = [f"{home}.{name}" for home, names in realtime._HOMES.items() for name in names]
    entries = "\n\n".join(f"::: {home}" for home in homes)
    return f"## In full\n\n{entries}\n"
