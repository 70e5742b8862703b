"""Finds the recording of an event once it is finished, by its sidecar; and what waits for one."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from realtime.outputs.history.sidecar_scan import UNFINISHED, SidecarScan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime.outputs.rules.job import Job

MAX_WAITING = 200  # jobs; of more the oldest go without a clip
MAX_CLIPS = 1000  # events whose clip is remembered


class _Waiting(NamedTuple):
    event: str
    until_ns: int
    number: int
    job: Job


class AwaitedClips:
    """Holds jobs until their clip is there, or too late; one thread.

    Args:
        folder: What is recorded to; None where nothing is.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._scan = None if folder is None else SidecarScan(folder)
        self._known: dict[str, str] = {}  # sidecars, and the state of each
        self._clips: OrderedDict[str, Path] = OrderedDict()  # by the event's id
        self._waiting: list[_Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, number: int, job: Job, until_ns: int) -> None:
        """Hold a job.

        Args:
            number: Whose it is; comes back with it.
            job: What waits; its clip is filled in.
            until_ns: It goes without one then.
        """
        self._waiting.append(_Waiting(job.values["id"], until_ns, number, job))

    def ready(self, now_ns: int) -> Iterator[tuple[int, Job]]:
        """Look, and yield what has its clip or waits no longer."""
        if not self._waiting:
            return
        self._look()
        n_surplus = len(self._waiting) - MAX_WAITING
        kept = []
        for index, waiting in enumerate(self._waiting):
            clip = self._clips.get(waiting.event)
            if clip is None and now_ns < waiting.until_ns and index >= n_surplus:
                kept.append(waiting)
                continue
            if clip is not None:
                waiting.job.clip = clip
                waiting.job.values = {**waiting.job.values, "clip": str(clip)}
            yield waiting.number, waiting.job
        self._waiting = kept

    def _look(self) -> None:
        if self._scan is None or self._folder is None:
            return
        found, gone = self._scan.news(self._known)
        for sidecar in gone:
            del self._known[sidecar]
        for each in found:
            self._known[each.sidecar] = each.state
            if each.file is None or each.state == UNFINISHED:
                continue
            for event, _ in each.events:
                self._clips[event] = self._folder / each.file
                if len(self._clips) > MAX_CLIPS:
                    self._clips.popitem(last=False)
