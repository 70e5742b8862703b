"""A page with a history and clips behind it, for tests of the page."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from realtime.clock import ManualClock
from realtime.config import WebConfig
from realtime.outputs.history.schema import open_to_write
from realtime.outputs.history.sidecar_scan import Found
from realtime.outputs.history.store import HistoryStore
from realtime.outputs.wire import Quality
from realtime.packets import GridFrame
from realtime.swap_state import SwapState
from realtime.web.app import WebApp
from realtime.web.guard import Hosts
from realtime.web.heard import Heard, NewestSound
from realtime.web.live import Live
from realtime.web.passwords import PasswordHash
from realtime.web.past import Past
from realtime.web.server import WebPage
from realtime.web.teacher import Teacher
from snapshots import make_snapshot
from wire_samples import LABELS, STARTED, make_event, make_prediction, make_stamper, make_timeline

CLIP = bytes(range(256)) * 40  # no film: who serves it does not look inside
OUTSIDE = b"what lies outside of the folder of recordings"
PASSWORD = "correct horse battery"
COOKIE = "mafnet_8080"
STARTED_MS = round(STARTED.timestamp() * 1000)


class Site:
    """A history of `n_events`, of which the first has a clip.

    Event n begins 10 n s after `STARTED`, lasts 4 s, and is of label n modulo 4. Events 2, 3 and 4
    have clips that lead out of the folder, by `..`, by an absolute path and by a link; 5's is still
    being recorded.
    """

    def __init__(self, folder: Path, n_events: int = 12) -> None:
        self.clock = ManualClock()
        self.history = folder / "history.db"
        self.recordings = folder / "clips"
        (self.recordings / "2026-01-02").mkdir(parents=True)
        (self.recordings / "2026-01-02" / "a.mp4").write_bytes(CLIP)
        (folder / "outside.mp4").write_bytes(OUTSIDE)
        (self.recordings / "2026-01-02" / "link.mp4").symlink_to(folder / "outside.mp4")
        stamper, timeline = make_stamper(self.clock), make_timeline()
        self.ids: list[str] = []
        bodies = []
        for n in range(1, n_events + 1):
            event = make_event(
                n,
                LABELS[1 + n % 4],
                onset_s=10.0 * n,
                offset_s=10.0 * n + 4.0,
                confidence=0.5 + 0.5 * (n % 10) / 10,
            )
            message = stamper.event(
                "hall" if n % 2 else "yard", timeline, event, make_prediction(), LABELS, Quality()
            )
            bodies.append(message.body)
            self.ids.append(str(message.body["id"]))
        files = ["2026-01-02/a.mp4", "../outside.mp4", str(folder / "outside.mp4")]
        files += ["2026-01-02/link.mp4", "2026-01-02/b.mp4"]
        store = HistoryStore(open_to_write(self.history), keep_events=100_000)
        store.put(bodies)
        store.note_recordings(
            Found(f"{n}.json", file, "hall", "recording" if n == 5 else "complete", ((key, 5.0),))
            for n, (key, file) in enumerate(zip(self.ids, files, strict=False), 1)
        )
        store.close()

    def app(
        self,
        *,
        password: PasswordHash | None = None,
        bound: str = "127.0.0.1",
        teacher: Teacher | None = None,
    ) -> WebApp:
        return WebApp(
            live=Live(make_snapshot, no_frame, self.clock),
            heard=Heard(no_sound),
            past=Past(self.history, self.recordings),
            known_labels=lambda: LABELS,
            teacher=teacher,
            hosts=Hosts(bound, ("cam.example",)),
            password=password,
            cookie=COOKIE,
            clock=self.clock,
        )

    def page(self, *, password_file: Path | None = None, **parts: Any) -> WebPage:
        file = None if password_file is None else str(password_file)
        usual: dict[str, Any] = {
            "view": make_snapshot,
            "newest_frame": no_frame,
            "newest_sound": no_sound,
            "history": self.history,
            "recordings": self.recordings,
            "known_labels": lambda: LABELS,
            "bundle": "starter",
            "bundle_state": lambda: SwapState(bundle="starter 1"),
            "take_bundle": lambda name: None,
            "clock": self.clock,
        }
        config = WebConfig(bind="127.0.0.1:0", password_file=file)
        return WebPage(config, **{**usual, **parts})

    def rows(self, query: str, *values: object) -> list[Any]:
        with closing(open_to_write(self.history)) as connection:
            return connection.execute(query, values).fetchall()


def no_frame(source: str) -> GridFrame | None:
    return None


def no_sound(source: str, from_index: int) -> NewestSound | None:
    return None


def visit(app: WebApp, host: str = "127.0.0.1:8080", address: str = "127.0.0.1") -> TestClient:
    """Return a visitor; what the app raises is raised here."""
    return TestClient(
        app.guarded, base_url=f"http://{host}", follow_redirects=False, client=(address, 50_000)
    )
