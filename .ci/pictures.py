"""Draw the pictures of README from a real run: the dashboard and the page over the demo scene.

    python .ci/pictures.py      # writes docs/pictures/dashboard.svg and docs/pictures/page.png

Wants the extra `web`, Playwright and Debian's Chromium.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402

from realtime.command_line.flags import make_parser  # noqa: E402
from realtime.command_line.settings import make_config  # noqa: E402
from realtime.outputs.base import DashboardSnapshot  # noqa: E402
from realtime.outputs.terminal.controls import DashboardControls  # noqa: E402
from realtime.outputs.terminal.dashboard import RateMeter, render  # noqa: E402
from realtime.pipeline import Pipeline  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
SIZE = (104, 30)  # of the dashboard, columns and rows
PORT = 8181
PAGE_AT_S, LOOK_AT_S = 28.0, 33.0  # a clock ticks; siren and car horn are over
PAGE = (1180, 900)


def main() -> int:
    """Run the scene, and draw both."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--source", "demo", "--pace", "--no-publish", "--no-dashboard"]
        flags += ["--record", folder, "--web", f"127.0.0.1:{PORT}"]
        pipeline = Pipeline(make_config(make_parser().parse_args(flags)))
        pipeline.open()
        try:
            pipeline.start()
            wait_for(pipeline, PAGE_AT_S)
            draw_page()
            snapshot = wait_for(pipeline, LOOK_AT_S)
            draw_dashboard(replace(snapshot, picture=pipeline.newest_picture(snapshot.source)))
        finally:
            pipeline.close()
    return 0


def wait_for(pipeline: Pipeline, t_s: float) -> DashboardSnapshot:
    """Return what a dashboard shows once the stream has come so far."""
    rates = RateMeter()
    while (snapshot := rates.measure(pipeline.view(()))).stream.t_s < t_s:
        time.sleep(0.1)
    return snapshot


def draw_dashboard(snapshot: DashboardSnapshot) -> None:
    """Write the dashboard of a moment, as text in an SVG that loads nothing."""
    controls = DashboardControls(picture=True)
    console = Console(
        record=True, width=SIZE[0], height=SIZE[1], file=io.StringIO(), force_terminal=True,
        color_system="truecolor",
    )  # fmt: skip
    console.print(render(snapshot, SIZE, controls=controls))
    svg = console.export_svg(title="mafnet-live --source demo --pace")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # fonts from elsewhere
    (PICTURES / "dashboard.svg").write_text(svg, encoding="utf-8")


def draw_page() -> None:
    """Write what a browser shows of *Live*."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        width, height = PAGE
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"http://127.0.0.1:{PORT}/")
        page.locator("tbody tr").first.wait_for()
        time.sleep(3.0)
        page.screenshot(path=PICTURES / "page.png")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
