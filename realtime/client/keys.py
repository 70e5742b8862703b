"""Makes keys and passwords: `python -m realtime.keys server|client|allow|password`.

A secret is made where it is used and never travels; the public files do:

    python -m realtime.keys server ~/.mafnet/curve                         # at the recognizer
    python -m realtime.keys client ~/.mafnet/client --server server.key    # at the subscriber
    python -m realtime.keys allow ~/.mafnet/curve client.key --name robot  # at the recognizer

The password of the page is hashed where the recognizer runs:

    python -m realtime.keys password ~/.mafnet/web-password

Nothing is ever overwritten. Exit codes: 0 done, 1 it could not be written, 2 usage.
"""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import zmq

from realtime.errors import RecognizerError, UsageError
from realtime.outputs.socket.allowed_clients import AllowedClients
from realtime.outputs.socket.curve_files import (
    CLIENT,
    CLIENTS_FOLDER,
    PUBLIC_SUFFIX,
    SECRET_SUFFIX,
    SERVER,
    make_key_folder,
    read_public_key,
    write_pair,
    write_public_key,
)
from realtime.web.passwords import MAX_LENGTH, write_password
from weights.paths import to_path
from weights.printable import PlainParser, clean, clean_lines
from weights.program import called_as


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = make_parser().parse_args(argv)
    try:
        print(clean_lines(arguments.run(arguments)))
    except RecognizerError as error:
        print(clean(f"keys: {error}"), file=sys.stderr)
        return error.exit_code
    return 0


def make_server(folder: Path) -> str:
    """Make a publisher's pair and an empty folder of clients; return what to do next."""
    make_key_folder(folder)
    make_key_folder(folder / CLIENTS_FOLDER)
    _write_pair(folder, SERVER)
    return (
        f"{folder / SERVER}{SECRET_SUFFIX} is the recognizer's secret; mafnet-live --curve "
        f"{folder} uses it\n{folder / SERVER}{PUBLIC_SUFFIX} is for its subscribers: carry it to "
        "them, then `python -m realtime.keys client`"
    )


def make_client(folder: Path, server: Path) -> str:
    """Make a subscriber's pair beside its server's public key; return what to do next."""
    key = read_public_key(server, is_trusted=False)
    make_key_folder(folder)
    theirs = folder / f"{SERVER}{PUBLIC_SUFFIX}"
    if not theirs.exists() or read_public_key(theirs) != key:
        write_public_key(theirs, key)
    _write_pair(folder, CLIENT)
    return (
        f"{folder / CLIENT}{SECRET_SUFFIX} is this subscriber's secret; python -m "
        f"realtime.subscribe --curve {folder} uses it\n{folder / CLIENT}{PUBLIC_SUFFIX} is for the "
        "recognizer: carry it there, then `python -m realtime.keys allow`"
    )


def allow(folder: Path, client: Path, name: str) -> str:
    """Let a client in, from its next connection on; return what was done."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name) is None:
        raise UsageError(f"--name has letters, digits, '-', '_' and '.' only, got {name!r}")
    key = read_public_key(client, is_trusted=False)
    clients = folder / CLIENTS_FOLDER
    if not clients.is_dir():
        raise UsageError(
            f"there is no folder {clients}; `python -m realtime.keys server {folder}` makes it"
        )
    target = clients / f"{name}{PUBLIC_SUFFIX}"
    known_as = AllowedClients(clients).name_of(key)
    if known_as is not None and not target.exists():
        raise UsageError(
            f"this key is let in already, as {known_as}; one key has one name, or removing that "
            f"name would not end it: remove {clients / known_as}{PUBLIC_SUFFIX} first"
        )
    write_public_key(target, key)
    return f"{name} is let in from now on; remove {target} to end that"


def set_password(file: Path) -> str:
    """Ask for the page's password, twice on a terminal, and keep its hash; return what to do."""
    if sys.stdin.isatty():
        password = getpass.getpass("password: ")
        if getpass.getpass("again: ") != password:
            raise UsageError("the two differ; nothing was written")
    else:
        password = sys.stdin.readline(MAX_LENGTH + 2).rstrip("\n")
    write_password(file, password)
    return f"{file} holds its hash; mafnet-live --web HOST:PORT --web-password-file {file} uses it"


def _write_pair(folder: Path, name: str) -> None:
    try:
        public, secret = zmq.curve_keypair()
    except zmq.ZMQError as error:
        raise UsageError(
            "this pyzmq cannot encrypt: its libzmq was built without CURVE; "
            "`pip install --force-reinstall pyzmq` brings one that can"
        ) from error
    write_pair(folder, name, public, secret)


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = PlainParser(
        prog=called_as("realtime.keys"),
        description="Make key pairs for an event socket that is encrypted and knows its clients, "
        "and the password of the page.",
    )
    commands = parser.add_subparsers(required=True, metavar="server|client|allow|password")
    server = commands.add_parser(SERVER, help="a recognizer's pair and its folder of clients")
    server.add_argument("folder", type=to_path, help="where they go")
    server.set_defaults(run=lambda a: make_server(a.folder))
    client = commands.add_parser(CLIENT, help="a subscriber's pair")
    client.add_argument("folder", type=to_path, help="where it goes")
    client.add_argument(
        "--server",
        type=to_path,
        required=True,
        metavar="server.key",
        help="the recognizer's public key",
    )
    client.set_defaults(run=lambda a: make_client(a.folder, a.server))
    letting = commands.add_parser("allow", help="let a subscriber in")
    letting.add_argument("folder", type=to_path, help="the recognizer's folder")
    letting.add_argument(
        "client", type=to_path, metavar="client.key", help="the subscriber's public key"
    )
    letting.add_argument("--name", required=True, help="what to call it")
    letting.set_defaults(run=lambda a: allow(a.folder, a.client, a.name))
    page = commands.add_parser("password", help="the password of the page; asks for it")
    page.add_argument("file", type=to_path, help="where its hash goes")
    page.set_defaults(run=lambda a: set_password(a.file))
    return parser
