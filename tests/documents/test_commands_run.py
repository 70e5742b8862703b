"""The documents' commands really run, with what `commands.toml` puts in the place of their devices.

Each runs in a folder and a home of its own, in which lies what its words name.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from documents.command_process import Command
from documents.command_table import Run, read_table
from documents.made_files import MadeFiles, events_of
from documents.stand_in_servers import Servers
from integration.live_devices import PictureServer, free_port, missing_programs
from integration.test_rtsp_camera import has_server

TABLE = read_table()
TIMEOUT_S = 600.0  # a loaded machine
N_AT_A_TIME = 3
# What stands behind these is written, or no file.
OTHERS = {
    "--recipe",
    "--to",
    "--record",
    "--report",
    "--results",
    "--history",
    "--explain",
    "--json",
}

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
    pytest.mark.skipif(not has_server(), reason="gir1.2-gst-rtsp-server-1.0 is not installed"),
]


class Bench:
    """Runs commands, each in a new folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "servers").mkdir()
        self._servers = Servers(folder / "servers", self._own_store(folder / "servers"))
        self._made = MadeFiles(folder / "made", self._make)
        self._numbers = itertools.count()

    def close(self) -> None:
        self._servers.close()

    def warm_up(self) -> None:
        """Convert the networks and time them once, so that no command waits for it."""
        self._made.put("clips/history.db", self._folder / "first")

    def run(self, command: str, how: Run) -> None:
        """Run one of the documents, and what belongs beside it."""
        home = self._folder / f"run-{next(self._numbers)}"
        home.mkdir()
        for name in how.needs:
            self._made.put(name, home)
        place = Place(home, self._servers)
        self._put_inputs(shlex.split(command), home)
        place.fill_cameras(home)
        environ = self._environ(home)
        beside: list[Command] = []
        try:
            for other in how.beside:
                words = place.words(other, TABLE.beside[other])
                beside.append(Command(words, home, environ))
            words = place.words(command, how.add)
            said = Command(words, home, environ, how.types).wait(TIMEOUT_S)
        finally:
            ended = [each.end() for each in beside]
            place.close()
        for each in [said, *ended]:
            assert "Traceback" not in each.text, each.text
        assert said.code == how.code, said.text
        assert how.silent or how.makes or said.text.strip(), "it said nothing"
        assert place.fill(how.says) in said.text, said.text
        assert not how.makes or (home / how.makes).exists(), sorted(home.rglob("*"))
        for each in ended:
            assert each.code in (0, 143), each.text

    def _make(self, command: str, folder: Path) -> None:
        said = Command(shlex.split(command), folder, self._environ(folder)).wait(TIMEOUT_S)
        assert said.code == 0, said.text

    def _environ(self, home: Path) -> dict[str, str]:
        with self._servers.lock:
            card = self._servers.card.environment
        return {**card, **self._own_store(home), "HOME": str(home)}

    def _own_store(self, home: Path) -> dict[str, str]:
        """Return where a run keeps what is taught; what takes long to make is everybody's."""
        own = home / "store"
        own.mkdir(exist_ok=True)
        for name in ("openvino", "backend-times"):
            shared = self._folder / "store" / name
            shared.mkdir(parents=True, exist_ok=True)
            if not (own / name).exists():
                (own / name).symlink_to(shared)
        return {"MAFNET_HOME": str(own)}

    def _put_inputs(self, words: list[str], home: Path) -> None:
        for before, word in zip(["", *words], words, strict=False):
            is_input = before not in OTHERS and self._made.knows(word)
            if is_input and not (home / word).exists():
                self._made.put(word, home)


class Place:
    """What `{NAME}` means in one run."""

    def __init__(self, home: Path, servers: Servers) -> None:
        self._home = home
        self._servers = servers
        self._ports: dict[str, str] = {}
        self._cameras: list[PictureServer] = []

    def words(self, command: str, add: str) -> list[str]:
        """Return a command's words as they are run."""
        for there, here in TABLE.stand_ins.items():
            command = f"{command} ".replace(f" {there} ", f" {here} ").strip()
        words = shlex.split(command)
        program = words[2] if words[:2] == ["python", "-m"] else words[0]
        for more in (TABLE.always.get(program, ""), add):
            added = shlex.split(more)
            if added[:1] == ["--"] and "--" in words:
                del added[0]
            words += added
        filled = [self.fill(word) for word in words]
        home = str(self._home)
        return [home + word[1:] if word.startswith("~/") else word for word in filled]

    def fill(self, text: str) -> str:
        """Put what is there in the place of `{NAME}`."""
        while "{" in text and "}" in text:
            name = text[text.index("{") + 1 : text.index("}")]
            text = text.replace(f"{{{name}}}", self._told(name))
        return text

    def fill_cameras(self, home: Path) -> None:
        """Give each `{camera}` of a settings file one of its own."""
        for file in home.glob("*.toml"):
            parts = file.read_text("utf-8").split("{camera}")
            text = "".join(part + self._told("camera") for part in parts[:-1]) + parts[-1]
            file.write_text(text, encoding="utf-8")

    def close(self) -> None:
        for camera in self._cameras:
            camera.stop()

    def _told(self, name: str) -> str:
        if name == "camera":
            with self._servers.lock:
                self._cameras.append(self._servers.camera())
            return self._cameras[-1].url
        if name.startswith("port"):
            return self._ports.setdefault(name, str(free_port()))
        if name == "id":
            return events_of(self._home / "clips" / "history.db")[0]
        if name == "device":
            return "cuda" if torch.cuda.is_available() else "cpu"
        with self._servers.lock:
            told: str = getattr(self._servers, name)
        return told


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """Run the chosen commands, some at a time: half of their time they wait for a stream."""
    bench = Bench(tmp_path_factory.mktemp("commands"))
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    commands = [item.callspec.params["command"] for item in items if item.module is request.module]
    bench.warm_up()
    with ThreadPoolExecutor(N_AT_A_TIME, "command") as pool:
        yield {command: pool.submit(bench.run, command, TABLE.run[command]) for command in commands}
        pool.shutdown(cancel_futures=True)
    bench.close()


@pytest.mark.parametrize("command", TABLE.run, ids=list(TABLE.run))
def test_command_runs(command: str, outcomes: dict[str, Future[None]]) -> None:
    outcomes[command].result()
