"""The file of the page's password, and the command that writes it."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from realtime.client.keys import main
from realtime.errors import OutputError, UsageError
from realtime.web.passwords import PasswordHash, read_password, write_password
from web_site import PASSWORD


def test_password_is_known_again_and_stands_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "password"
    write_password(path, PASSWORD)
    found = read_password(path)
    assert found.fits(PASSWORD)
    assert not found.fits(f"{PASSWORD} ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text() + repr(found)
    with pytest.raises(OutputError, match="there already"):
        write_password(path, PASSWORD)


def test_folder_that_is_not_there_yet_is_made_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / ".mafnet" / "web-password"

    write_password(path, PASSWORD)

    assert read_password(path).fits(PASSWORD)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_two_hashes_of_a_password_differ() -> None:
    one, other = PasswordHash.of(PASSWORD), PasswordHash.of(PASSWORD)
    assert one.salt != other.salt
    assert one.key != other.key


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
def test_password_of_an_odd_length_is_refused(password: str) -> None:
    with pytest.raises(UsageError, match="8 to 1000 characters"):
        PasswordHash.of(password)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_file_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "password"
    write_password(path, PASSWORD)
    path.chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        read_password(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PASSWORD,
        "scrypt:16384:8:5:AAAA",
        "scrypt:999999:8:1:AAAA:AAAA",
        "scrypt:131072:99:1:AAAA:AAAA",
        "scrypt:3:8:1:AAAA:AAAA",
        "scrypt:16384:8:5:AAAA:AAAA",
        "scrypt:16384:8:5:A:A",
        "\xff" * 2000,
    ],
)
def test_file_that_is_no_hash_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "password"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(UsageError, match="holds no hash"):
        read_password(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    write_password(tmp_path / "password", PASSWORD)
    (tmp_path / "link").symlink_to(tmp_path / "password")
    for path in (tmp_path, tmp_path / "none", tmp_path / "link"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_password(path)


def test_command_writes_what_the_program_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "password"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["password", str(path)]) == 0
    assert read_password(path).fits(PASSWORD)
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["password", str(tmp_path / "other")]) == 2
    assert "8 to 1000 characters" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
