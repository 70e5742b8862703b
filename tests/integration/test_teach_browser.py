"""Teaching on the page in Debian's Chromium: correct, teach, the run takes the bundle, take back.

make page SHOTS=folder      # this too, and screenshots of the panel
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from integration.processes import ROOT, command, environment
from teaching.folder import TaughtFolder
from weights.bundle import load_bundle

pytestmark = [pytest.mark.device, pytest.mark.timeout(1500)]

CHROMIUM = "/usr/bin/chromium"
SIZES = [(390, 844), (1440, 900)]
READY_S = 330
TAUGHT_MS = 600_000  # a loaded machine; a minute on two cores of its own
WAIT_MS = 30_000
N_CLIPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of the demo with a page, on a bundle of its own."""

    address: str
    version: str
    taught: TaughtFolder

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=30) as answer:
            return json.load(answer)

    def n_clips(self) -> int:
        return sum(event["has_clip"] for event in self.get("/api/events")["events"])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    taught = TaughtFolder(tmp_path / "taught")
    bundle = taught.begin(load_bundle("starter"))
    flags = ["--source", "demo", "--pace", "--loop", "--record", str(tmp_path / "clips")]
    flags += ["--bundle", str(taught.path), "--web", "127.0.0.1:0", "--no-publish"]
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command(*flags, "--hop", "1"),
            cwd=ROOT,
            env=environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline_s = time.monotonic() + READY_S
        run = None
        while run is None or run.n_clips() < N_CLIPS:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.5)
            found = re.search(r"page on (http://127\.0\.0\.1:\d+)/", log.read_text())
            if found:
                run = Run(address=found[1], version=bundle.version, taught=taught)
        yield run
        process.terminate()
        assert process.wait(30) == 143, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait(30)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_events_are_corrected_taught_taken_and_taken_back(browser: Browser, run: Run) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    status = page.locator("#teach-said")
    result = page.locator("#teach-result")
    take_back = page.get_by_role("button", name="Take back")

    page.goto(run.address)
    expect(page.locator("#run")).to_contain_text(f"starter {run.version}")
    correct_all(page, run)
    expect(status).to_have_text(f"in use: starter {run.version}")
    expect(take_back).to_be_disabled()
    page.get_by_role("button", name="Teach what was reviewed").click()
    expect(page.get_by_role("progressbar", name="teaching")).to_be_visible()
    expect(status).to_contain_text("listening: ", timeout=TAUGHT_MS)
    shoot(page, "teaching")
    expect(result.locator("li").first).to_contain_text("Kettle", timeout=TAUGHT_MS)
    expect(result).to_contain_text(re.compile(r"of 3 examples \d were told before, \d are now"))
    expect(result).to_contain_text("told as before")

    new = f"starter {run.version}+taught.1"
    expect(status).to_have_text(f"in use: {new}", timeout=TAUGHT_MS)
    expect(page.get_by_role("progressbar", name="teaching")).to_be_hidden()
    assert "Kettle" in run.get("/api/names")["known"]
    shoot(page, "taught")
    page.goto(run.address)
    expect(page.locator("#run")).to_contain_text(new)

    page.goto(f"{run.address}/review")
    expect(status).to_have_text(f"in use: {new}")
    take_back.click()
    expect(status).to_have_text(f"in use: starter {run.version}", timeout=TAUGHT_MS)
    expect(take_back).to_be_disabled()
    assert "Kettle" not in run.get("/api/names")["known"]
    assert run.taught.n_steps() == 0
    shoot(page, "taken-back")
    context.close()
    assert complaints == []


def correct_all(page: Page, run: Run) -> None:
    """Say of three events with clips, by keys, that each was a kettle."""
    chosen = [event for event in run.get("/api/events")["events"] if event["has_clip"]][:N_CLIPS]
    for event in chosen:
        page.goto(f"{run.address}/review?event={event['id']}")
        expect(page.locator("article")).to_have_attribute("data-id", event["id"])
        page.keyboard.press("o")
        page.keyboard.type("Kettle")
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text("it was Kettle")
    assert run.get("/api/events?reviewed=1")["total"] == N_CLIPS


def shoot(page: Page, name: str) -> None:
    """Look whether the panel fits in each size and scheme, and keep what is seen."""
    folder = os.environ.get("SHOTS")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        is_wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not is_wider, f"{name} at {width}"
        page.locator("#teach").scroll_into_view_if_needed()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            if folder is not None:
                path = Path(folder, f"{name}-{width}x{height}-{scheme}.png")
                page.screenshot(path=path)
