"""The request log: one contract, two homes. Money is never read from here; the ledger is the truth."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import time_ns
from typing import Any, Protocol

from anygate.observe.rows import Hour, HourKey, Row, listed
from anygate.settings.values import Settings

DAY_MS = 86_400_000


class LogStoreUnavailable(Exception):
    """The store cannot be reached or written at the moment; the same rows may be offered again."""


class LogStoreRefused(Exception):
    """The store will never take these rows as they are; offered one by one, the sound ones pass."""


class LogStore(Protocol):
    """A request log. Methods block (call them in a thread) and may be called from several threads."""

    def write(self, rows: Sequence[Row]) -> None:
        """Store rows and fold them into their roll-ups; a row whose request is there already changes nothing.

        Raises:
            LogStoreUnavailable: nothing can be written now; to repeat is harmless.
            LogStoreRefused: a row cannot be stored.
        """
        ...

    def read(
        self, request_id: str | None = None, *, limit: int = 50, before: tuple[int, str] | None = None
    ) -> list[dict[str, Any]]:
        """Full records (`rows.document_of`), newest first.

        Args:
            request_id: only this request.
            limit: at most so many.
            before: (started_ms, request_id) of the last record of the page before.

        Raises:
            LogStoreUnavailable: the store cannot be read.
        """
        ...

    def read_hours(self, since_ms: int, until_ms: int) -> list[tuple[HourKey, Hour]]:
        """Roll-ups of the hours that begin in [since_ms, until_ms), in key order.

        Raises:
            LogStoreUnavailable: the store cannot be read.
        """
        ...

    def maintain(self) -> None:
        """Make room ahead and drop what is older than the retention, whole files or partitions at a time.

        Raises:
            LogStoreUnavailable: it has to be tried again later.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


def epoch_ms() -> int:
    """Now, in milliseconds."""
    return time_ns() // 1_000_000


def open_store(database: str, data: Path, retention_days: int, *, now_ms: Callable[[], int] = epoch_ms) -> LogStore:
    """The log that belongs to a database.

    Args:
        database: URL as in `[storage].database`; any `sqlite:` one keeps its log in `<data>/logs`.
        data: the data directory.
        retention_days: days that a request is kept; 0 or less: for ever.
        now_ms: the clock.
    """
    if database.startswith("sqlite"):
        from anygate.observe.store_sqlite import SqliteLogStore

        return SqliteLogStore(data / "logs", retention_days=retention_days, now_ms=now_ms)
    from anygate.observe.store_postgres import PostgresLogStore  # psycopg is an optional dependency

    return PostgresLogStore(database, retention_days=retention_days, now_ms=now_ms)


def read_logs(settings: Settings, request_id: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """The answer of `anygate logs --json`, newest first.

    Raises:
        LogStoreUnavailable: the log cannot be read.
    """
    return [listed(document) for document in read_records(settings, request_id, limit)]


def read_records(settings: Settings, request_id: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """Full records (`rows.document_of`), newest first.

    Raises:
        LogStoreUnavailable: the log cannot be read.
    """
    store = open_store(settings.storage.database, settings.data_dir, settings.logs.retention_days)
    try:
        return store.read(request_id, limit=limit)
    finally:
        store.close()
