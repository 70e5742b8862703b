"""The container's files fit the program: they are linted, complete, and their commands parse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import realtime.client.subscribe
from integration.readme_blocks import ROOT
from realtime.command_line.flags import make_parser
from realtime.command_line.settings import make_config

DOCKERFILE = ROOT / "docker" / "Dockerfile"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    content = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def instruction(name: str) -> list[str]:
    """Return the words of an instruction in its JSON form."""
    found = re.search(rf"^\s*{name} (\[.*\])$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    words: list[str] = json.loads(found[1])
    return words


def test_dockerfile_is_linted() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint has no wheel for this machine")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_every_package_of_the_wheel_is_copied_and_sent_along() -> None:
    text = DOCKERFILE.read_text("utf-8")
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]:
        package = pattern.rstrip("*")
        assert f"COPY {package} {package}\n" in text
        assert f"!{package}" in ignored


def test_extras_that_are_installed_exist() -> None:
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE.read_text("utf-8"))

    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_commands_of_the_image_parse() -> None:
    entry = instruction("ENTRYPOINT")
    health = re.search(r"CMD (\[\"mafnet-subscribe.*\])$", DOCKERFILE.read_text("utf-8"), re.M)
    assert health is not None
    name, *flags = json.loads(health[1])

    assert entry == ["tini", "--", "mafnet-live"]
    assert name == "mafnet-subscribe"
    realtime.client.subscribe.make_parser().parse_args(flags)
    *_, last = re.findall(r"^CMD (\[.*\])$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    make_config(make_parser().parse_args(json.loads(last)))


def test_composed_recognizer_runs_and_listens_on_this_machine_alone() -> None:
    services = compose()["services"]
    config = make_config(make_parser().parse_args(services["recognizer"]["command"]))

    assert config.record is not None
    for name, service in services.items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
    for volume in services["recognizer"]["volumes"]:
        assert volume.partition(":")[0] in compose()["volumes"]


def test_only_the_recognizer_starts_unasked() -> None:
    services = compose()["services"]

    assert [name for name, service in services.items() if "profiles" not in service] == [
        "recognizer"
    ]
