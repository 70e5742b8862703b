"""From a source's settings to opened readers, and which senses the stream will have.

A live stream whose microphone is missing runs on with its camera, and the other way round; what
failed is told as a `SenseStatus`, and looked for again unless its source is not to reconnect. Only
when nothing opens is it an error. Each kind of reader is imported here, when it is asked for, so
that a file needs no device library.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from realtime.addresses import is_network
from realtime.buffers.lag import Lag
from realtime.config import SourceConfig
from realtime.errors import LibraryMissing, SourceError
from realtime.packets import Sense, SenseState, SenseStatus
from realtime.sources.base import Inlet, Reader, SourceSenses, Tap
from realtime.sources.files import check_file, local_path
from realtime.sources.identity import DeviceIdentity
from realtime.sources.inquiry import inquire
from realtime.sources.playback import Playback
from realtime.sources.reconnecting import ReconnectingReader
from realtime.sources.registry import SourceKind, kind_of
from realtime.threads.one_off import OneOffThread

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from realtime.buffers.audio_ring import AudioRing
    from realtime.buffers.frame_ring import FrameRing
    from realtime.clock import Clock, Timeline
    from realtime.sources.container import MediaContainer
    from realtime.sources.reconnecting import MakeReader
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSource:
    """What was opened of one source.

    Attributes:
        readers: Opened, one for each capture thread; the owner steps and closes them.
        senses: Which senses the stream will have; the ring of another gets nothing.
        problems: Senses that were asked for and could not be opened.
        fault: Why nothing of it is there yet; its readers look for it. None if something is.
    """

    readers: list[Reader]
    senses: SourceSenses
    problems: list[SenseStatus] = field(default_factory=list)
    fault: SourceError | None = None

    def statuses(self) -> dict[Sense, SenseStatus]:
        """Return what is known of the senses that come back when lost. Any thread may call it."""
        merged: dict[Sense, SenseStatus] = {}
        for reader in self.readers:
            if isinstance(reader, ReconnectingReader):
                merged.update(reader.statuses())
        return merged


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
        return _open_live(config, inlet, offset_of, wait=wait)
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
    wanted = [s for s, there in zip(Sense, (senses.picture, senses.sound), strict=True) if there]
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
    reader = kind.make(config, inlet)
    if not (config.live and config.reconnect):
        _in_thread(reader.open)
        return OpenedSource(readers=[reader], senses=senses)
    returning = ReconnectingReader(
        name=reader.name,
        make=lambda to, _: kind.make(config, to),
        senses=[s for s, there in zip(Sense, (kind.picture, kind.sound), strict=True) if there],
        config=config,
        inlet=inlet,
    )
    fault = _open_or_look_for(config, returning, None, wait=wait)
    return OpenedSource(readers=[returning], senses=senses, fault=fault)


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

    shared = ReconnectingReader(
        name="capture-media", make=make, senses=list(Sense), config=config, inlet=inlet
    )
    fault = _open_or_look_for(config, shared, fault, wait=wait)
    return OpenedSource(readers=[shared], senses=shared.senses, fault=fault)


def _open_or_look_for(
    config: SourceConfig, reader: ReconnectingReader, fault: SourceError | None, *, wait: bool
) -> SourceError | None:
    """Open it, unless a fault is known already; what is not there may be looked for.

    Returns:
        What was wrong, where it is looked for.
    """
    if fault is None:
        try:
            reader.open()
        except SourceError as error:
            if not wait or isinstance(error, LibraryMissing):
                raise
            fault = error
    if fault is not None:
        _look_for(config, reader, fault)
    return fault


def _look_for(config: SourceConfig, reader: ReconnectingReader, error: SourceError) -> None:
    logger.warning("%s: is not there yet: %s", config.name, error)
    reader.retry(error)


def asked_senses(config: SourceConfig) -> SourceSenses:
    """Return which senses a source was asked for; of a file or URL nobody knows before."""
    if config.kind != "live":
        return SourceSenses(picture=True, sound=True)
    return SourceSenses(picture=config.camera is not None, sound=config.microphone is not None)


def _open_live(
    config: SourceConfig,
    inlet: Inlet,
    offset_of: Callable[[str, str], int] | None,
    *,
    wait: bool,
) -> OpenedSource:
    asked: list[tuple[Sense, Reader]] = []
    if config.camera is not None:
        asked.append((Sense.PICTURE, _make_camera(config, config.camera, inlet)))
    if config.microphone is not None:
        asked.append((Sense.SOUND, _make_microphone(config, config.microphone, inlet)))
    opened: dict[Sense, Reader] = {}
    failed: list[tuple[Sense, Reader, SourceError]] = []
    for sense, reader in asked:
        try:
            reader.open()
        except SourceError as error:
            failed.append((sense, reader, error))
        else:
            opened[sense] = reader
    returning = [(s, r) for s, r, error in failed if _may_come(r, error)]
    if not opened and not (wait and returning):
        for _, reader, _ in failed:
            reader.close()
        raise failed[0][2]
    readers = list(opened.values())
    problems: list[SenseStatus] = []
    for sense, reader, fault in failed:
        if isinstance(reader, ReconnectingReader) and _may_come(reader, fault):
            _look_for(config, reader, fault)
            readers.append(reader)
            continue
        reader.close()
        logger.warning("%s: running on without %s: %s", config.name, sense, fault)
        problems.append(SenseStatus(sense=sense, state=SenseState.LOST, detail=str(fault)))
    if offset_of is not None and len(opened) == len(Sense):
        offset_ns = offset_of(opened[Sense.PICTURE].describe(), opened[Sense.SOUND].describe())
        inlet.lateness.set(offset_ns)
        if offset_ns:
            logger.info("%s: pictures lag by %.0f ms, as calibrated", config.name, offset_ns / 1e6)
    gone = {problem.sense for problem in problems}
    there = {sense for sense, _ in asked} - gone
    senses = SourceSenses(picture=Sense.PICTURE in there, sound=Sense.SOUND in there)
    missing = None if opened else failed[0][2]
    return OpenedSource(readers=readers, senses=senses, problems=problems, fault=missing)


def _may_come(reader: Reader, fault: SourceError) -> bool:
    """Whether a reader that did not open is worth looking for again."""
    return isinstance(reader, ReconnectingReader) and not isinstance(fault, LibraryMissing)


def _make_camera(config: SourceConfig, camera: str, inlet: Inlet) -> Reader:
    identity = DeviceIdentity()

    def make(to: Inlet, _: SourceSenses) -> Reader:
        if is_network(camera):
            from realtime.sources.network import NetworkReader

            return NetworkReader(camera, to, picture=True, sound=False, config=config, endless=True)
        from realtime.sources.camera import CameraReader

        return CameraReader(camera, to, identity)

    return _coming_back(Sense.PICTURE, make, config, inlet)


def _make_microphone(config: SourceConfig, microphone: str, inlet: Inlet) -> Reader:
    from realtime.sources.microphone import MicrophoneReader

    identity = DeviceIdentity()
    return _coming_back(
        Sense.SOUND, lambda to, _: MicrophoneReader(microphone, to, identity), config, inlet
    )


def _coming_back(sense: Sense, make: MakeReader, config: SourceConfig, inlet: Inlet) -> Reader:
    """Return what reads one sense, and opens it again if that is wanted."""
    if not config.reconnect:
        return make(inlet, SourceSenses(picture=sense is Sense.PICTURE, sound=sense is Sense.SOUND))
    name = "capture-video" if sense is Sense.PICTURE else "capture-audio"
    return ReconnectingReader(name=name, make=make, senses=[sense], config=config, inlet=inlet)
