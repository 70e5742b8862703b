"""The view as one HTML file that asks nobody for anything, and runs no script but its own.

Its policy forbids all: no network, no frame, no form; style and script are named by their hashes.
What is told of labels and names is JSON in a data block, and text wherever it is shown.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

STATIC = Path(__file__).with_name("static")
SCRIPT, STYLE = "explanation.js", "explanation.css"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; base-uri 'none'; \
form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body class="ex-page">
<main>
<h1>{title}</h1>
<p class="ex-dim">{subtitle}</p>
<div id="view"></div>
<noscript><p>This page draws with JavaScript of its own; it asks no other place.</p></noscript>
</main>
<script type="application/json" id="told">{told}</script>
<script type="module">{script}</script>
</body>
</html>
"""
_START = """
document.getElementById("view").append(
  explanation(JSON.parse(document.getElementById("told").textContent)));
"""


def page(told: dict[str, Any], title: str, subtitle: str) -> str:
    """Return the page.

    Args:
        told: What `static/explanation.js` draws.
        title: What was watched.
        subtitle: By what.
    """
    style = (STATIC / STYLE).read_text("utf-8")
    script = (STATIC / SCRIPT).read_text("utf-8") + _START
    parts = {
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "title": html.escape(title),
        "subtitle": html.escape(subtitle),
        "style": style,
        "script": script,
        "told": _data_block(told),
    }
    return re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], _PAGE)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data_block(told: dict[str, Any]) -> str:
    """Return JSON that ends no element, whatever a label holds (HTML, "script data state")."""
    return json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")
