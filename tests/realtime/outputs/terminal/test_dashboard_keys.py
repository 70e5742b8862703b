"""What keys do to a dashboard, what it costs, and the picture and time line in any terminal."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from typing import TextIO

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from realtime.outputs.base import DashboardSnapshot
from realtime.outputs.terminal.controls import QUIT, RECORD, DashboardControls
from realtime.outputs.terminal.dashboard import DRAW_S, MAX_SHARE, Dashboard, render
from realtime.outputs.terminal.keys import Keys
from realtime.outputs.terminal.picture import picture_lines
from snapshots import make_snapshot
from wire_samples import make_prediction

IMAGE = np.zeros((224, 224, 3), np.uint8)
IMAGE[:112] = (250, 10, 10)  # red over black
SIZES = [(80, 24), (120, 40), (200, 60), (76, 24), (60, 30), (44, 12)]


def with_picture(n_others: int = 0) -> DashboardSnapshot:
    snapshot = replace(make_snapshot(), picture=IMAGE)
    others = tuple(replace(make_snapshot(), source=f"yard-{n}") for n in range(n_others))
    return replace(snapshot, others=others)


def draw(
    snapshot: DashboardSnapshot, size: tuple[int, int], controls: DashboardControls, **how: bool
) -> list[str]:
    console = Console(width=size[0], height=size[1], file=io.StringIO(), legacy_windows=False)
    with console.capture() as captured:
        console.print(render(snapshot, size, controls=controls, **how))
    return captured.get().splitlines()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n_others", [0, 3, 30])
@pytest.mark.parametrize("fields", [{}, {"picture": True}, {"help": True}, {"said": "x" * 500}])
def test_nothing_goes_beyond_the_terminal_and_the_keys_are_in_the_last_row(
    size: tuple[int, int], n_others: int, fields: dict[str, bool]
) -> None:
    controls = DashboardControls(has_keys=True, **fields)  # type: ignore[arg-type]
    lines = draw(with_picture(n_others), size, controls)
    assert len(lines) == size[1]
    assert max(map(cell_len, lines)) <= size[0]
    assert lines[-1].startswith((" q quit", " xxx"))
    assert "x 1)" not in "\n".join(lines)  # rich's mark of a place without content


def test_picture_is_two_pixels_a_cell_in_colour_and_shades_without() -> None:
    (top, *_, bottom) = picture_lines(IMAGE, 20, 10, colours=True, ascii_only=False)
    assert set(top.plain) == {"▀"}
    assert str(top.spans[0].style).startswith("#f0")
    assert str(bottom.spans[0].style).startswith("#1010")
    shades = picture_lines(IMAGE, 20, 10, colours=False, ascii_only=False)
    assert (set(shades[0].plain), set(shades[-1].plain)) == ({"░"}, {" "})
    plain = picture_lines(IMAGE, 20, 10, colours=True, ascii_only=True)
    assert all(line.plain.isascii() for line in plain)


def test_ascii_dashboard_is_ascii() -> None:
    text = "\n".join(draw(with_picture(), (120, 40), DashboardControls(picture=True),
                          ascii_only=True, colours=False))  # fmt: skip
    inside = "".join(letter for letter in text if letter not in "╭╮╰╯─│·→×…▶")
    assert inside.isascii()


def test_likeliest_labels_say_what_each_sense_says_alone() -> None:
    alone = np.zeros((2, 2, 5), np.float32)
    alone[0, :, 1], alone[1, :, 1] = 0.31, 0.87
    prediction = replace(make_prediction(10), alone=alone)
    lines = draw(make_snapshot(prediction=prediction), (120, 40), DashboardControls())
    assert any("Siren" in line and "0.31 0.87" in line for line in lines)


def test_keys_change_what_is_shown_and_ask_the_run() -> None:
    controls = DashboardControls(has_keys=True)
    assert controls.press("q") == QUIT
    assert controls.press("r") == RECORD
    assert controls.press("x") is None
    controls.press("v")
    controls.press("?")
    controls.press("p")
    assert (controls.picture, controls.help, controls.paused) == (True, True, True)
    assert "stands still" in controls.said
    controls.press("p")
    assert not controls.paused
    snapshot = with_picture(2)
    for expected in ("yard-0", "yard-1", "camera-0"):
        shown = controls.ordered(snapshot)
        controls.press("\t", (shown.source, *(each.source for each in shown.others)))
        assert controls.ordered(snapshot).source == expected


class Screen:
    """A dashboard whose drawings are counted and whose clocks are moved by hand."""

    def __init__(self, cost_s: float) -> None:
        self.now_s = self.used_s = 0.0
        self.cost_s = cost_s
        self.n_asked = 0
        self.controls = DashboardControls(has_keys=True)
        console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
        self.dashboard = Dashboard(console, self.controls, lambda: self.now_s, self.spend)

    def spend(self) -> float:
        self.n_asked += 1  # before and behind each drawing
        self.used_s += self.cost_s * (self.n_asked % 2 == 0)
        return self.used_s

    def show(self, seconds: float) -> int:
        before = self.used_s
        for _ in range(round(seconds * 8)):
            self.dashboard.show(make_snapshot())
            self.now_s += 1 / 8
        return round((self.used_s - before) / self.cost_s)


@pytest.mark.parametrize("cost_s", [0.001, 0.02, 0.2])
def test_what_costs_more_is_drawn_less_often(cost_s: float) -> None:
    screen = Screen(cost_s)
    screen.show(20.0)
    n_drawn = screen.show(100.0)
    screen.dashboard.close()
    assert n_drawn * cost_s / 100.0 <= MAX_SHARE
    assert n_drawn >= 0.4 * min(100.0 / DRAW_S, 100.0 * MAX_SHARE / cost_s)


def test_display_that_is_paused_costs_nothing_and_a_key_is_seen_at_once() -> None:
    screen = Screen(0.01)
    screen.show(1.0)
    screen.controls.press("p")
    assert screen.show(0.125) == 1
    assert screen.show(60.0) == 0
    screen.controls.press("v")
    assert screen.show(0.125) == 1
    screen.dashboard.close()


@pytest.fixture
def keyboard() -> Iterator[tuple[int, TextIO]]:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "r") as stream:
        yield leader, stream
    os.close(leader)


def test_keyboard_that_is_not_ours_is_left_as_it_is(keyboard: tuple[int, TextIO]) -> None:
    _, stream = keyboard
    before = termios.tcgetattr(stream)
    keys = Keys(stream)  # no terminal of this process: we are not in its foreground
    assert not keys.begin()
    assert keys.read() == ""
    keys.restore()
    assert termios.tcgetattr(stream) == before


@pytest.mark.parametrize("stream", [None, io.StringIO("q")])
def test_no_keys_come_from_what_is_no_terminal(stream: TextIO | None) -> None:
    keys = Keys(stream)
    assert not keys.begin()
    assert keys.read() == ""
    keys.restore()


IN_FOREGROUND = """
import fcntl, select, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from realtime.outputs.terminal.keys import Keys
keys = Keys(sys.stdin)
print("ready" if keys.begin() else "none", flush=True)
typed = ""
while "q" not in typed:
    select.select([sys.stdin], [], [], 10.0)
    typed += keys.read()
keys.restore()
print(f"typed {typed}", flush=True)
sys.stdin.readline()
"""


def test_keys_come_at_once_and_the_terminal_is_given_back() -> None:
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", IN_FOREGROUND], stdin=follower, stdout=follower,
        start_new_session=True, env=environment,
    )  # fmt: skip
    try:
        assert b"ready" in read_until(leader, b"\n")
        flags = termios.tcgetattr(follower)[3]
        assert not flags & (termios.ICANON | termios.ECHO)
        assert flags & termios.ISIG  # Ctrl-C stays a signal
        os.write(leader, b"vq")
        assert b"typed vq" in read_until(leader, b"typed vq")
        assert termios.tcgetattr(follower)[3] == before
        os.write(leader, b"\n")
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait(20)
        os.close(leader)
        os.close(follower)


def read_until(leader: int, word: bytes) -> bytes:
    said = b""
    while word not in said and select.select([leader], [], [], 20.0)[0]:
        said += os.read(leader, 100)
    return said
