"""From an event that is told to a notification that has come, over loopback.

    python benchmarks/notification.py [--events 6]

The server answers as ntfy does. An onset is handed to the run's outputs as recognition does it;
the time ends when the server has the whole request. The last row has a dead and a hanging target
beside the one that is measured. Apprise lets some seconds pass between two notifications of one
address, as services want it; so do the events here.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from rich.console import Console
from rich.table import Table

from realtime.clock import NS_PER_S, MonotonicClock, Timeline, WallClock
from realtime.config import RuleConfig, RulesConfig
from realtime.controls import Profiles
from realtime.output_threads import OutputThreads
from realtime.outputs.rules.output import RulesOutput
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Quality
from realtime.packets import Event, GridFrame, Phase
from realtime.stats import Stats

EVERY_S = 6.0  # longer than Apprise waits
WAIT_S = 20.0
LABELS = ("Siren",)
FRAME = GridFrame(slot=0, time_ns=0, image=np.full((224, 224, 3), 128, np.uint8))


class Phone:
    """A server like ntfy's that notes when a request has come."""

    def __init__(self) -> None:
        self.came_s = 0.0
        self.came = threading.Event()
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                phone.came_s = time.perf_counter()
                phone.came.set()
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_PUT = do_POST  # noqa: N815 - the library's name

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=6, metavar="N", help="of each row")
    n_events = parser.parse_args().events
    phone, hanging = Phone(), socket.create_server(("127.0.0.1", 0))
    ntfy = (f"ntfy://127.0.0.1:{phone.port}/hall",)
    stuck = (
        RuleConfig(name="dead", notify=("ntfy://127.0.0.1:1/x",), per_hour=100_000),
        RuleConfig(
            name="hangs", post=f"http://127.0.0.1:{hanging.getsockname()[1]}/", per_hour=100_000
        ),
    )
    rules = {
        "post": {"post": f"http://127.0.0.1:{phone.port}/hook"},
        "ntfy": {"notify": ntfy},
        "ntfy with the picture": {"notify": ntfy, "attach": "picture"},
    }
    rows = [
        (name, (RuleConfig(name="it", per_hour=100_000, **more),)) for name, more in rules.items()
    ]
    rows.append(("ntfy, beside a dead and a hanging target", (rows[1][1][0], *stuck)))
    table = Table(title=f"onset told → request received, ms, {n_events} events")
    for column in ("target", "median", "95th", "most"):
        table.add_column(column, justify="left" if column == "target" else "right")
    for name, row in rows:
        took_ms = sorted(times_ms(row, phone, n_events))
        p95 = took_ms[min(len(took_ms) - 1, round(0.95 * len(took_ms)))]
        figures = (statistics.median(took_ms), p95, took_ms[-1])
        table.add_row(name, *(f"{value:.1f}" for value in figures))
    phone.close()
    hanging.close()
    Console().print(table)
    return 0


def times_ms(rules: tuple[RuleConfig, ...], phone: Phone, n_events: int) -> list[float]:
    """Return how long each event took, ms; the first one, which loads the library, is left out."""
    clock, stats = MonotonicClock(), Stats()
    config, wall = RulesConfig(rules=rules), WallClock(clock)
    output = RulesOutput(
        config,
        Profiles(config),
        live=True,
        labels=LABELS,
        recordings=None,
        post_roll_s=0.0,
        newest_frame=lambda _: FRAME,
        clock=clock,
        stats=stats,
    )
    threads = OutputThreads(
        live=True, stop=threading.Event(), on_error=lambda: None, clock=clock, stats=stats
    )
    threads.open_output(output)
    threads.start()
    stamper, timeline = MessageStamper("bench", clock, wall), Timeline(wall, clock.now_ns())
    timeline.start(0)
    took_ms = []
    for number in range(n_events + 1):
        event = Event(
            number=number,
            phase=Phase.ONSET,
            label="Siren",
            confidence=0.9,
            score=0.9,
            onset_t_ns=number * NS_PER_S,
            offset_t_ns=None,
        )
        message = stamper.event("hall", timeline, event, None, LABELS, Quality())
        phone.came.clear()
        began_s = time.perf_counter()
        threads.emit(message)
        if not phone.came.wait(WAIT_S):
            raise SystemExit("a notification never came")
        took_ms.append(1000 * (phone.came_s - began_s))
        time.sleep(EVERY_S)
    threads.close(time.monotonic() + 1.5)
    return took_ms[1:]


if __name__ == "__main__":
    raise SystemExit(main())
