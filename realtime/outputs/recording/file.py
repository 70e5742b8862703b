"""One recording's files: the MP4 while it grows and once it is whole, and its sidecar.

The sidecar comes first and says `recording`; it is replaced when the MP4 is whole. So after a crash
the two say what happened, and the `.part.mp4` beside it plays. Room to say `broken` is kept in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, BinaryIO

from realtime.clock import NS_PER_S, Timeline, format_utc
from realtime.errors import OutputError
from realtime.outputs.private_files import open_private
from realtime.outputs.recording.codec import FrameCodec, can_be_played, finish_file
from realtime.outputs.recording.plan import RecordPlan, describe_events
from realtime.outputs.recording.recording import Recording, Ruler
from realtime.packets import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from realtime.config import RecordConfig
    from realtime.outputs.recording.ring import PreRollRing
    from realtime.outputs.recording.store import RecordStore

logger = logging.getLogger(__name__)

SIDECAR_VERSION = 1
N_SPARE_BYTES = 512  # `broken` and why
MAX_HURRIED_BYTES = 16 << 20  # a copy takes 13 ms a MB on an idle machine
NOTHING_CAME = "no picture and no sound came in its time"


def open_exclusive(path: Path) -> BinaryIO:
    """Open a new private file for writing, without a buffer: what was written is the system's."""
    return os.fdopen(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb", buffering=0)


def make_whole(part: Path, final: Path) -> None:
    """Make an ordinary MP4 of a fragmented one, which goes; raises OSError.

    Where it cannot be copied (no room for both, damage) it stays in fragments, under its new name.
    """
    copy = final.with_name(f".{final.name}.part")
    try:
        copy.unlink(missing_ok=True)
        os.close(open_private(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        finish_file(part, copy)
        copy.replace(final)
    except (OSError, OutputError) as error:
        if not part.exists():  # the folder was moved
            raise
        copy.unlink(missing_ok=True)
        logger.warning("%s stays in fragments: %s", final, error)
        part.replace(final)
    part.unlink(missing_ok=True)


class _CountedSink:
    """Counts what was written."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.n_bytes = 0
        self.close = sink.close

    def write(self, data: bytes) -> int | None:
        n_bytes = self._sink.write(data)
        self.n_bytes += len(data)
        return n_bytes


class RecordFile:
    """Opens a recording's files and ends them; one thread. Errors of the disk are OSErrors.

    Args:
        store: Where.
        config: What was asked for.
        timeline: The stream's time.
        plan: The events so far.
        number: Of this recording in this run, from 1.
        ring: Holds what is to be written.
        ruler: Where it starts.
        size: Of the picture; None without one.
        codec: The ring's.
        may_thin: Leave frames out before memory runs over.
        open_sink: Opens a new file.
        pre_roll_cut: Why it starts later than asked; None if it does not.
        folder: The recording's number and the folder's age, for the sidecar.

    Attributes:
        recording: What writes into the MP4.
        paths: Where its files lie.
    """

    def __init__(
        self,
        *,
        store: RecordStore,
        config: RecordConfig,
        timeline: Timeline,
        plan: RecordPlan,
        number: int,
        ring: PreRollRing,
        ruler: Ruler,
        size: tuple[int, int] | None,
        codec: FrameCodec,
        may_thin: bool,
        open_sink: Callable[[Path], BinaryIO],
        pre_roll_cut: str | None,
        folder: dict[str, object],
    ) -> None:
        self._store = store
        self._timeline = timeline
        self._plan = plan
        start_t_ns = timeline.t_ns(ruler.start_ns)
        first = next(iter(plan.events.values())).onset
        run = str(first["run"])
        self.paths = store.begin(timeline.utc(start_t_ns), plan.label, run, number)
        self._sidecar: dict[str, object] = {
            "v": SIDECAR_VERSION,
            "state": "recording",
            "file": self.paths.part.name,
            "run": run,
            "source": first["source"],
            "folder": folder,
            "start": self._moment(start_t_ns),
            "continues": plan.begin_t_ns is not None,
            "asked": {"pre_roll_s": config.pre_roll_s, "post_roll_s": config.post_roll_s},
            "pre_roll_cut": pre_roll_cut,
            "events": describe_events(plan, start_t_ns, start_t_ns),
        }
        store.write_sidecar(self.paths, self._sidecar, N_SPARE_BYTES)
        with contextlib.ExitStack() as undo:  # a sidecar beside nothing would say `recording`
            undo.callback(self.paths.sidecar.unlink, missing_ok=True)
            self._sink = _CountedSink(open_sink(self.paths.part))
            undo.callback(self.paths.part.unlink, missing_ok=True)
            undo.callback(self._sink.close)
            self.recording = Recording(ring, ruler, size, codec, self._sink, may_thin=may_thin)
            undo.pop_all()

    @property
    def n_bytes(self) -> int:
        """How much of the MP4 the disk has taken so far."""
        return self._sink.n_bytes

    def finish(self, end_ns: int, *, post_roll_cut: str | None, is_hurried: bool) -> bool:
        """Write up to `end_ns` on the run's clock, and make one ordinary MP4 of it.

        Args:
            end_ns: Exclusive end.
            post_roll_cut: Why it ends earlier than asked; None if it does not.
            is_hurried: The program ends: a large file stays in fragments, which play as well.

        Returns:
            Whether there is anything in it; else the sidecar says so, and the MP4 is gone.
        """
        recording, paths = self.recording, self.paths
        recording.finish(end_ns)
        self._sink.close()
        if recording.is_empty:
            paths.part.unlink()
            self._sidecar |= {"state": "broken", "why": NOTHING_CAME, "file": None}
            self._store.write_sidecar(paths, self._sidecar)
            return False
        start_t_ns = self._timeline.t_ns(recording.start_ns)
        end_t_ns = self._timeline.t_ns(end_ns)
        picture = sound = None
        if recording.size is not None:
            width, height = recording.size
            picture = {
                "width": width,
                "height": height,
                "n_frames": recording.n_frames,
                "longest_s": round(recording.longest_ns / NS_PER_S, 4),
            }
        if recording.has_sound:
            sound = {"sample_rate": SAMPLE_RATE, "n_missing": recording.n_missing}
        duration_s = round((end_ns - recording.start_ns) / NS_PER_S, 4)
        is_long = is_hurried and self.n_bytes > MAX_HURRIED_BYTES
        if is_long or not self._store.has_room(self.n_bytes):  # for a copy beside it
            paths.part.replace(paths.final)
        else:
            make_whole(paths.part, paths.final)
        self._store.write_sidecar(
            paths,
            {
                **self._sidecar,
                "state": "complete",
                "file": paths.final.name,
                "start": self._moment(start_t_ns),  # anew: the wall clock may have been set
                "end": self._moment(end_t_ns),
                "duration_s": duration_s,
                "post_roll_cut": post_roll_cut,
                "picture": picture,
                "sound": sound,
                "dropped": recording.n_lost(end_ns),
                "events": describe_events(self._plan, start_t_ns, end_t_ns),
            },
        )
        logger.info("recorded %s, %.1f s", paths.final, duration_s)
        return True

    def abandon(self, why: str) -> None:
        """Leave the MP4 as it is, in fragments, and `tell` why; delete it if none is whole."""
        self.recording.abandon()
        part, final = self.paths.part, self.paths.final
        with contextlib.suppress(OSError):  # what cannot be closed or deleted stays as it is
            self._sink.close()
            if part.exists() and not can_be_played(part):
                part.unlink()
        there = [path.name for path in (part, final) if os.path.lexists(path)]
        self._sidecar |= {"state": "broken", "why": why, "file": there[0] if there else None}
        self._sidecar |= {"dropped": self.recording.n_lost(self.recording.reached_ns)}

    def discard(self) -> bool:
        """Remove the sidecar of an abandoned recording of which nothing plays; say if it did."""
        if self._sidecar["file"] is not None:
            return False
        with contextlib.suppress(OSError):  # the folder went
            self.paths.sidecar.unlink()
        return True

    def tell(self) -> bool:
        """Have the sidecar say what became of an abandoned recording; return whether it does."""
        try:
            if self.paths.sidecar.exists():  # else somebody moved both away
                self._store.rewrite_sidecar(self.paths, self._sidecar)
        except OSError:
            return False
        return True

    def _moment(self, t_ns: int) -> dict[str, object]:
        utc = format_utc(self._timeline.utc(t_ns))
        return {"t_s": round(t_ns / NS_PER_S, 4), "utc": utc}
