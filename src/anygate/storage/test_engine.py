"""Reading and writing connections."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from anygate.storage.engine import Database
from anygate.storage.schema import meta


def put(database: Database, key: str, value: str) -> None:
    with database.writing() as connection:
        connection.execute(insert(meta).values(key=key, value=value))


def keys(database: Database) -> list[str]:
    with database.reading() as connection:
        return sorted(connection.execute(select(meta.c.key)).scalars())


def test_a_block_that_ends_commits_and_one_that_raises_does_not(database: Database):
    put(database, "a", "1")
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(insert(meta), [{"key": "b", "value": "2"}, {"key": "a", "value": "again"}])
    assert keys(database) == ["a"]


def test_a_reading_connection_cannot_write(database: Database):
    with pytest.raises(DBAPIError), database.reading() as connection:
        connection.execute(insert(meta).values(key="a", value="1"))
    assert keys(database) == []
    put(database, "b", "2")  # the same pooled connection writes when it is asked for writing


def test_a_reading_sees_one_snapshot(database: Database):
    with database.reading() as connection:
        assert connection.execute(select(meta.c.key)).all() == []
        put(database, "a", "1")
        assert connection.execute(select(meta.c.key)).all() == []
    assert keys(database) == ["a"]


def test_sqlite_is_in_wal_mode_waits_for_locks_and_keeps_foreign_keys(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'a.db'}", durable=True)
    with database.writing() as connection:
        found = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in PRAGMAS}
    assert found == PRAGMAS
    database.dispose()


PRAGMAS = {"journal_mode": "wal", "busy_timeout": 10_000, "foreign_keys": 1, "synchronous": 2}


def test_who_serves_from_sqlite_does_not_load_what_belongs_to_postgresql(tmp_path: Path):
    code = (
        "import sys; import anygate.app; from anygate.storage.engine import Database;"
        "from anygate.storage.migrate import prepare_schema; prepare_schema(Database(sys.argv[1]));"
        "assert not {'psycopg', 'sqlalchemy.dialects.postgresql'} & set(sys.modules)"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{tmp_path / 'a.db'}"], check=True, env=paths)  # noqa: S603 -- our own interpreter
