"""The files that the documents' commands name, made small; each is made once and copied."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from documents import made_media
from documents.made_media import clip, events_of, labelled
from realtime.web.passwords import write_password

SMALL = "--clips 2 --half"
EXTRACT = "python -m extractors extract --tables"
TRAIN = "mafnet-train --features features --recipe modern --epochs 1 --batch-size 4"
TEST = "python -m mafnet test --features features"
Run = Callable[[str, Path], None]  # runs a command in a folder


class MadeFiles:
    """Makes what is named.

    Args:
        folder: Where each thing is made, in a folder of its own.
        run: Runs a command, as those of the documents are run.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self._folder = folder
        self._run = run
        self._makers: dict[str, Callable[[Path], None]] = {
            "clip.mp4": clip("clip.mp4"),
            "a.mp4": clip("a.mp4"),
            "film.mkv": made_media.film,
            "sounds.csv": made_media.tables,
            "data": labelled("data", "Bark", "Siren"),
            "others": labelled("others", "Cat", "Drum"),
            "clips": labelled("clips", "Bark", "Siren", "Background"),
            "clips/Siren/c.mp4": labelled("clips", "Siren"),
            "AVE": made_media.ave,
            "vggsound.csv": made_media.web_sets,
            "balanced_train_segments.csv": made_media.web_sets,
            "tables": made_media.web_sets,
            "DATA": made_media.data_folder,
            "kettle/": made_media.kettle,
            "times.csv": made_media.times,
            "features": self._features,
            "others-features": self._others_features,
            "my-bundle": self._bundle("my-bundle"),
            "my-bundle with background": self._background_bundle,
            "theirs": self._results("theirs"),
            "mine": self._results("mine"),
            "modern": self._results("modern/seed-0"),
            "tuned": self._results("tuned/seed-0"),
            "modern/seed-0": self._bundle("modern/seed-0"),
            "tuned/seed-0": self._bundle("tuned/seed-0"),
            "taught": lambda at: self._run(
                "python -m mafnet teach --label Kettle --clips kettle/", self._with(at, "kettle/")),
            "reviewed": self._reviewed,
            "cameras.toml": made_media.cameras,
            "robot.toml": made_media.robot,
            "clips/history.db": lambda at: self._run(
                "mafnet-live --source clip.mp4 --name front-door --record clips --no-publish",
                self._with(at, "clip.mp4")),
            "events/history.db": lambda at: self._run(
                "mafnet-live --source clip.mp4 --record events --no-publish",
                self._with(at, "clip.mp4")),
            "events.db": lambda at: self._run(
                "mafnet-live --source clip.mp4 --history events.db --no-publish",
                self._with(at, "clip.mp4")),
            "rules.toml": made_media.rules,
            "stream.toml": made_media.stream,
            "pool.toml": made_media.pool,
            "server.key": self._server_key,
            "client.key": self._client_key,
            "keys": self._keys,
            "web-password": lambda at: write_password(hidden(at) / "web-password", "a long word"),
        }  # fmt: skip
        self._locks = {name: threading.Lock() for name in self._makers}

    def knows(self, name: str) -> bool:
        """Whether it can make that."""
        return name in self._makers

    def names(self) -> frozenset[str]:
        """Return what it can make."""
        return frozenset(self._makers)

    def put(self, name: str, to: Path) -> None:
        """Have a thing lie in a folder, made now or before."""
        at = self._folder / name.strip("/").replace("/", "-")
        with self._locks[name]:  # what needs another takes that one's too, never the other way
            if not at.exists():
                at.mkdir(parents=True)
                try:
                    self._makers[name](at)
                except BaseException:
                    shutil.rmtree(at)
                    raise
        shutil.copytree(at, to, dirs_exist_ok=True, ignore=links)

    def _with(self, at: Path, *names: str) -> Path:
        for name in names:
            self.put(name, at)
        return at

    def _features(self, at: Path) -> None:
        self._run(f"{EXTRACT} sounds.csv pictures.csv --pair {SMALL} --to features",
                  self._with(at, "sounds.csv"))  # fmt: skip

    def _others_features(self, at: Path) -> None:
        self._run(f"python -m extractors extract --folders others {SMALL} --to others-features",
                  self._with(at, "others"))  # fmt: skip

    def _bundle(self, name: str) -> Callable[[Path], None]:
        def make(at: Path) -> None:
            self._run(f"{TRAIN} --to {name}", self._with(at, "features"))

        return make

    def _background_bundle(self, at: Path) -> None:
        self._with(at, "features", "others-features")
        self._run(f"{TRAIN} --background-features others-features --to my-bundle", at)

    def _results(self, name: str) -> Callable[[Path], None]:
        def make(at: Path) -> None:
            self._with(at, "features", "my-bundle")
            self._run(f"{TEST} --bundle my-bundle --results {name}", at)

        return make

    def _reviewed(self, at: Path) -> None:
        sources = [f"--source {name}.mp4" for name in "abc"]
        self._with(at, "a.mp4")
        for name in "bc":
            shutil.copy(at / "a.mp4", at / f"{name}.mp4")
        self._run(f"mafnet-live {' '.join(sources)} --record clips --no-publish", at)
        for event in events_of(at / "clips" / "history.db"):
            self._run(f"mafnet-history correct clips/history.db {event} --was Kettle", at)

    def _server_key(self, at: Path) -> None:
        for place in ("curve", "pool"):
            self._run(f"mafnet-keys server {hidden(at) / place}", at)
        shutil.copy(hidden(at) / "curve" / "server.key", at)

    def _client_key(self, at: Path) -> None:
        self.put("server.key", at)
        for server, client in (("pool", "edge"), ("curve", "client")):
            public = hidden(at) / server / "server.key"
            self._run(f"mafnet-keys client {hidden(at) / client} --server {public}", at)
        shutil.copy(hidden(at) / "client" / "client.key", at)

    def _keys(self, at: Path) -> None:
        self.put("client.key", at)
        for server, client, name in (("pool", "edge", "door"), ("curve", "client", "robot")):
            public = hidden(at) / client / "client.key"
            self._run(f"mafnet-keys allow {hidden(at) / server} {public} --name {name}", at)


def links(folder: str, names: list[str]) -> list[str]:
    """Return which of a folder's names are links."""
    return [name for name in names if (Path(folder) / name).is_symlink()]


def hidden(at: Path) -> Path:
    """Return the folder of keys in a home, as the documents have it."""
    folder = at / ".mafnet"
    folder.mkdir(exist_ok=True)
    return folder
