"""What `import realtime` offers, and what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import realtime

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "torchvision", "torchaudio", "timm", "openvino", "cv2", "av", "zmq", "numpy"}
HEAVY |= {"rich", "sounddevice", "soxr", "PIL"}


def loaded_after(program: str) -> set[str]:
    words = [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    assert loaded_after("import realtime") & HEAVY == set()


def test_subscriber_loads_neither_torch_nor_numpy() -> None:
    loaded = loaded_after("from realtime import Event, Subscriber")

    assert loaded & (HEAVY - {"zmq"}) == set()


@pytest.mark.parametrize("name", realtime.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(realtime, name) is not None
    assert name in dir(realtime)


def test_public_names_are_told_once() -> None:
    told = [name for names in realtime._HOMES.values() for name in names]

    assert sorted([*told, "__version__"]) == sorted(realtime.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'recognise'"):
        _ = realtime.recognise


def test_version_is_one() -> None:
    assert re.match(r"\d+", realtime.__version__)


@pytest.mark.parametrize("package", ["realtime", "mafnet", "extractors", "weights"])
def test_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
