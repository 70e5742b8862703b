"""By which name a device is found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.errors import SourceError
from realtime.sources.identity import find_camera, stable_name, without_card
from realtime.sources.sound_inputs import choose_input


def sysfs(folder: Path, **names: str) -> Path:
    """A listing of cameras as the kernel's; `_1` behind a number is a metadata node."""
    for number, name in names.items():
        node = folder / number.removesuffix("_1")
        node.mkdir(parents=True)
        (node / "name").write_text(name + "\n")
        (node / "index").write_text("1" if number.endswith("_1") else "0")
    return folder


def test_a_camera_is_known_by_its_link_where_udev_makes_one(tmp_path: Path) -> None:
    links = tmp_path / "by-id"
    links.mkdir()
    device = tmp_path / "video0"
    device.touch()
    link = links / "usb-Acme_Cam_1234-video-index0"
    link.symlink_to(device)

    name = stable_name(str(device), links, tmp_path)
    assert name == str(link)

    device.rename(tmp_path / "video2")  # replugged, under another number
    link.unlink()
    link.symlink_to(tmp_path / "video2")
    assert find_camera("0", name) == str(tmp_path / "video2")


def test_a_camera_is_known_by_its_drivers_name_where_there_is_no_link(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    name = stable_name(str(device), tmp_path / "none", sysfs(tmp_path / "a", video0="Acme"))
    assert name == "Acme"

    after = sysfs(tmp_path / "b", video0="Other", video1_1="Acme", video3="Acme")
    assert find_camera("0", name, after) == "/dev/video3"
    assert find_camera("0", name, sysfs(tmp_path / "c", video0="Acme", video1="Acme")) == "0"
    assert find_camera("0", name, sysfs(tmp_path / "d", video0="Other")) == "0"


def test_a_camera_that_was_never_there_is_what_was_asked_for(tmp_path: Path) -> None:
    assert stable_name(str(tmp_path / "video0"), tmp_path, tmp_path) is None
    assert find_camera("0", None, tmp_path) == "0"


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("USB Audio: - (hw:2,0)", "USB Audio: -"),
        ("pulse", "pulse"),
        ("HDA (Analog) (plughw:0,1)", "HDA (Analog)"),
    ],
)
def test_a_card_number_is_no_part_of_a_microphones_name(name: str, without: str) -> None:
    assert without_card(name) == without


def sound_inputs(*names: str) -> list[dict[str, object]]:
    return [
        {"index": i, "name": n, "max_input_channels": 1, "default_samplerate": 16000.0}
        for i, n in enumerate(names)
    ]


def test_a_microphone_is_found_again_when_its_numbers_have_changed() -> None:
    devices = sound_inputs("Built-in (hw:0,0)", "Webcam (hw:1,0)", "USB Array (hw:3,0)")

    again = choose_input(devices, 0, "2", name="USB Array (hw:2,0)")

    assert again["index"] == 2


def test_another_microphone_does_not_take_the_place_of_the_default_that_is_gone() -> None:
    with pytest.raises(SourceError, match=r"'USB Array \(hw:2,0\)' is not there"):
        choose_input(sound_inputs("Built-in (hw:0,0)"), 0, "default", name="USB Array (hw:2,0)")
