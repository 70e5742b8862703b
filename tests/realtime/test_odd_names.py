"""Sources and settings whose names and text are unusual: each is read, or is one sentence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from fuzz.media_seeds import write as write_media
from realtime.command_line.config_file import format_config
from realtime.command_line.flags import make_parser
from realtime.command_line.main import main
from realtime.command_line.settings import make_config
from realtime.config import RunConfig
from realtime.errors import SourceError, UsageError
from realtime.sources.container import MediaContainer
from realtime.sources.files import check_file, local_path
from realtime.stats import Stats

ODD_NAMES = [
    b"10:20:30.mp4",
    b"2026-01-02T10:20:30.mp4",
    b"rtsp:camera.mp4",
    b"http:a.mp4",
    b"concat:a|b.mp4",
    b"a b.mp4",
    b"a%20b.mp4",
    b"a%03d.mp4",
    b"what?.mp4",
    b"#1.mp4",
    b"-v.mp4",
    b"~.mp4",
    b"a\nb.mp4",
    b"a.mp4 ",
    b" a.mp4",
    b"a\r.mp4",
    b"lat\xefn.mp4",
    b"\xff\xfe.mp4",
    "naïve 犬.mp4".encode(),
    b"\x1b[31m.mp4",
    b"user:secret@host.mp4",
    b"[1]*.mp4",
    b"'\".mp4",
    b"x" * 250 + b".mp4",
]


def configure(*flags: str) -> RunConfig:
    return make_config(make_parser().parse_args(flags))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def _n_pictures(path: str) -> int:
    container = MediaContainer(path, picture=True, sound=False, stats=Stats())
    container.describe().encode()
    n_pictures = 0
    while (decoded := container.read()) is not None:
        n_pictures += len(decoded)
    container.close()
    return n_pictures


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: repr(name[:40]))
@pytest.mark.parametrize("form", ["relative", "absolute", "url", "url of localhost"])
def test_file_is_read_whatever_its_name(folder: Path, clip: Path, name: bytes, form: str) -> None:
    path = os.fsdecode(name)
    shutil.copy(clip, folder / path)
    given = {
        "relative": path,
        "absolute": str(folder / path),
        "url": (folder / path).as_uri(),
        "url of localhost": (folder / path).as_uri().replace("file://", "file://localhost"),
    }[form]

    config = configure(f"--source={given}")  # with `=`, for the name that begins with a dash
    found = local_path(config.source)

    assert found is not None
    check_file(found)
    assert _n_pictures(found) == 15
    assert config.source.name.isascii()
    again = folder / "again.toml"
    again.write_text(format_config(config), encoding="utf-8")
    printed = configure("--config", str(again))
    assert Path(local_path(printed.source) or "").samefile(folder / path)


def test_picture_whose_name_is_a_pattern_is_that_one_file(folder: Path) -> None:
    Image.new("RGB", (64, 48)).save(folder / "shot%02d.png")

    assert _n_pictures("shot%02d.png") == 1


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("clip.mp4\r", "without the space or line end"),
        ("clip.mp4 ", "without the space or line end"),
        ("nothing.mp4", "check the path"),
        ("clip.mp4/", "there is no file"),
        ("clip.mp4\0.mp4", "null"),
        (".", "is a folder"),
        ("file:///", "is a folder"),
    ],
)
def test_name_that_leads_to_no_file_is_one_sentence(
    folder: Path, clip: Path, given: str, sentence: str
) -> None:
    shutil.copy(clip, folder / "clip.mp4")

    with pytest.raises(SourceError, match=sentence):
        check_file(local_path(configure("--source", given).source) or "")


def test_file_url_of_another_machine_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--source", "file://server/clip.mp4"]) == 2
    assert "three slashes" in capsys.readouterr().err


def test_scheme_of_a_url_may_be_in_capitals() -> None:
    assert configure("--source=RTSP://Host/A").source.media == "rtsp://Host/A"


def test_tilde_is_the_home_folder_in_flags_and_settings(folder: Path) -> None:
    settings = folder / "stream.toml"
    settings.write_text(
        'bundle = "~/bundle"\n[source]\nmedia = "~/clip.mp4"\n[publisher]\nbind = "ipc://~/events"\n'
        'curve = "~/keys"\n[record]\ndirectory = "~/events"\n'
    )
    home = folder / "home"

    for config in (
        configure("--config", str(settings)),
        configure(
            "--source=~/clip.mp4",
            "--bundle=~/bundle",
            "--curve=~/keys",
            "--record=~/events",
            "--bind=ipc://~/events",
        ),
    ):
        assert config.source.media == str(home / "clip.mp4")
        assert config.bundle == str(home / "bundle")
        assert config.publisher is not None
        assert config.record is not None
        assert config.publisher.curve == str(home / "keys")
        assert config.publisher.bind == f"ipc://{home}/events"
        assert config.record.directory == str(home / "events")


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf[window]\nhop_s = 0.5\n",
        b"[window]\r\nhop_s = 0.5\r\n",
        b"\xef\xbb\xbf[window]\r\nhop_s = 0.5",
        b"\xef\xbb\xbf# caf\xc3\xa9\n[window]\nhop_s = 0.5\n",
    ],
)
def test_settings_are_read_however_an_editor_writes_them(folder: Path, text: bytes) -> None:
    (folder / "stream.toml").write_bytes(text)

    assert configure("--source=demo", "--config=stream.toml").window.hop_s == 0.5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[window]\nhop_s = 0.5\n".encode("utf-16"), "UTF-16"),
        (b"# caf\xe9\n", "not UTF-8"),
        (b"[window]\rhop_s = 0.5\r", "not valid TOML"),
        (b"[window]\n\0hop_s = 0.5\n", "not valid TOML"),
    ],
)
def test_settings_in_another_coding_are_one_sentence(
    folder: Path, text: bytes, sentence: str
) -> None:
    (folder / "stream.toml").write_bytes(text)

    with pytest.raises(UsageError, match=sentence):
        configure("--source=demo", "--config=stream.toml")


def test_files_whose_names_differ_in_case_alone_have_names_of_their_own() -> None:
    config = configure("--source", "A.mp4", "--source", "a.mp4", "--source", "x/A.mp4")

    assert [source.name for source in config.sources] == ["A", "a-2", "A-3"]


def test_folder_that_toml_cannot_hold_is_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = os.fsdecode(b"ev\xe9nements")

    assert main(["--source=demo", "--record", events, "--print-config"]) == 2
    assert "ev\\xe9nements is no UTF-8 text" in capsys.readouterr().err
