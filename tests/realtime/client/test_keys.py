"""Key files: made with the right modes, never over others, refused when they are not safe."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq.auth
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.client.keys import main
from realtime.errors import UsageError
from realtime.outputs.socket.allowed_clients import AllowedClients
from realtime.outputs.socket.curve_files import (
    MAX_FILE_BYTES,
    ServerKeys,
    read_client_keys,
    read_public_key,
    read_server_keys,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    assert main(["server", str(tmp_path / "server")]) == 0
    return tmp_path / "server"


@pytest.fixture
def client(tmp_path: Path, server: Path) -> Path:
    assert main(["client", str(tmp_path / "client"), "--server", str(server / "server.key")]) == 0
    return tmp_path / "client"


def test_secrets_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert main(["server", str(tmp_path / "s")]) == 0
        assert (
            main(["client", str(tmp_path / "c"), "--server", str(tmp_path / "s/server.key")]) == 0
        )
    finally:
        os.umask(before)

    for folder in ("s", "s/clients", "c"):
        assert mode(tmp_path / folder) == 0o700
    assert mode(tmp_path / "s" / "server.key_secret") == 0o600
    assert mode(tmp_path / "c" / "client.key_secret") == 0o600


def test_other_tools_read_the_files(server: Path, client: Path) -> None:
    public, secret = zmq.auth.load_certificate(server / "server.key_secret")

    assert read_server_keys(server) == ServerKeys(public=public, secret=secret or b"")
    assert read_public_key(server / "server.key") == public
    assert read_client_keys(client).server == public
    assert zmq.auth.load_certificate(client / "client.key")[1] is None


def test_files_of_other_tools_are_read(tmp_path: Path) -> None:
    path, _ = zmq.auth.create_certificates(tmp_path, "robot")

    assert read_public_key(Path(path)) == zmq.auth.load_certificate(path)[0]


def test_secret_is_not_printed(server: Path) -> None:
    keys = read_server_keys(server)

    assert keys.secret.decode() not in repr(keys)


@pytest.mark.parametrize("existing", ["server.key", "server.key_secret"])
def test_nothing_is_overwritten_and_nothing_half_made(
    tmp_path: Path, existing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / existing).write_text("mine")

    assert main(["server", str(tmp_path)]) == 1

    assert (tmp_path / existing).read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {existing, "clients"}
    assert "is there already" in capsys.readouterr().err


def test_allowed_name_is_not_given_twice(
    server: Path, client: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["allow", str(server), str(client / "client.key"), "--name", "robot"]
    assert main(command) == 0
    assert main(command) == 1
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../server", "a/b", "", ".hidden", "a b", "x" * 101])
def test_allowed_name_cannot_lead_elsewhere(server: Path, client: Path, name: str) -> None:
    before = sorted(server.rglob("*"))

    assert main(["allow", str(server), str(client / "client.key"), "--name", name]) == 2

    assert sorted(server.rglob("*")) == before


def test_secret_is_not_taken_for_a_public_key(
    server: Path, client: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = str(client / "client.key_secret")

    assert main(["allow", str(server), secret, "--name", "robot"]) == 2

    assert "holds a secret key" in capsys.readouterr().err
    assert not list((server / "clients").iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "server.key_secret").chmod(0o644), "chmod 600"),
        (lambda folder: (folder / "server.key_secret").chmod(0o620), "chmod 600"),
        (lambda folder: folder.chmod(0o770), "chmod 700"),
        (lambda folder: (folder / "clients").chmod(0o777), "chmod 700"),
        (lambda folder: (folder / "clients").rmdir(), "there is no folder"),
        (lambda folder: (folder / "server.key_secret").unlink(), "realtime.keys server"),
        (lambda folder: (folder / "server.key_secret").write_text("no"), "is not a key file"),
        (lambda folder: (folder / "server.key_secret").write_bytes(b"\xff" * 100), "key file"),
        (
            lambda folder: (folder / "server.key_secret").write_text(
                (folder / "server.key").read_text()
            ),
            "no secret key",
        ),
    ],
)
def test_unsafe_or_broken_pair_is_refused(
    server: Path, change: Callable[[Path], None], words: str
) -> None:
    change(server)
    with pytest.raises(UsageError, match=words):
        read_server_keys(server)


def test_broken_file_shuts_out_nobody_else(
    server: Path, client: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["allow", str(server), str(client / "client.key"), "--name", "robot"]) == 0
    clients = server / "clients"
    (clients / "empty.key").touch()
    (clients / "large.key").write_bytes(b"#" * MAX_FILE_BYTES + b"\npublic-key = x\n")
    (clients / "folder.key").mkdir()
    (clients / "secret.key").write_bytes((client / "client.key_secret").read_bytes())
    allowed = AllowedClients(clients)
    public = read_public_key(client / "client.key")

    with caplog.at_level(logging.WARNING):
        names = [allowed.name_of(public) for _ in range(3)]

    assert names == ["robot"] * 3
    assert len(caplog.records) == 4  # one a file, not one a question


@pytest.mark.parametrize("kind", ["dangling", "looping", "device", "fifo", "writable", "theirs"])
def test_what_is_no_file_of_ours_shuts_out_nobody_else(
    server: Path,
    client: Path,
    kind: str,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["allow", str(server), str(client / "client.key"), "--name", "robot"]) == 0
    clients = server / "clients"
    odd = clients / "odd.key"
    assert main(["client", str(tmp_path / "o"), "--server", str(server / "server.key")]) == 0
    if kind == "fifo":
        os.mkfifo(odd)
    elif kind in ("writable", "theirs"):
        odd.write_bytes((tmp_path / "o" / "client.key").read_bytes())
        odd.chmod(0o664 if kind == "writable" else 0o644)
    else:
        odd.symlink_to(
            {"dangling": "nowhere.key", "looping": "odd.key", "device": "/dev/zero"}[kind]
        )
    if kind == "theirs":
        give_away(odd, monkeypatch)
    allowed = AllowedClients(clients)

    with caplog.at_level(logging.WARNING):
        names = [allowed.name_of(read_public_key(client / "client.key")) for _ in range(3)]
        other = allowed.name_of(read_public_key(tmp_path / "o" / "client.key"))

    if kind != "theirs" or os.geteuid() == 0:
        assert names == ["robot"] * 3
        assert len(caplog.records) == 1
    assert other is None


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file or folder belong to somebody else; who is not root becomes somebody else."""
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)


@pytest.mark.parametrize("place", ["", "clients", "server.key_secret"])
def test_pair_of_somebody_else_is_refused(
    server: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_away(server / place, monkeypatch)
    with pytest.raises(UsageError, match="belongs to another user"):
        read_server_keys(server)


@pytest.mark.timeout(20)
def test_fifo_in_place_of_a_secret_is_one_sentence(server: Path) -> None:
    (server / "server.key").unlink()
    os.mkfifo(server / "server.key")
    with pytest.raises(UsageError, match="no ordinary file"):
        read_public_key(server / "server.key")


def test_key_is_not_allowed_under_two_names(
    server: Path, client: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = str(client / "client.key")
    assert main(["allow", str(server), key, "--name", "robot"]) == 0

    assert main(["allow", str(server), key, "--name", "spare"]) == 2

    said = capsys.readouterr().err
    assert "already, as robot" in said
    assert said.count("\n") == 1
    assert [path.name for path in (server / "clients").iterdir()] == ["robot.key"]


def test_copy_of_a_key_is_warned_of(
    server: Path, client: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("robot", "spare"):
        (server / "clients" / f"{name}.key").write_bytes((client / "client.key").read_bytes())
    allowed = AllowedClients(server / "clients")
    with caplog.at_level(logging.WARNING):
        assert allowed.name_of(read_public_key(client / "client.key")) == "robot"
    assert "robot.key and spare.key hold the same key" in caplog.text


def test_changed_file_is_seen_within_a_second_and_a_new_one_at_once(
    server: Path, client: Path, tmp_path: Path
) -> None:
    now_ns = 0
    allowed = AllowedClients(server / "clients", lambda: now_ns)
    public = read_public_key(client / "client.key")
    robot = server / "clients" / "robot.key"
    assert allowed.name_of(public) is None
    robot.write_bytes((client / "client.key").read_bytes())
    assert allowed.name_of(public) == "robot"

    robot.write_bytes(b"# no longer")
    now_ns = 1_000_000_000

    assert allowed.name_of(public) is None


def test_lost_folder_lets_nobody_in_until_it_is_back(server: Path, client: Path) -> None:
    assert main(["allow", str(server), str(client / "client.key"), "--name", "robot"]) == 0
    allowed = AllowedClients(server / "clients")
    public = read_public_key(client / "client.key")
    assert allowed.name_of(public) == "robot"

    (server / "clients").rename(server / "away")
    assert allowed.name_of(public) is None
    (server / "away").rename(server / "clients")

    assert allowed.name_of(public) == "robot"


def test_any_file_is_a_key_or_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "some.key"

    @given(st.binary() | st.text().map(lambda text: f'public-key = "{text}"'.encode()))
    @settings(deadline=None)
    def check(raw: bytes) -> None:
        path.write_bytes(raw)
        try:
            answer = read_public_key(path).decode()
        except UsageError as error:
            answer = str(error)
        assert len(answer) == 40 or "key file" in answer
        assert "\n" not in answer

    check()


def test_folder_in_place_of_a_key_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["client", str(tmp_path / "c"), "--server", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "c").exists()
