"""The page of `--explain` in Debian's Chromium: alone, offline, in each size and scheme.

make page SHOTS=folder      # these too, and screenshots
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from integration.processes import ROOT, command, environment

pytestmark = [pytest.mark.device, pytest.mark.timeout(280)]

CHROMIUM = "/usr/bin/chromium"
DRAWN = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size > 20;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "demo.html"
    flags = ["--source", "demo", "--no-publish", "--duration", "14", "--explain", str(path)]
    run = subprocess.run(
        command(*flags), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=200
    )
    assert run.returncode == 0, run.stderr
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(390, 844), (1440, 900)], ids=lambda size: f"{size[0]}")
def test_page_stands_alone(
    browser: Browser, explained: Path, size: tuple[int, int], scheme: Any
) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(explained.as_uri())
    expect(page.get_by_role("heading", name="demo")).to_be_visible()
    for canvas in (".ex-film canvas", ".ex-mel canvas"):
        page.wait_for_function(DRAWN, arg=page.locator(canvas).element_handle())
    expect(page.locator(".ex-lane", has_text="Siren").locator("span")).to_have_count(1)
    told = page.locator("tbody tr").first
    expect(told).to_have_text(re.compile(r"Siren(9\d|100) %"))  # the mark stands at its height
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    expect(told).to_have_text(re.compile(r"Siren\d %"))
    box = page.locator(".ex-plots").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 100)
    expect(told).to_have_text(re.compile(r"Siren(9\d|100) %"))
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    folder = os.environ.get("SHOTS")
    if folder is not None:
        shot = Path(folder, f"explain-{size[0]}x{size[1]}-{scheme}.png")
        page.screenshot(path=shot, full_page=True)
    context.close()
    assert complaints == []
    assert [url[:30] for url in asked if not url.startswith(("file:", "data:image/jpeg"))] == []
