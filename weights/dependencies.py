"""What dependencies would do unasked, ruled out before they are imported.

`import openvino` tells a telemetry host of each run, in a child process that outlives its parent's
signals, and leaves an identifier in the home folder; a consent file decides, and another program's
dialog may have written it. So the package that does it is made one that cannot be imported, which
OpenVINO is prepared for: it is an optional package, and a stub in OpenVINO takes its place.

The others phone nobody when they are imported. The hub's client (timm brings it) is told to stay
offline all the same, and Ray to report no usage; matplotlib's font list and CUDA's compiled
kernels, which would lie in the home folder, go to the store.
"""

import os
import sys
from pathlib import Path

TELEMETRY = ("openvino_telemetry",)  # packages that do nothing but report
_SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_FOLDERS = {"MPLCONFIGDIR": "matplotlib", "CUDA_CACHE_PATH": "cuda"}


def rule_out_telemetry() -> None:
    """Make what reports to others fail to import, in this process; call it before OpenVINO.

    Where a program around this one has loaded such a package already, that one stays its own.
    """
    for package in TELEMETRY:
        if package not in sys.modules:
            sys.modules[package] = None  # type: ignore[assignment]  # Python's way to rule it out


def restrain(home: Path) -> None:
    """Do so, and set the environment for what a command will import; for command lines alone.

    Args:
        home: The store, which need not exist. A folder that the user chose for a library stays.
    """
    rule_out_telemetry()
    os.environ.update(_SWITCHES)
    for variable, folder in _FOLDERS.items():
        os.environ.setdefault(variable, str(home / folder))
