"""The request log on SQLite: one file a month beside the database, `logs-2026-11.db`, dropped by unlink.

Apart from the database of the money, so a long read or a large log never holds up a hold.
"""

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from anygate.observe.rows import Hour, HourKey, Row, document_of, fold_hours
from anygate.observe.store import DAY_MS, LogStoreRefused, LogStoreUnavailable, epoch_ms

_BUSY_SECONDS = 5.0
_CHUNK = 100
_VERSION = 1
_EARLIEST_MS, _LATEST_MS = 0, 2**63 - 1

_SCHEMA = f"""
CREATE TABLE requests (
  started_ms INTEGER NOT NULL, request_id TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (started_ms, request_id)
);
CREATE TABLE request_hours (
  hour_ms INTEGER NOT NULL, user_id INTEGER NOT NULL, token_id INTEGER NOT NULL,
  channel TEXT NOT NULL, model TEXT NOT NULL,
  requests INTEGER NOT NULL, failed INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL, cost_nanos INTEGER NOT NULL,
  PRIMARY KEY (hour_ms, user_id, token_id, channel, model)
) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""
_SLACK_MS = 60_000
"""How far a request's beginning and the time in its id, a UUIDv7, may be apart where it is looked for first."""

_FOLD = """
INSERT INTO request_hours VALUES (?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (hour_ms, user_id, token_id, channel, model) DO UPDATE SET
  requests = requests + excluded.requests, failed = failed + excluded.failed,
  input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
  cost_nanos = cost_nanos + excluded.cost_nanos
"""


class SqliteLogStore:
    """`LogStore` over the month files of one folder; any number of processes may write them."""

    def __init__(self, folder: Path, *, retention_days: int, now_ms: Callable[[], int] = epoch_ms) -> None:
        self._folder = folder
        self._retention_days = retention_days
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._writer_month = ""
        self._writer_inode = 0

    def write(self, rows: Sequence[Row]) -> None:
        """As `LogStore.write`: one transaction per month, in practice one."""
        with self._lock:
            for month, group in _by_month(rows):
                try:
                    self._write(self._connection(month), group)
                except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, OverflowError) as error:
                    self._close()
                    raise LogStoreRefused(str(error)) from error
                except (sqlite3.Error, OSError) as error:
                    self._close()
                    raise LogStoreUnavailable(f"{self._file(month)}: {error}") from error

    def read(
        self, request_id: str | None = None, *, limit: int = 50, before: tuple[int, str] | None = None
    ) -> list[dict[str, Any]]:
        """As `LogStore.read`: files newest first, until the page is full."""
        if request_id is not None:
            return self._find(request_id, limit)
        sql, values = "SELECT document FROM requests", list[Any]()
        if before is not None:
            sql, values = f"{sql} WHERE (started_ms, request_id) < (?, ?)", [*before]
        sql += " ORDER BY started_ms DESC, request_id DESC LIMIT ?"
        found: list[dict[str, Any]] = []
        for path in reversed(self._files()):
            if before is not None and path.stem.removeprefix("logs-") > _month(before[0] // DAY_MS):
                continue
            if len(found) >= limit:
                break
            found += (document_of(row[0]) for row in self._query(path, sql, [*values, limit - len(found)]))
        return found

    def _find(self, request_id: str, limit: int) -> list[dict[str, Any]]:
        """One request: around the time that its id tells, and if it is not there, everywhere."""
        sql = "SELECT document FROM requests WHERE started_ms BETWEEN ? AND ? AND request_id = ? LIMIT ?"
        told_ms = _time_of(request_id)
        spans = [(_EARLIEST_MS, _LATEST_MS)]
        if told_ms is not None:
            spans.insert(0, (told_ms - _SLACK_MS, told_ms + _SLACK_MS))
        for first_ms, last_ms in spans:
            for path in reversed(self._files()):
                if found := [*self._query(path, sql, [first_ms, last_ms, request_id, limit])]:
                    return [document_of(row[0]) for row in found]
        return []

    def read_hours(self, since_ms: int, until_ms: int) -> list[tuple[HourKey, Hour]]:
        """As `LogStore.read_hours`."""
        sql = "SELECT * FROM request_hours WHERE hour_ms >= ? AND hour_ms < ? ORDER BY 1, 2, 3, 4, 5"
        rows = chain.from_iterable(self._query(path, sql, [since_ms, until_ms]) for path in self._files())
        return [(HourKey(*row[:5]), Hour(*row[5:])) for row in rows]

    def maintain(self) -> None:
        """Unlink the months that ended before the retention began."""
        if self._retention_days <= 0:
            return
        first_kept = _month(self._now_ms() // DAY_MS - self._retention_days)
        with self._lock:
            for path in self._files():
                if path.stem.removeprefix("logs-") >= first_kept:
                    break
                if path == self._file(self._writer_month):
                    self._close()
                try:
                    for end in ("", "-wal", "-shm"):  # other processes see the inode change and let go
                        path.with_name(path.name + end).unlink(missing_ok=True)
                except OSError as error:
                    raise LogStoreUnavailable(f"{path}: {error}") from error

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._close()

    def _connection(self, month: str) -> sqlite3.Connection:
        path = self._file(month)
        known = self._writer if month == self._writer_month else None
        # A file that was unlinked meanwhile would swallow what is written to it.
        if known is not None and path.exists() and path.stat().st_ino == self._writer_inode:
            return known
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._writer, self._writer_month, self._writer_inode = connection, month, path.stat().st_ino
        return connection

    def _write(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if _insert(connection, rows) < len(rows):  # offered before: fold only what is new
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            rows = _new_rows(connection, rows)
            _insert(connection, rows)
        connection.executemany(_FOLD, ((*key, *hour) for key, hour in fold_hours(rows)))
        connection.execute("COMMIT")

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()  # rolls an open transaction back
            self._writer = None

    def _file(self, month: str) -> Path:
        return self._folder / f"logs-{month}.db"

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("logs-[0-9][0-9][0-9][0-9]-[0-9][0-9].db"))

    def _query(self, path: Path, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        try:
            with closing(
                sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", timeout=_BUSY_SECONDS, uri=True)
            ) as connection:
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                    return  # another process is just making it
                yield from connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            if path.exists():  # gone: its retention ended while we looked
                raise LogStoreUnavailable(f"{path}: {error}") from error


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA page_size = 16384")  # documents of a kilobyte: a third less work than with 4096
    connection.execute("PRAGMA cache_size = -512")  # KiB; rows are added at the end
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = OFF")  # some builds fill each new page with zeros first
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
    connection.execute("COMMIT")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Of two who switch a new file at once SQLite refuses one, without its busy timeout: both would wait for the other."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.005)


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """How many were new.

    A hundred rows a statement: each statement gives the interpreter away and has to win it back from a busy
    event loop, so `executemany` (one row a step) would take milliseconds a row under load.
    """
    inserted = 0
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        values: list[int | str] = []
        for row in chunk:
            record = row.record
            values += (record.started_ms, record.request_id, row.document)
        inserted += connection.execute(_insert_sql(len(chunk)), values).rowcount
    return inserted


def _new_rows(connection: sqlite3.Connection, rows: Sequence[Row]) -> list[Row]:
    fresh = {row.record.request_id: row for row in reversed(rows)}  # twice in one batch: the first one stays
    for row in rows:
        known = "SELECT 1 FROM requests WHERE started_ms = ? AND request_id = ?"
        if connection.execute(known, [row.record.started_ms, row.record.request_id]).fetchone():
            fresh.pop(row.record.request_id, None)
    return list(fresh.values())


@lru_cache(maxsize=_CHUNK)
def _insert_sql(count: int) -> str:
    return f"INSERT OR IGNORE INTO requests VALUES {','.join(['(?,?,?)'] * count)}"  # noqa: S608  # question marks only


def _time_of(request_id: str) -> int | None:
    """Milliseconds since the epoch, as a UUIDv7 begins with; None: it is none."""
    try:
        return int(request_id[:8] + request_id[9:13], 16)
    except ValueError:
        return None


def _by_month(rows: Sequence[Row]) -> list[tuple[str, Sequence[Row]]]:
    """The rows of each month; nearly always all are of one, which their first and last beginning tell."""
    started = [row.record.started_ms for row in rows]
    months = {_month(moment // DAY_MS) for moment in (min(started), max(started))} if started else set[str]()
    if len(months) == 1:
        return [(months.pop(), rows)]
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[_month(row.record.started_ms // DAY_MS)].append(row)
    return [*groups.items()]


@lru_cache(maxsize=64)
def _month(day: int) -> str:
    """Days since the epoch -> the month's name in UTC."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m")
