"""The request log on PostgreSQL: table `request_log`, one partition a day, made ahead and dropped whole.

Any number of processes write, make and drop; partitions change under one advisory lock.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from anygate.observe.rows import Hour, HourKey, Row, document_of, fold_hours
from anygate.observe.store import DAY_MS, LogStoreRefused, LogStoreUnavailable, epoch_ms

_DAYS_AHEAD = 3
_LOCK = 0x616E79_6C6F67  # "anylog"
_CONNECT_SECONDS = 5

_SCHEMA: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS request_log (
      request_id text NOT NULL, started_ms bigint NOT NULL, document jsonb NOT NULL,
      PRIMARY KEY (request_id, started_ms)
    ) PARTITION BY RANGE (started_ms)""",
    "CREATE INDEX IF NOT EXISTS request_log_started ON request_log (started_ms, request_id)",
    """CREATE TABLE IF NOT EXISTS request_hours (
      hour_ms bigint NOT NULL, user_id bigint NOT NULL, token_id bigint NOT NULL,
      channel text NOT NULL, model text NOT NULL,
      requests bigint NOT NULL, failed bigint NOT NULL, input_tokens bigint NOT NULL,
      output_tokens bigint NOT NULL, cost_nanos bigint NOT NULL,
      PRIMARY KEY (hour_ms, user_id, token_id, channel, model)
    )""",
)
# One text for all rows: psycopg would take arrays apart in Python, and a thread that runs Python holds up the event loop.
_INSERT = """
INSERT INTO request_log
SELECT row->>'request_id', (row->>'started_ms')::bigint, row FROM jsonb_array_elements(%s::jsonb) row
ON CONFLICT DO NOTHING
"""
_FOLD = """
INSERT INTO request_hours AS kept
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
  %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (hour_ms, user_id, token_id, channel, model) DO UPDATE SET
  requests = kept.requests + excluded.requests, failed = kept.failed + excluded.failed,
  input_tokens = kept.input_tokens + excluded.input_tokens,
  output_tokens = kept.output_tokens + excluded.output_tokens,
  cost_nanos = kept.cost_nanos + excluded.cost_nanos
"""
_KNOWN = """
SELECT log.request_id FROM request_log AS log
JOIN unnest(%s::text[], %s::bigint[]) AS asked (request_id, started_ms) USING (request_id, started_ms)
"""
_PARTITIONS = """
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass('request_log')
"""


class PostgresLogStore:
    """`LogStore` in the database of a `postgresql://` URL, on one connection of its own for writing."""

    def __init__(self, database: str, *, retention_days: int, now_ms: Callable[[], int] = epoch_ms) -> None:
        self._database = conninfo(database)
        self._retention_days = retention_days
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._writer: psycopg.Connection | None = None
        self._days: set[int] = set()  # partitions known to be there, as days since the epoch

    def write(self, rows: Sequence[Row]) -> None:
        """As `LogStore.write`: one transaction."""
        if not rows:
            return
        with self._writing() as connection:
            try:
                self._write(connection, rows)
            except psycopg.errors.CheckViolation:  # another process dropped a partition that we believed in
                self._days.clear()
                self._write(connection, rows)

    def read(
        self, request_id: str | None = None, *, limit: int = 50, before: tuple[int, str] | None = None
    ) -> list[dict[str, Any]]:
        """As `LogStore.read`."""
        query: LiteralString = "SELECT document::text FROM request_log"
        values: list[Any] = []
        if request_id is not None:
            query += " WHERE request_id = %s"
            values = [request_id]
        elif before is not None:
            query += " WHERE (started_ms, request_id) < (%s, %s)"
            values = [*before]
        query += " ORDER BY started_ms DESC, request_id DESC LIMIT %s"
        return [document_of(row[0]) for row in self._read(query, [*values, limit])]

    def read_hours(self, since_ms: int, until_ms: int) -> list[tuple[HourKey, Hour]]:
        """As `LogStore.read_hours`."""
        query: LiteralString = (
            "SELECT * FROM request_hours WHERE hour_ms >= %s AND hour_ms < %s"
            ' ORDER BY hour_ms, user_id, token_id, channel COLLATE "C", model COLLATE "C"'
        )
        rows = self._read(query, [since_ms, until_ms])
        return [(HourKey(*row[:5]), Hour(*row[5:])) for row in rows]

    def maintain(self) -> None:
        """Make the partitions of the next days; drop those, and the roll-ups, that the retention has left behind."""
        today = self._now_ms() // DAY_MS
        with self._writing() as connection:
            self._make_partitions(connection, range(today, today + _DAYS_AHEAD + 1))
            if self._retention_days <= 0:
                return
            first_kept = today - self._retention_days
            with connection.transaction():
                # Dropping waits for readers of the whole table; rather later than making the writers wait too.
                connection.execute("SET LOCAL lock_timeout = '2s'")
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
                oldest_name = _partition(first_kept)
                for (name,) in connection.execute(_PARTITIONS).fetchall():
                    if name < oldest_name:
                        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
                connection.execute("DELETE FROM request_hours WHERE hour_ms < %s", [first_kept * DAY_MS])
            self._days = {day for day in self._days if day >= first_kept}

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._close()

    def _write(self, connection: psycopg.Connection, rows: Sequence[Row]) -> None:
        days = {row.record.started_ms // DAY_MS for row in rows}
        if not days <= self._days:
            self._make_partitions(connection, sorted(days - self._days))
        with connection.transaction():
            if connection.execute(_INSERT, [_documents(rows)]).rowcount < len(rows):
                raise psycopg.Rollback  # some were offered before: only the new ones may be folded
            connection.execute(_FOLD, _columns([(*key, *hour) for key, hour in fold_hours(rows)]))
            return
        with connection.transaction():
            fresh = _new_rows(connection, rows)
            if fresh:
                connection.execute(_INSERT, [_documents(fresh)])
                connection.execute(_FOLD, _columns([(*key, *hour) for key, hour in fold_hours(fresh)]))

    def _make_partitions(self, connection: psycopg.Connection, days: Sequence[int]) -> None:
        missing = [day for day in days if day not in self._days]
        if not missing:
            return
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            there = {name for (name,) in connection.execute(_PARTITIONS).fetchall()}
            for day in missing:
                if _partition(day) not in there:  # asking first: creating locks the parent even where nothing is made
                    connection.execute(
                        sql.SQL("CREATE TABLE {} PARTITION OF request_log FOR VALUES FROM ({}) TO ({})").format(
                            sql.Identifier(_partition(day)), sql.Literal(day * DAY_MS), sql.Literal((day + 1) * DAY_MS)
                        )
                    )
        self._days.update(missing)

    @contextmanager
    def _writing(self) -> Generator[psycopg.Connection]:
        with self._lock:
            try:
                if self._writer is None or self._writer.closed:
                    self._writer = self._connect()
                    self._days.clear()
                    _make_tables(self._writer)
                yield self._writer
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                raise LogStoreRefused(str(error).strip()) from error
            except psycopg.Error as error:
                self._close()
                raise LogStoreUnavailable(str(error).strip()) from error

    def _read(self, query: LiteralString, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            with self._connect() as connection:
                return connection.execute(query, values).fetchall()
        except psycopg.errors.UndefinedTable:
            return []  # nothing was ever logged here
        except psycopg.Error as error:
            raise LogStoreUnavailable(str(error).strip()) from error

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            self._database, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name="anygate log"
        )

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def conninfo(database: str) -> str:
    """A database URL as SQLAlchemy writes it -> as libpq reads it: the driver's name is taken out."""
    scheme, separator, rest = database.partition("://")
    return scheme.partition("+")[0] + separator + rest


def _make_tables(connection: psycopg.Connection) -> None:
    if connection.execute("SELECT to_regclass('request_hours')").fetchone() != (None,):
        return  # made last, so all are there
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for statement in _SCHEMA:
            connection.execute(statement)


def _new_rows(connection: psycopg.Connection, rows: Sequence[Row]) -> list[Row]:
    fresh = {row.record.request_id: row for row in reversed(rows)}  # twice in one batch: the first one stays
    known = connection.execute(
        _KNOWN, [[row.record.request_id for row in rows], [row.record.started_ms for row in rows]]
    )
    for (request_id,) in known.fetchall():
        fresh.pop(request_id, None)
    return list(fresh.values())


def _documents(rows: Sequence[Row]) -> str:
    return f"[{','.join([row.document for row in rows])}]"


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _partition(day: int) -> str:
    return "request_log_" + datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y%m%d")
