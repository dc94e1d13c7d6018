"""The configuration's revision: one number that every process polls, bumped in the transaction of each change."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from time import time_ns

from sqlalchemy import select, text

from anygate.storage.engine import Database, Reading, Writing
from anygate.storage.schema import config_revision

_LOCK = 0x616E79636F6E66  # "anyconf": configuration changes one transaction at a time on PostgreSQL
_BUMP = text(
    "INSERT INTO config_revision (id, value) VALUES (1, 1) "
    "ON CONFLICT (id) DO UPDATE SET value = config_revision.value + 1 RETURNING value"
)


class Change:
    """A transaction that may change the configuration. The first use of `revision` bumps it, once.

    Changes follow one another, so a revision that can be read says that all before it can be read too.
    """

    def __init__(self, connection: Writing, now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self._revision: int | None = None

    @property
    def revision(self) -> int:
        """What this transaction's rows are stamped with."""
        if self._revision is None:
            self._revision = int(self.connection.execute(_BUMP).scalar_one())
        return self._revision

    def bump(self) -> None:
        """For a change whose rows carry no revision."""
        self._revision = self.revision


@contextmanager
def changing(database: Database, now_ms: int | None = None) -> Generator[Change]:
    """One transaction of changes; `now_ms` is the time that its rows carry (default: now)."""
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield Change(connection, time_ns() // 1_000_000 if now_ms is None else now_ms)


def read_revision(connection: Reading) -> int:
    """The current revision; 0 before the first change of a database that was never set up."""
    return connection.execute(select(config_revision.c.value)).scalar_one_or_none() or 0


class RevisionPoll:
    """Looks at the revision many times an hour for next to nothing: SQLite's is read from the page cache in
    microseconds, without a thread and without SQLAlchemy. (PostgreSQL is asked in a thread, as everything is.)
    """

    def __init__(self, database: Database) -> None:
        self._path = database.path
        self._connection: sqlite3.Connection | None = None

    def read(self) -> int | None:
        """The current revision; None where it cannot be told so simply."""
        if self._path is None:
            return None
        try:
            if self._connection is None:
                uri = f"{self._path.as_uri()}?mode=ro"
                self._connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
            row = self._connection.execute("SELECT value FROM config_revision WHERE id = 1").fetchone()
        except sqlite3.Error:
            self.close()
            return None
        return int(row[0]) if row else None

    def close(self) -> None:
        """Let the connection go; the next look opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
