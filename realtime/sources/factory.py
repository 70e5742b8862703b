"""From a source's settings to opened readers, and which senses the stream will have.

What failed of a source with two devices is told as a `SenseStatus`, and looked for again unless its
source is not to reconnect. Only when nothing opens is it an error. Each kind of reader is imported
here, when it is asked for, so that a file needs no device library.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from realtime.buffers.lag import Lag
from realtime.config import SourceConfig
from realtime.errors import LibraryMissing, SourceError
from realtime.packets import Sense
from realtime.redaction import redacted_location
from realtime.sources.base import Inlet, Reader, SourceSenses, Tap
from realtime.sources.files import check_file, local_path
from realtime.sources.inquiry import inquire
from realtime.sources.live_devices import open_live
from realtime.sources.opened import OpenedSource, open_or_look_for
from realtime.sources.playback import Playback
from realtime.sources.reconnecting import ReconnectingReader
from realtime.sources.registry import SourceKind, kind_of
from realtime.threads.one_off import OneOffThread
from weights.printable import first_line

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from realtime.buffers.audio_ring import AudioRing
    from realtime.buffers.frame_ring import FrameRing
    from realtime.clock import Clock, Timeline
    from realtime.sources.container import MediaContainer
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def open_readers(
    config: SourceConfig,
    timeline: Timeline,
    frames: FrameRing,
    sounds: AudioRing,
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    clock: Clock,
    stats: Stats,
    tap: Tap | None = None,
    offset_of: Callable[[str, str], int] | None = None,
    container: MediaContainer | None = None,
    fault: SourceError | None = None,
    wait: bool = False,
    lag: Lag | None = None,
) -> OpenedSource:
    """Open all that one source asks for; may take seconds.

    Args:
        config: What to open.
        timeline: The stream's time, not started.
        frames: Its picture ring.
        sounds: Its sound ring.
        prepare: Makes the trunk's uint8 `(size, size, 3)` of an RGB uint8 `(H, W, 3)`.
        clock: The run's clock.
        stats: The stream's figures.
        tap: Takes a copy of all that comes; None for nobody.
        offset_of: By how many ns a camera is dated later than a microphone, both by what they
            say of themselves (`Reader.describe`); None for pairs that nobody calibrated.
        container: Of a URL that was asked what it gives (`realtime.sources.inquiry`): still open.
        fault: Why such a URL could not be asked.
        wait: Whether what cannot be opened is looked for even if nothing else of the source can.
        lag: The stream's, which follows how a source delivers; None for one nobody reads.

    Raises:
        SourceError: Nothing could be opened; what is said is the first device's fault.
    """
    wait = config.reconnect and (wait or config.wait)
    inlet = Inlet(
        timeline=timeline,
        frames=frames,
        sounds=sounds,
        prepare=prepare,
        live=config.live,
        clock=clock,
        stats=stats,
        tap=tap,
        lag=lag or Lag(),
        name=config.name,
    )
    if config.kind == "demo":
        return _open_demo(config, inlet)
    if config.kind == "live":
        return open_live(config, inlet, offset_of, wait=wait)
    kind = kind_of(config.media)
    if kind is not None:
        return _open_added(config, inlet, kind, wait=wait)
    if container is None and not (wait and fault is not None):
        try:
            answer = inquire(config, clock, stats)
        except SourceError as error:
            if not wait or isinstance(error, LibraryMissing):
                raise
            fault = error
        else:
            config, container = answer.config, answer.container
    if config.live:
        return _open_network(config, inlet, container, fault if wait else None, wait=wait)
    return _open_file(config, inlet)


def _open_demo(config: SourceConfig, inlet: Inlet) -> OpenedSource:
    from realtime.sources.demo import DemoReader

    playback = Playback(inlet.clock, inlet.timeline, config.pace)
    readers: list[Reader] = [DemoReader(s, playback, inlet, loop=config.loop) for s in Sense]
    for reader in readers:
        reader.open()
    return OpenedSource(readers=readers, senses=SourceSenses(picture=True, sound=True))


def _open_file(config: SourceConfig, inlet: Inlet) -> OpenedSource:
    from realtime.sources.container import MediaContainer, asked_tracks
    from realtime.sources.media import MediaReader
    from realtime.sources.refusals import nothing_decoded

    path = local_path(config)
    location = path if path is not None else config.media or ""
    if path is not None:
        check_file(path)
    asked = asked_tracks(config)
    container = _in_thread(
        lambda: MediaContainer(location, picture=True, sound=True, stats=inlet.stats, tracks=asked)
    )
    senses, form = container.senses, container.form
    tracks = _in_thread(lambda: container.choose_tracks(asked))
    container.close()
    playback = Playback(inlet.clock, inlet.timeline, config.pace)
    wanted = senses.there()
    readers = [MediaReader(location, s, playback, inlet, tracks) for s in wanted]
    for reader in readers:
        _in_thread(reader.open)
    empty = [sense for sense, r in zip(wanted, readers, strict=True) if not r.has_begun]
    if len(empty) == len(readers):
        for reader in readers:
            reader.close()
        raise nothing_decoded(location, form)
    for sense in empty:
        logger.warning("%s: nothing of its %s could be decoded", config.name, sense)
    return OpenedSource(readers=[*readers], senses=senses)


def _open_added(
    config: SourceConfig, inlet: Inlet, kind: SourceKind, *, wait: bool
) -> OpenedSource:
    """Open a source of a kind that somebody added."""
    senses = SourceSenses(picture=kind.picture, sound=kind.sound)
    reader = _made(kind, config, inlet)
    if not (config.live and config.reconnect):
        _in_thread(reader.open)
        return OpenedSource(readers=[reader], senses=senses)
    returning = ReconnectingReader(
        make=lambda to, _: _made(kind, config, to),
        senses=senses.there(),
        config=config,
        inlet=inlet,
    )
    fault = open_or_look_for(config, returning, None, wait=wait)
    return OpenedSource(readers=[returning], senses=senses, fault=fault)


def _made(kind: SourceKind, config: SourceConfig, inlet: Inlet) -> Reader:
    """Make a reader that is not ours; what it cannot take of a URL is one sentence."""
    try:
        return kind.make(config, inlet)
    except (ValueError, TypeError, LookupError, OSError) as error:
        where = redacted_location(config.media or config.name)
        raise SourceError(f"{where} cannot be read: {first_line(error)}") from error


def _in_thread(work: Callable[[], Result]) -> Result:
    """Open in a thread: Python hears no signal while a library waits for a server or a disk."""
    return OneOffThread("capture-connect").run(work)


def _open_network(
    config: SourceConfig,
    inlet: Inlet,
    container: MediaContainer | None,
    fault: SourceError | None,
    *,
    wait: bool,
) -> OpenedSource:
    from realtime.sources.network import NetworkReader

    url = config.media or ""
    if not config.reconnect:
        plain = NetworkReader(
            url, inlet, picture=True, sound=True, config=config, container=container
        )
        plain.open()
        return OpenedSource(readers=[plain], senses=plain.senses)
    opened = [] if container is None else [container]

    def make(to: Inlet, senses: SourceSenses) -> Reader:
        return NetworkReader(
            url,
            to,
            picture=senses.picture,
            sound=senses.sound,
            config=config,
            endless=True,
            container=opened.pop() if opened else None,
        )

    shared = ReconnectingReader(make=make, senses=list(Sense), config=config, inlet=inlet)
    fault = open_or_look_for(config, shared, fault, wait=wait)
    return OpenedSource(readers=[shared], senses=shared.senses, fault=fault)
