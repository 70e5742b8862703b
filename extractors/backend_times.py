"""How fast and how exact each backend is on this machine: measured once per bundle, then kept.

What is timed is a live hop: four frames and one second of sound. A kept measurement belongs to one
processor, number of threads, release of each backend, bundle and precision.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from extractors.openvino_graphs import GRAPH_VERSION, installed_version
from extractors.tolerances import noise
from extractors.trunks import Distance, Inputs, Trunks, TrunkSpecs, distance
from weights.bundle_spec import Bundle
from weights.files import written_whole

logger = logging.getLogger(__name__)

N_FRAMES = 4  # a hop of 0.25 s at 16 frames a second
N_RUNS = 5
BUDGET_S = 2.0  # slow trunks on a busy machine are timed fewer times, at least once


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One backend as it was measured.

    Attributes:
        name: For instance `torch`, or `openvino float32`.
        ms: The fastest of a few hops.
        distance: From torch in float32, see `trunks.distance`.
    """

    name: str
    ms: float
    distance: Distance


def timed(
    file: Path,
    makers: Mapping[str, Callable[[], Trunks]],
    exact: Callable[[], Trunks],
    inputs: Inputs,
) -> dict[str, Candidate]:
    """Return what is kept in `file`, or measure and keep it.

    Args:
        file: From `times_file`.
        makers: Loads each backend's trunks, by its name.
        exact: Loads what is right: torch in float32.
        inputs: What the trunks read.
    """
    kept = _read(file, tuple(makers))
    if kept is not None:
        return kept
    logger.info("timing %s, once for this machine and bundle", ", ".join(makers))
    loaded = {name: make() for name, make in makers.items()}
    times_ms = _times_ms(loaded, inputs)
    measured = {}
    for name, trunks in loaded.items():
        away = distance(exact(), trunks, inputs)
        measured[name] = Candidate(name=name, ms=times_ms[name], distance=away)
        logger.info(
            "%s: %.1f ms a hop, pictures %.1g away, sound %.1g", name, times_ms[name], *away
        )
    try:
        with written_whole(file) as temporary:
            rows = [asdict(candidate) for candidate in measured.values()]
            temporary.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        logger.info("the timing cannot be kept in %s (%s)", file.parent, error)
    return measured


def times_file(
    home: Path, specs: TrunkSpecs | Bundle, precision: str, names: tuple[str, ...], n_threads: int
) -> Path:
    """Return where a measurement of these backends is kept, on this machine as it is."""
    name, seen = ("", "") if specs.visual is None else (specs.visual.trunk, specs.visual.sha256)
    facts = (
        _processor(),
        n_threads,
        torch.__version__,
        installed_version(),
        GRAPH_VERSION,
        name,
        seen,
        "" if specs.audio is None else specs.audio.sha256,
        precision,
        names,
    )
    key = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    return home / "backend-times" / f"{name}-{key}.json"


def _times_ms(loaded: Mapping[str, Trunks], inputs: Inputs) -> dict[str, float]:
    """Time one hop of each in turns, so that what else the machine does hits all alike."""
    images, log_mel = noise(inputs.size, N_FRAMES, inputs.sound_shape)
    best_s = dict.fromkeys(loaded, math.inf)
    began = time.perf_counter()
    for run in range(N_RUNS + 1):
        for name, trunks in loaded.items():
            started = time.perf_counter()
            trunks.encode_pictures(images)
            trunks.encode_log_mel(log_mel).cpu()  # waits for whatever computes
            if run:  # the first one warms up
                best_s[name] = min(best_s[name], time.perf_counter() - started)
        if run and time.perf_counter() - began > BUDGET_S:
            break
    return {name: seconds * 1e3 for name, seconds in best_s.items()}


def _read(file: Path, names: tuple[str, ...]) -> dict[str, Candidate] | None:
    """Return a kept measurement; None if there is none that is whole."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        kept = {
            str(row["name"]): Candidate(
                name=str(row["name"]),
                ms=float(row["ms"]),
                distance=Distance(*(float(each) for each in row["distance"])),
            )
            for row in rows
        }
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        logger.info("%s: the kept timing cannot be read (%s)", file, error)
        return None
    sensible = all(math.isfinite(each.ms) and each.ms > 0 for each in kept.values())
    return kept if sensible and set(kept) == set(names) else None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("model name", "Model", "CPU part")):
                return f"{platform.machine()} {line.partition(':')[2].strip()}"
    except (OSError, ValueError):
        pass
    return f"{platform.machine()} {platform.processor()}"
