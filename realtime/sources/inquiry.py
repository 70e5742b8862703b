"""Asks a URL what it gives, before anything is built for it: a recording loses nothing and waits.

A recording on a server is read as a file is; a stream that plays by itself has rings that drop,
clips that do not wait, and comes back when it is lost. Whether it is the one or the other is found
out with one opening, which a live stream's reader goes on with: a camera may let in one client.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from realtime.addresses import is_network
from realtime.clock import NS_PER_S
from realtime.sources.nature import Nature, nature_by_pace, nature_of
from realtime.sources.refusals import still_picture
from realtime.sources.registry import kind_of
from realtime.threads.one_off import OneOffThread

if TYPE_CHECKING:
    from realtime.clock import Clock
    from realtime.config import SourceConfig
    from realtime.sources.container import MediaContainer
    from realtime.stats import Stats


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a source turned out to be.

    Attributes:
        config: Its settings; of a recording, `nature` says so.
        container: Of a live stream, open; its first reader goes on with it.
    """

    config: SourceConfig
    container: MediaContainer | None = None


def is_untold(config: SourceConfig) -> bool:
    """Whether only asking tells what a source gives."""
    return config.kind == "media" and config.nature == "auto" and is_network(config.media or "")


def inquire(config: SourceConfig, clock: Clock, stats: Stats) -> Answer:
    """Find out what a source gives; may take seconds where it is a URL.

    Raises:
        SourceError: It cannot be opened, or gives a still picture.
    """
    kind = kind_of(config.media)
    if kind is not None:  # somebody's own: it says itself
        nature = Nature.LIVE if kind.live else Nature.RECORDING
        pace = config.pace and kind.live  # what is read to its end has times of its own
        retry_s = kind.retry_s or config.retry_s
        return Answer(config=replace(config, nature=nature.value, pace=pace, retry_s=retry_s))
    if not is_untold(config):
        return Answer(config=config)
    # In a thread: Python hears no signal while a library is connecting.
    return OneOffThread("capture-connect").run(lambda: _ask(config, clock, stats))


def _ask(config: SourceConfig, clock: Clock, stats: Stats) -> Answer:
    from realtime.sources.container import MediaContainer, asked_tracks

    url = config.media or ""
    began_ns = clock.now_ns()
    container = MediaContainer(
        url,
        picture=True,
        sound=True,
        stats=stats,
        live=True,
        transport=config.transport,
        read_timeout_s=config.read_timeout_s,
        tracks=asked_tracks(config),
    )
    nature = Nature.UNTOLD
    try:
        nature = _find_out(container, clock, began_ns)
    finally:
        if nature is not Nature.LIVE:
            container.close()
    if nature is Nature.STILL:
        raise still_picture(url, container.form)
    if nature is Nature.LIVE:
        return Answer(config=config, container=container)
    return Answer(config=replace(config, nature=nature.value, pace=True))  # at its own speed


def _find_out(container: MediaContainer, clock: Clock, began_ns: int) -> Nature:
    """Say what it is; where nothing tells, read on for a moment. Nothing read is lost.

    Args:
        container: Of the URL, just opened.
        clock: The run's clock.
        began_ns: When its opening began.

    Raises:
        SourceError: It was lost meanwhile.
    """
    nature, first_ns, newest_ns = nature_of(container.facts), None, 0
    kept: list[Any] = []
    while nature is Nature.UNTOLD:
        packet = container.read_packet()
        if packet is not None:
            kept.append(packet)
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.time_base is not None:
                stamp_ns = round(stamp * packet.time_base * NS_PER_S)
                first_ns = stamp_ns if first_ns is None else min(first_ns, stamp_ns)
                newest_ns = max(newest_ns, stamp_ns)
        nature = nature_by_pace(
            container.form,
            0 if first_ns is None else newest_ns - first_ns,
            clock.now_ns() - began_ns,
            sum(bool(packet.size) for packet in kept),
            has_ended=packet is None,
        )
    container.put_back(kept)
    return nature
