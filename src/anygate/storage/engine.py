"""Connections to the database for all SQL but the journal's: SQLite or PostgreSQL, one transaction per block.

A `Reading` is a consistent snapshot that cannot write. A `Writing` is also a `Reading`; it commits when its block ends
and rolls back when the block raises. On SQLite it holds the one write lock from its first moment, so it never
fails halfway for want of it.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NewType

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

Reading = NewType("Reading", Connection)
Writing = NewType("Writing", Reading)

BUSY_SECONDS = 10.0
"""How long a SQLite connection waits for another's lock."""


class Database:
    """One database, its engine and the two kinds of connection. Thread-safe."""

    def __init__(self, url: str, *, durable: bool = False, busy_seconds: float = BUSY_SECONDS) -> None:
        """Open nothing yet.

        Args:
            url: `sqlite:////absolute/path` or `postgresql[+psycopg]://...`.
            durable: SQLite only: every commit reaches the disk (`durability = "power"`).
            busy_seconds: SQLite only: how long to wait for a lock.
        """
        self.url = _with_driver(url)
        self.is_sqlite = self.url.startswith("sqlite:")
        if self.is_sqlite:
            self.path = Path(make_url(self.url).database or "")
            self.engine = _sqlite_engine(self.url, durable, busy_seconds)
        else:
            self.path = None
            self.engine = create_engine(self.url, pool_size=4, max_overflow=8, pool_pre_ping=True)
        self._reader = self._options(writes=False)
        self._writer = self._options(writes=True)

    def _options(self, *, writes: bool) -> Engine:
        if self.is_sqlite:
            return self.engine.execution_options(anygate_writes=writes)
        level = "READ COMMITTED" if writes else "REPEATABLE READ"
        return self.engine.execution_options(isolation_level=level, postgresql_readonly=not writes)

    @contextmanager
    def reading(self) -> Generator[Reading]:
        """A read transaction: one snapshot from its first query to its end."""
        with self._reader.connect() as connection, connection.begin():
            yield Reading(connection)

    @contextmanager
    def writing(self) -> Generator[Writing]:
        """A write transaction."""
        with self._writer.connect() as connection, connection.begin():
            yield Writing(Reading(connection))

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def why_unusable(url: str, error: DBAPIError) -> tuple[str, str]:
    """What is wrong with the database of a URL, without its password, and what to do."""
    named = make_url(url)
    said = " ".join(str(error.orig).partition("Is the server running")[0].split()).rstrip(".")
    if not url.startswith("sqlite:"):
        place = named.set(drivername="postgresql").render_as_string(hide_password=True)
        return f"the database {place} cannot be used: {said}", "Start it, or correct storage.database."
    remedy = next((remedy for code, remedy in _REMEDIES.items() if _sqlite_code(error).startswith(code)), "")
    return f"the database {named.database} cannot be used: {said}", remedy


_WRITABLE = "This user must be able to write it and its folder; --data or storage.database names another."
_WHOLE = "Restore a backup, or name another with --data or storage.database."
_REMEDIES = {
    "SQLITE_CANTOPEN": _WRITABLE,
    "SQLITE_READONLY": _WRITABLE,
    "SQLITE_NOTADB": _WHOLE,
    "SQLITE_CORRUPT": _WHOLE,
}


def _sqlite_code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", ""))


def _with_driver(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else url


def _sqlite_engine(url: str, durable: bool, busy_seconds: float) -> Engine:
    # isolation_level None: the driver begins nothing by itself; `begin` below says which kind it is.
    engine = create_engine(url, connect_args={"timeout": busy_seconds, "isolation_level": None})

    def connected(connection: sqlite3.Connection, _: Any) -> None:
        cursor = connection.cursor()
        try:
            _use_wal(cursor, busy_seconds)
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            if cursor.execute("PRAGMA busy_timeout").fetchone()[0] <= 0:
                raise AssertionError("SQLite does not wait for locks on this connection")
        finally:
            cursor.close()

    def begin(connection: Connection) -> None:
        writes = bool(connection.get_execution_options().get("anygate_writes"))
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begin)
    return engine


def _use_wal(cursor: sqlite3.Cursor, busy_seconds: float) -> None:
    """Switch the file to WAL once. Processes that start at the same moment collide here without SQLite waiting."""
    deadline = monotonic() + busy_seconds
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            if cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise sqlite3.OperationalError("this file system cannot hold a SQLite database in WAL mode")
            return
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
            sleep(0.02)
