"""From a source's settings to opened readers, and which senses the stream will have.

A live stream whose microphone is missing runs on with its camera, and the other way round; what
failed is told as a `SenseStatus`, and looked for again unless its source is not to reconnect. Only
when nothing opens is it an error. Each kind of reader is imported here, when it is asked for, so
that a file needs no device library.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realtime.addresses import is_network
from realtime.config import SourceConfig
from realtime.errors import LibraryMissing, SourceError
from realtime.packets import Sense, SenseState, SenseStatus
from realtime.sources.base import Inlet, Reader, SourceSenses, Tap
from realtime.sources.files import check_file, local_path
from realtime.sources.identity import DeviceIdentity
from realtime.sources.playback import Playback
from realtime.sources.reconnecting import ReconnectingReader

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from realtime.buffers.audio_ring import AudioRing
    from realtime.buffers.frame_ring import FrameRing
    from realtime.clock import Clock, Timeline
    from realtime.stats import Stats

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSource:
    """What was opened of one source.

    Attributes:
        readers: Opened, one for each capture thread; the owner steps and closes them.
        senses: Which senses the stream will have; the ring of another gets nothing.
        problems: Senses that were asked for and could not be opened.
    """

    readers: list[Reader]
    senses: SourceSenses
    problems: list[SenseStatus] = field(default_factory=list)

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

    Raises:
        SourceError: Nothing could be opened; what is said is the first device's fault.
    """
    inlet = Inlet(
        timeline=timeline,
        frames=frames,
        sounds=sounds,
        prepare=prepare,
        live=config.live,
        clock=clock,
        stats=stats,
        tap=tap,
    )
    if config.kind == "demo":
        return _open_demo(config, inlet)
    if config.kind == "live":
        return _open_live(config, inlet, offset_of)
    if is_network(config.media or ""):
        return _open_network(config, inlet)
    return _open_file(config, inlet)


def _open_demo(config: SourceConfig, inlet: Inlet) -> OpenedSource:
    from realtime.sources.demo import DemoReader

    playback = Playback(inlet.clock, inlet.timeline, config.pace)
    readers: list[Reader] = [DemoReader(s, playback, inlet, loop=config.loop) for s in Sense]
    for reader in readers:
        reader.open()
    return OpenedSource(readers=readers, senses=SourceSenses(picture=True, sound=True))


def _open_file(config: SourceConfig, inlet: Inlet) -> OpenedSource:
    from realtime.sources.container import MediaContainer, nothing_decoded
    from realtime.sources.media import MediaReader

    location = local_path(config) or ""
    check_file(location)
    container = MediaContainer(location, picture=True, sound=True, stats=inlet.stats)
    senses = container.senses
    container.close()
    playback = Playback(inlet.clock, inlet.timeline, config.pace)
    wanted = [s for s, there in zip(Sense, (senses.picture, senses.sound), strict=True) if there]
    readers = [MediaReader(location, s, playback, inlet) for s in wanted]
    for reader in readers:
        reader.open()
    empty = [sense for sense, r in zip(wanted, readers, strict=True) if not r.has_begun]
    if len(empty) == len(readers):
        for reader in readers:
            reader.close()
        raise nothing_decoded(location)
    for sense in empty:
        logger.warning("%s: nothing of its %s could be decoded", config.name, sense)
    return OpenedSource(readers=[*readers], senses=senses)


def _open_network(config: SourceConfig, inlet: Inlet) -> OpenedSource:
    from realtime.sources.network import NetworkReader

    url = config.media or ""
    if not config.reconnect:
        plain = NetworkReader(url, inlet, picture=True, sound=True)
        plain.open()
        return OpenedSource(readers=[plain], senses=plain.senses)
    made: list[NetworkReader] = []  # the first: it tells what there is

    def make(to: Inlet) -> Reader:
        senses = made[0].senses if made else SourceSenses(picture=True, sound=True)
        reader = NetworkReader(url, to, picture=senses.picture, sound=senses.sound, endless=True)
        if not made:
            made.append(reader)
        return reader

    shared = ReconnectingReader(
        name="capture-media", make=make, senses=list(Sense), config=config, inlet=inlet
    )
    shared.open()
    first = made[0]
    if first.is_finite:  # a recording on a server ends, and does not come back
        return OpenedSource(readers=[first], senses=first.senses)
    there = (first.senses.picture, first.senses.sound)
    shared.watch_only([sense for sense, is_there in zip(Sense, there, strict=True) if is_there])
    return OpenedSource(readers=[shared], senses=first.senses)


def _open_live(
    config: SourceConfig, inlet: Inlet, offset_of: Callable[[str, str], int] | None
) -> OpenedSource:
    asked: list[tuple[Sense, Reader]] = []
    if config.camera is not None:
        asked.append((Sense.PICTURE, _make_camera(config, config.camera, inlet)))
    if config.microphone is not None:
        asked.append((Sense.SOUND, _make_microphone(config, config.microphone, inlet)))
    readers: list[Reader] = []
    opened: dict[Sense, Reader] = {}
    failed: list[tuple[Sense, Reader, SourceError]] = []
    for sense, reader in asked:
        try:
            reader.open()
        except SourceError as error:
            reader.close()
            failed.append((sense, reader, error))
        else:
            readers.append(reader)
            opened[sense] = reader
    if not readers:
        nothing = SourceError("neither a camera nor a microphone was asked for")
        raise failed[0][2] if failed else nothing
    problems: list[SenseStatus] = []
    for sense, reader, fault in failed:
        logger.warning("%s: running on without %s: %s", config.name, sense, fault)
        if isinstance(reader, ReconnectingReader) and not isinstance(fault, LibraryMissing):
            reader.retry(fault)
            readers.append(reader)
        else:
            problems.append(SenseStatus(sense=sense, state=SenseState.LOST, detail=str(fault)))
    if offset_of is not None and len(opened) == len(Sense):
        offset_ns = offset_of(opened[Sense.PICTURE].describe(), opened[Sense.SOUND].describe())
        inlet.lateness.set(offset_ns)
        if offset_ns:
            logger.info("%s: pictures lag by %.0f ms, as calibrated", config.name, offset_ns / 1e6)
    gone = {problem.sense for problem in problems}
    there = {sense for sense, _ in asked} - gone
    senses = SourceSenses(picture=Sense.PICTURE in there, sound=Sense.SOUND in there)
    return OpenedSource(readers=readers, senses=senses, problems=problems)


def _make_camera(config: SourceConfig, camera: str, inlet: Inlet) -> Reader:
    identity = DeviceIdentity()

    def make(to: Inlet) -> Reader:
        if is_network(camera):
            from realtime.sources.network import NetworkReader

            return NetworkReader(camera, to, picture=True, sound=False, endless=True)
        from realtime.sources.camera import CameraReader

        return CameraReader(camera, to, identity)

    return _coming_back(Sense.PICTURE, make, config, inlet)


def _make_microphone(config: SourceConfig, microphone: str, inlet: Inlet) -> Reader:
    from realtime.sources.microphone import MicrophoneReader

    identity = DeviceIdentity()
    return _coming_back(
        Sense.SOUND, lambda to: MicrophoneReader(microphone, to, identity), config, inlet
    )


def _coming_back(
    sense: Sense, make: Callable[[Inlet], Reader], config: SourceConfig, inlet: Inlet
) -> Reader:
    """Return what reads one sense, and opens it again if that is wanted."""
    if not config.reconnect:
        return make(inlet)
    name = "capture-video" if sense is Sense.PICTURE else "capture-audio"
    return ReconnectingReader(name=name, make=make, senses=[sense], config=config, inlet=inlet)
