"""The program's own ground: Python, its libraries, what computes, and the bundle."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from realtime.addresses import is_network
from realtime.bundle_settings import find_bundle
from realtime.doctor.finding import Finding, failure, good, warning
from realtime.errors import LibraryMissing, RecognizerError
from weights.printable import first_line

if TYPE_CHECKING:
    from realtime.config import RunConfig

MIN_PYTHON = (3, 11)
_LIBRARIES = (  # distribution, module
    ("torch", "torch"),
    ("torchvision", "torchvision"),
    ("torchaudio", "torchaudio"),
    ("numpy", "numpy"),
    ("av", "av"),
    ("pyzmq", "zmq"),
    ("rich", "rich"),
    ("soxr", "soxr"),
)
_EXTRAS = (  # extra, distribution, module
    ("metrics", "prometheus-client", "prometheus_client"),
    ("mqtt", "paho-mqtt", "paho"),
    ("web", "starlette", "starlette"),
    ("web", "uvicorn", "uvicorn"),
    ("notify", "apprise", "apprise"),
)


def check_python() -> Finding:
    """Return which Python runs, and whether it is new enough."""
    said = f"{platform.python_version()} on {platform.platform()}"
    if sys.version_info < MIN_PYTHON:
        return failure("Python", f"{said}; 3.11 or newer is needed: make another environment")
    return good("Python", f"{said}, {sys.executable}")


def check_libraries() -> Iterator[Finding]:
    """Load each library that every run uses."""
    for distribution, module in _LIBRARIES:
        yield _check_library(distribution, module, f"pip install {distribution}")


def check_opencv(config: RunConfig) -> Finding:
    """Load OpenCV, which reads cameras of this machine and nothing else."""
    from realtime.sources.camera import import_cv2

    try:
        import_cv2()
    except LibraryMissing as error:
        is_wanted = any(s.camera is not None and not is_network(s.camera) for s in config.sources)
        return (failure if is_wanted else warning)("opencv-python", str(error))
    return good("opencv-python", _version("opencv-python"))


def check_extras(config: RunConfig) -> Iterator[Finding]:
    """Load what the settings ask for beyond the common libraries."""
    notifies = config.rules is not None and any(rule.notify for rule in config.rules.rules)
    is_asked = {
        "metrics": config.metrics is not None,
        "mqtt": config.mqtt is not None,
        "web": config.web is not None,
        "notify": notifies,
    }
    for extra, distribution, module in _EXTRAS:
        if is_asked[extra]:
            yield _check_library(distribution, module, f"pip install 'mafnet-live[{extra}]'")


def _check_library(distribution: str, module: str, command: str) -> Finding:
    try:
        importlib.import_module(module)
    except ImportError as error:
        return failure(distribution, f"{first_line(error)}; run `{command}`")
    except Exception as error:  # noqa: BLE001 - a library that is installed by halves says anything
        return failure(
            distribution,
            f"it cannot be loaded ({first_line(error)}); "
            f"run `{command} --force-reinstall --no-deps`",
        )
    return good(distribution, _version(distribution))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of a version that it does not tell"


def check_computing(config: RunConfig) -> Iterator[Finding]:
    """Return where the networks would run, and what runs them."""
    from extractors.backends import N_THREADS, choose_device  # torch
    from extractors.errors import BackendError
    from extractors.openvino_graphs import installed_version

    try:
        device = choose_device(config.device)
    except BackendError as error:
        yield failure("device", str(error))
        return
    threads = f", {N_THREADS} thread{'' if N_THREADS == 1 else 's'}" * (device.type == "cpu")
    yield good("device", f"{device.type}{threads}")
    if device.type != "cpu" or config.backend == "torch":
        return
    found = installed_version()
    if found is not None:
        yield good("OpenVINO", found)
    elif config.backend == "openvino":
        yield failure(
            "OpenVINO",
            "--backend openvino wants it and it is not installed; run `pip install openvino`",
        )
    else:
        yield warning(
            "OpenVINO",
            "not installed, so torch runs the networks; `pip install openvino` makes it faster",
        )


def check_bundle(config: RunConfig) -> Finding:
    """Read the bundle and the sha256 of all its files."""
    try:
        bundle = find_bundle(config.bundle)
    except RecognizerError as error:
        return failure("bundle", str(error))
    trunks = f"{bundle.visual.trunk} and {bundle.audio.trunk}"
    said = f"{bundle.name} {bundle.version}, {len(bundle.labels)} labels, {trunks}, files as named"
    if bundle.unverified:
        return warning("bundle", f"{said}, but not verified: {'; '.join(bundle.unverified)}")
    return good("bundle", said)
