"""The page in a real browser, Debian's Chromium, on a real run of the demo.

make page SHOTS=folder      # these tests, and screenshots of each page in each size and scheme
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from integration.processes import ROOT, command, environment
from realtime.web.passwords import write_password
from web_site import PASSWORD, Site

pytestmark = [pytest.mark.device, pytest.mark.timeout(480)]

CHROMIUM = "/usr/bin/chromium"
SIZES = [(390, 844), (1440, 900)]
SCHEMES = ["light", "dark"]
READY_S = 330
# Whether a canvas has more than one colour.
DRAWN = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size > 20;
}"""
N_CLIPS = 4  # one more than are reviewed
WAIT_MS = 30_000  # a loaded machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return where a run of the demo shows its page, once four events have their clips."""
    folder = tmp_path_factory.mktemp("web")
    flags = ["--source", "demo", "--pace", "--loop", "--record", str(folder / "clips")]
    flags += ["--web", "127.0.0.1:0", "--no-publish", "--hop", "0.5"]  # on a loaded machine too
    log = folder / "log"
    with log.open("w") as file:
        run = subprocess.Popen(
            command(*flags), cwd=ROOT, env=environment(), stdout=file, stderr=subprocess.STDOUT
        )
    try:
        deadline_s = time.monotonic() + READY_S
        found = None
        while found is None or sum(event["has_clip"] for event in events(found[1])) < N_CLIPS:
            assert run.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.5)
            found = re.search(r"page on (http://127\.0\.0\.1:\d+)/", log.read_text())
        yield found[1]
        run.terminate()
        assert run.wait(30) == 143, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        run.kill()
        run.wait(30)


def events(address: str, query: str = "") -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{address}/api/events?{query}", timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["events"]
        return found


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of: errors, and what the policy forbade."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    listen(page, complaints)
    yield page
    context.close()
    assert complaints == []


def listen(page: Page, complaints: list[str]) -> None:
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )


def test_live_shows_the_source_and_follows_it(page: Page, address: str) -> None:
    page.goto(address)
    panel = page.get_by_role("region", name="demo")
    expect(panel.get_by_text("picture: ok")).to_be_visible()
    expect(panel.locator("tbody tr")).to_have_count(5)
    expect(panel.locator(".cells span")).to_have_count(20)
    picture = panel.get_by_role("img", name="Newest picture of demo")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 224
    heard = panel.get_by_role("img", name="Log-mel of what is heard of demo")
    expect(heard).to_be_visible()
    page.wait_for_function(DRAWN, arg=heard.element_handle())
    figures = panel.locator(".figures")
    before = figures.inner_text()
    expect(figures).not_to_have_text(before)  # it goes on
    expect(panel.locator(".pill").first).to_be_visible(timeout=WAIT_MS)  # an event, sooner or later


def test_events_are_filtered_and_a_clip_plays_with_sound(page: Page, address: str) -> None:
    page.goto(f"{address}/events")
    cards = page.locator("article")
    expect(cards.first).to_be_visible()
    page.get_by_label("Label").select_option("Siren")
    expect(page).to_have_url(re.compile("label=Siren"))
    expect(cards.first.get_by_role("heading")).to_have_text("Siren")
    n_sirens = len(events(address, "label=Siren"))
    assert cards.count() in (n_sirens, n_sirens - 1)  # one may just have begun
    assert set(cards.get_by_role("heading").all_inner_texts()) == {"Siren"}

    with_clip = page.locator("article:has(video)").last
    with_clip.scroll_into_view_if_needed()
    expect(with_clip.get_by_text("Picture alone")).to_be_visible()
    video = with_clip.locator("video")
    video.evaluate("video => video.play()")
    page.wait_for_function("video => video.currentTime > 4.5", arg=video.element_handle())
    told = video.evaluate(
        "v => ({width: v.videoWidth, error: v.error, sound: v.webkitAudioDecodedByteCount})"
    )
    assert told["error"] is None
    assert told["width"] > 0
    assert told["sound"] > 0


def test_card_shows_why_it_was_told(page: Page, address: str) -> None:
    page.goto(f"{address}/events")
    card = page.locator("article:has(video)").last
    card.get_by_text("Why", exact=True).click()
    view = card.locator(".explanation")
    expect(view).to_be_visible()
    for plot in ("ex-film", "ex-mel", "ex-events", "ex-curves", "ex-share", "ex-window"):
        expect(view.locator(f".{plot}").first).to_be_visible()
    label = card.get_by_role("heading", level=3).inner_text()
    expect(view.locator("tbody tr").first).to_contain_text(label)
    page.wait_for_function(DRAWN, arg=view.locator(".ex-film canvas").element_handle())
    page.wait_for_function(DRAWN, arg=view.locator(".ex-mel canvas").element_handle())
    moment = view.locator("thead th").first
    before = moment.inner_text()
    slider = view.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    expect(moment).not_to_have_text(before)


def test_time_line_leads_to_what_it_marks(page: Page, address: str) -> None:
    page.goto(f"{address}/events")
    row = page.locator(".day-row", has_text="Clock")
    row.locator("rect").last.click()
    expect(page).to_have_url(re.compile("label=Clock&.*since="))
    expect(page.locator("article").first.get_by_role("heading")).to_have_text("Clock")
    page.get_by_role("button", name="A day earlier").click()
    expect(page.get_by_text("Nothing happened.")).to_be_visible()
    page.get_by_role("button", name="A day later").click()
    expect(row).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page).to_have_url(f"{address}/events")


def verdict_of(address: str, event: str) -> tuple[str | None, str | None]:
    (found,) = [each for each in events(address, "limit=200") if each["id"] == event]
    return found["verdict"], found["corrected"]


def test_review_by_keys_alone(page: Page, address: str) -> None:
    page.goto(f"{address}/review")
    card = page.locator("article")
    said = page.locator("#said")

    def shown() -> str:
        return str(card.get_attribute("data-id"))

    def follows(event: str) -> None:
        expect(card).not_to_have_attribute("data-id", event)

    expect(card).to_be_visible()
    first = shown()
    page.keyboard.press("r")
    expect(said).to_contain_text("right")
    follows(first)
    assert verdict_of(address, first) == ("right", None)
    second = shown()
    page.keyboard.press("w")
    expect(said).to_contain_text("wrong")
    follows(second)
    assert verdict_of(address, second) == ("wrong", None)
    third = shown()
    page.keyboard.press("o")
    page.keyboard.type("Kettle")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("it was Kettle")
    assert verdict_of(address, third) == ("other", "Kettle")
    assert len({first, second, third}) == 3

    for event, n_left in ((third, 2), (second, 1), (first, 0)):
        page.keyboard.press("u")
        expect(card).to_have_attribute("data-id", event)
        assert verdict_of(address, event) == (None, None)
        assert len(events(address, "reviewed=1")) == n_left
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.keyboard.press("o")
    page.keyboard.press("Escape")
    expect(page.get_by_label("It was")).to_be_hidden()


def test_log_in_and_out(page: Page, tmp_path: Path, complaints: list[str]) -> None:
    site, file = Site(tmp_path), tmp_path / "password"
    write_password(file, PASSWORD)
    served = site.page(password_file=file)
    try:
        page.goto(f"http://127.0.0.1:{served.open()}/review")
        expect(page).to_have_url(re.compile("/log-in$"))
        page.get_by_label("Password").fill("not the password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("that is not the password")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="camera-0")).to_be_visible()
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Password")).to_be_visible()
        page.goto("about:blank")  # it asks no more
    finally:
        assert served.close(5.0)
    assert [text for text in complaints if "403" not in text] == []
    complaints.clear()  # of the wrong password


def test_a_label_is_text_whatever_it_holds(
    page: Page, tmp_path: Path, complaints: list[str]
) -> None:
    hostile = "<img src=x onerror=alert(1)><b>Siren</b>"
    site = Site(tmp_path)
    site.rows("UPDATE events SET label = ?, source = ?", hostile, hostile)
    served = site.page()
    page.on("dialog", lambda dialog: pytest.fail("a script of a label's ran"))
    try:
        address = f"http://127.0.0.1:{served.open()}"
        for path in ("/events", "/review"):
            page.goto(f"{address}{path}")
            expect(page.locator("article h3").first).to_have_text(hostile)
            assert page.locator("article b, article img").count() == 0
        page.goto("about:blank")  # it asks no more
    finally:
        assert served.close(5.0)
    assert [text for text in complaints if "404" not in text] == []
    complaints.clear()  # of clips that lie elsewhere


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_pages_fit_their_screen(
    browser: Browser, address: str, size: tuple[int, int], scheme: Any, complaints: list[str]
) -> None:
    folder = os.environ.get("SHOTS")
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
    )
    page = context.new_page()
    listen(page, complaints)
    for name, path, awaited in (
        ("live", "/", "tbody tr"),
        ("events", "/events", "article video"),
        ("review", f"/review?event={event_with_clip(address)}", "article video"),
    ):
        page.goto(f"{address}{path}")
        expect(page.locator(awaited).first).to_be_visible(timeout=WAIT_MS)
        is_wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not is_wider, f"{name} at {size[0]}"
        if folder is not None:
            page.wait_for_timeout(1500)  # for pictures
            page.screenshot(path=Path(folder, f"{name}-{size[0]}x{size[1]}-{scheme}.png"))
    page.goto(f"{address}/events")
    card = page.locator("article:has(video)").last
    card.get_by_text("Why", exact=True).click()
    expect(card.locator(".ex-said")).to_be_visible(timeout=WAIT_MS)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    if folder is not None:
        page.wait_for_timeout(1500)
        card.screenshot(path=Path(folder, f"why-{size[0]}x{size[1]}-{scheme}.png"))
    context.close()
    assert complaints == []


def event_with_clip(address: str) -> str:
    return next(str(event["id"]) for event in events(address) if event["has_clip"])
