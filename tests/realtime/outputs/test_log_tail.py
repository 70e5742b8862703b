import logging
from collections.abc import Iterator

import pytest

from realtime.outputs.log_tail import LogTail

logger = logging.getLogger("test_log_tail")


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def terminal() -> Iterator[Kept]:
    terminal = Kept()
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(terminal)
    yield terminal
    root.removeHandler(terminal)
    root.setLevel(level)


def test_lines_stay_off_the_screen_and_come_afterwards(terminal: Kept) -> None:
    with LogTail() as tail:
        logger.info("opened %s", "camera")
        logger.warning("stale")
        assert terminal.texts == []
        assert tail.latest() == ("stale",)
    assert terminal.texts == ["opened camera", "stale"]
    logger.warning("later")
    assert terminal.texts[-1] == "later"


def test_only_the_newest_warnings_are_shown(terminal: Kept) -> None:
    with LogTail() as tail:
        for n in range(500):
            logger.warning("warning %d", n)
        assert tail.latest(2) == ("warning 498", "warning 499")
    assert len(terminal.texts) == 200
