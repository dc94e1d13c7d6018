"""A connection to the database file with the journal's settings."""

import sqlite3
from pathlib import Path

from anygate.ledger.home import Unwritable

START_TIMEOUT_MS = 5_000


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """A connection in autocommit mode with the journal's settings, each read back.

    Raises:
        Unwritable: a setting did not take, or the file cannot be opened.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=START_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False, cached_statements=256
        )
    except sqlite3.Error as error:
        raise Unwritable(f"{path}: {error}") from error
    settings: tuple[tuple[str, object, object], ...] = (
        ("busy_timeout", START_TIMEOUT_MS, START_TIMEOUT_MS),
        ("journal_mode", "WAL", "wal"),
        ("synchronous", synchronous, {"OFF": 0, "NORMAL": 1, "FULL": 2}[synchronous]),
        ("wal_autocheckpoint", 0, 0),
        ("cache_size", -512, -512),  # KiB; the ends of a few trees are read and written, over and over
        ("secure_delete", "OFF", 0),  # some builds overwrite every closed hold with zeros
    )
    try:
        for name, value, expected in settings:
            connection.execute(f"PRAGMA {name} = {value}")
            found = connection.execute(f"PRAGMA {name}").fetchone()[0]
            if found != expected:
                raise Unwritable(f"{path}: PRAGMA {name} is {found!r}, not {expected!r}")
    except sqlite3.Error as error:
        connection.close()
        raise Unwritable(f"{path}: {error}") from error
    except Unwritable:
        connection.close()
        raise
    return connection
