"""A camera and a microphone as one source: which of them are there, and which are looked for.

Each kind of reader is imported here, when it is asked for, so that a microphone needs no OpenCV.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from realtime.addresses import is_network
from realtime.errors import LibraryMissing, SourceError
from realtime.packets import Sense, SenseState, SenseStatus
from realtime.sources.base import Inlet, Reader, SourceSenses
from realtime.sources.identity import DeviceIdentity
from realtime.sources.opened import OpenedSource, look_for
from realtime.sources.reconnecting import ReconnectingReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.config import SourceConfig
    from realtime.sources.reconnecting import MakeReader

logger = logging.getLogger(__name__)


def open_live(
    config: SourceConfig,
    inlet: Inlet,
    offset_of: Callable[[str, str], int] | None,
    *,
    wait: bool,
) -> OpenedSource:
    """Open a camera, a microphone or both; one that is missing may be looked for.

    Args:
        config: Which ones.
        inlet: Where frames and sound go.
        offset_of: By how many ns a camera is dated later than a microphone, both by what they
            say of themselves.
        wait: Whether what cannot be opened is looked for even if nothing else can.

    Raises:
        SourceError: Nothing could be opened; what is said is the first device's fault.
    """
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
            look_for(config, reader, fault)
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
    senses = SourceSenses.of({sense for sense, _ in asked} - gone)
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
        return make(inlet, SourceSenses.of([sense]))
    return ReconnectingReader(make=make, senses=[sense], config=config, inlet=inlet)
