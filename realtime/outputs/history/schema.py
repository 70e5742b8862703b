"""The history's tables, version by version, and how its file is opened.

SQLite with a write-ahead log: who reads is never in the way of the one thread that writes, and a
crash loses no event that had ended. A file of an older version is brought forward a version at a
time, each in one transaction; one of a newer version is refused.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from realtime.errors import OutputError
from realtime.outputs.private_files import make_private_folders, open_private

if TYPE_CHECKING:
    from collections.abc import Sequence

APPLICATION_ID = 0x4D41_4648  # "MAFH", in the file's header
BUSY_S = 2.0  # a reader's checkpoint is in the way for milliseconds

# Each entry leads from the version of its index to the next. What is here never changes.
MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE events (
        id TEXT PRIMARY KEY,
        run TEXT NOT NULL,
        source TEXT NOT NULL,
        label TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'ended', 'cut off')),
        onset_ms INTEGER NOT NULL,
        offset_ms INTEGER,
        told_ms INTEGER NOT NULL,
        onset_t_s REAL NOT NULL,
        offset_t_s REAL,
        confidence REAL NOT NULL,
        reason TEXT,
        picture REAL,
        sound REAL,
        picture_alone REAL,
        sound_alone REAL,
        onset_message TEXT NOT NULL,
        last_message TEXT NOT NULL
    );
    CREATE INDEX events_by_onset ON events (onset_ms);
    CREATE INDEX events_by_label ON events (label, onset_ms);
    CREATE INDEX events_by_source ON events (source, onset_ms);
    CREATE TABLE recordings (
        sidecar TEXT PRIMARY KEY,
        file TEXT,
        source TEXT NOT NULL,
        state TEXT NOT NULL
    );
    CREATE TABLE recorded (
        sidecar TEXT NOT NULL REFERENCES recordings (sidecar) ON DELETE CASCADE,
        event TEXT NOT NULL,
        pre_roll_s REAL NOT NULL,
        PRIMARY KEY (sidecar, event)
    );
    CREATE INDEX recorded_by_event ON recorded (event);
    CREATE TABLE corrections (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        event TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
        verdict TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'other')),
        label TEXT,
        made_ms INTEGER NOT NULL,
        CHECK ((verdict = 'other') = (label IS NOT NULL))
    );
    CREATE INDEX corrections_by_event ON corrections (event, number);
    """,
    """
    CREATE TABLE traces (
        event TEXT PRIMARY KEY REFERENCES events (id) ON DELETE CASCADE,
        trace BLOB NOT NULL
    );
    """,
)


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a history, made with mode 0600 if it is not there, and bring it forward.

    Raises:
        OutputError: It cannot be written, is no history, damaged, or of a newer version.
    """
    try:
        make_private_folders(path.parent)
        os.close(open_private(path, os.O_RDWR | os.O_CREAT))
    except OSError as error:
        raise OutputError(f"the history {path} cannot be written: {error.strerror}") from error
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a crash of the program loses nothing
        connection.execute("PRAGMA foreign_keys = ON")
        _bring_forward(connection)
    except sqlite3.Error as error:
        connection.close()
        raise OutputError(f"the history {path} cannot be used: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a history that somebody else may be writing; raises OutputError."""
    if not path.is_file():
        raise OutputError(f"there is no history {path}; `mafnet-live --history {path}` makes one")
    where = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        connection = sqlite3.connect(where, uri=True, timeout=BUSY_S, isolation_level=None)
    except sqlite3.Error as error:
        raise OutputError(f"the history {path} cannot be read: {error}") from error
    try:
        if _check(connection, path) < len(MIGRATIONS):
            raise OutputError(
                f"the history {path} is of an older version; open it once with --history"
            )
    except sqlite3.Error as error:
        connection.close()
        raise OutputError(f"the history {path} cannot be used: {error}") from error
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """Return a file's version, 0 of an empty one; raises OutputError where it is not ours."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (application or version or n_tables):
        raise OutputError(f"{path} is a database of something else; name another file")
    if version > len(MIGRATIONS):
        raise OutputError(f"the history {path} was written by a newer version of this program")
    return int(version)


def _bring_forward(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number in range(version, len(MIGRATIONS)):
        connection.executescript(
            f"BEGIN; {MIGRATIONS[number]} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {number + 1}; COMMIT;"
        )
