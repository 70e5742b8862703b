import io
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.outputs.terminal.log_tail import LogTail

logger = logging.getLogger("test_log_tail")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Iterator[Screen]:
    screen = Screen()
    yield from _with_handler(logging.StreamHandler(screen), screen)


def _with_handler(handler: logging.Handler, what: Screen) -> Iterator[Screen]:
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    yield what
    root.removeHandler(handler)
    root.setLevel(level)


def texts(tail: LogTail, n: int = 4) -> list[str]:
    """What is shown, without the times of day."""
    return [line.partition(" ")[2] for line in tail.latest(n)]


def test_lines_stay_off_the_screen_and_come_afterwards(terminal: Screen) -> None:
    with LogTail() as tail:
        logger.info("opened %s", "camera")
        logger.warning("stale")
        assert terminal.getvalue() == ""
        assert texts(tail) == ["stale"]
    assert terminal.getvalue() == "opened camera\nstale\n"
    logger.warning("later")
    assert terminal.getvalue().endswith("later\n")


def test_a_log_in_a_file_is_written_while_the_screen_is_drawn(
    terminal: Screen, tmp_path: Path
) -> None:
    handler = logging.FileHandler(tmp_path / "log")
    logging.getLogger().addHandler(handler)
    try:
        with LogTail():
            logger.warning("stale")
            assert (tmp_path / "log").read_text() == "stale\n"
            assert terminal.getvalue() == ""
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    assert (tmp_path / "log").read_text() == "stale\n"  # and not once more
    assert terminal.getvalue() == "stale\n"


@pytest.mark.usefixtures("terminal")
def test_only_the_newest_warnings_are_shown() -> None:
    with LogTail() as tail:
        for n in range(500):
            logger.warning("warning %d", n)
        assert texts(tail, 2) == ["warning 498", "warning 499"]


@pytest.mark.usefixtures("terminal")
def test_a_warning_has_its_time_of_day() -> None:
    with LogTail() as tail:
        logger.warning("stale")
        (line,) = tail.latest()
    time_of_day, _, text = line.partition(" ")
    assert text == "stale"
    assert [len(part) for part in time_of_day.split(":")] == [2, 2, 2]


@pytest.mark.usefixtures("terminal")
def test_the_same_warning_is_shown_once_with_how_often_it_came() -> None:
    with LogTail() as tail:
        for text in ("stale", "hangs", "stale", "stale"):
            logger.warning(text)
        assert texts(tail) == ["hangs", "stale (3 times)"]


@pytest.mark.usefixtures("terminal")
def test_a_warning_goes_once_the_same_thing_is_well() -> None:
    sound, picture = {"subject": "door sound"}, {"subject": "door picture"}
    with LogTail() as tail:
        logger.warning("door sound stale", extra=sound)
        logger.warning("door picture frozen", extra=picture)
        assert texts(tail) == ["door sound stale", "door picture frozen"]
        logger.info("door sound ok", extra=sound)
        assert texts(tail) == ["door picture frozen"]


@pytest.mark.usefixtures("terminal")
def test_a_warning_goes_after_a_minute_unless_it_still_holds() -> None:
    seconds_ahead = 0.0
    with LogTail(now=lambda: time.time() + seconds_ahead) as tail:
        logger.warning("door sound stale", extra={"subject": "door sound"})
        logger.warning("wrote late")
        assert texts(tail) == ["door sound stale", "wrote late"]
        seconds_ahead = 61.0
        assert texts(tail) == ["door sound stale"]
