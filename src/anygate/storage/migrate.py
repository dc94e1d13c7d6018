"""Brings the schema up to date, or says why it must not.

Every upgrade is one transaction that holds the database's own lock, so processes that start together wait for the
first and then find nothing to do, and a crash leaves the old schema.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import insert, inspect, text

from anygate.storage.engine import Database, Reading, Writing
from anygate.storage.schema import config_revision, create_tables, metadata

HEAD = "0001"
"""The newest revision; known here so that a start on a current schema need not load Alembic."""

VERSION_TABLE = "anygate_schema"

State = Literal["empty", "older", "current"]

_LOCK = 0x616E7967617465  # "anygate": the advisory lock of migrations on PostgreSQL
_MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaError(Exception):
    """The database's schema is none that this version can use; the text says what to do."""


def schema_version(connection: Reading) -> str | None:
    """The revision that the database is at; None for one that was never set up.

    Raises:
        SchemaError: the record of it is damaged.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608 a constant
    if len(found) != 1:
        raise SchemaError(f"the table {VERSION_TABLE} holds {len(found)} rows, not one. {_HALF_MIGRATED}")
    return str(found[0])


_HALF_MIGRATED = "The schema is half-migrated: restore a backup, and start this version on it."


def check_schema(connection: Reading) -> State:
    """What has to be done before this version can work on the database.

    Raises:
        SchemaError: the schema is newer than this version, half-migrated, or not ours.
    """
    version = schema_version(connection)
    present = set(inspect(connection).get_table_names()) & set(metadata.tables)
    if version is None:
        if present:
            names = ", ".join(sorted(present))
            remedy = "Name an empty database, or restore a backup of this one."
            raise SchemaError(f"the database has tables that are not of a finished set-up ({names}). {remedy}")
        return "empty"
    if version == HEAD:
        missing = sorted(set(metadata.tables) - present)
        if missing:
            raise SchemaError(f"the database lacks {', '.join(missing)}. {_HALF_MIGRATED}")
        return "current"
    if version not in _known_revisions():
        remedy = "Start the newer version, or restore the backup made before it."
        raise SchemaError(f"a newer version of Anygate has used this database (schema {version}). {remedy}")
    return "older"


def migrate(database: Database) -> str | None:
    """Bring the schema up to date.

    Returns:
        What was done, as a sentence; None when there was nothing to do.

    Raises:
        SchemaError: see `check_schema`.
    """
    with _locked(database) as connection:
        state = check_schema(connection)
        if state == "current":
            return None
        copied = None
        if state == "empty":
            set_up(connection)
        else:
            copied = _copy_aside(database, connection)
            upgrade(connection)
        check_schema(connection)
    if state == "empty":
        return "the database was empty and is set up now"
    return f"the schema is at {HEAD} now" + (f"; the database as it was is in {copied}" if copied else "")


def prepare_schema(database: Database, *, allow: bool = False) -> str | None:
    """What `serve` does before anything else: set up an empty database, migrate a SQLite file after copying it.

    Args:
        database: the database; the folder of a SQLite file is made.
        allow: migrate PostgreSQL too (`--migrate`).

    Returns:
        What was done, as a sentence; None when the schema was current.

    Raises:
        SchemaError: PostgreSQL has an older schema and `allow` is not set; else see `check_schema`.
    """
    if database.path is not None:
        database.path.parent.mkdir(parents=True, exist_ok=True)
    with database.reading() as connection:
        state = check_schema(connection)
    if state == "current":
        return None
    if state == "older" and not database.is_sqlite and not allow:
        raise SchemaError(
            "the schema is older than this version. Make a backup, then run `anygate migrate` "
            "or start with `anygate serve --migrate`."
        )
    return migrate(database)


@contextmanager
def _locked(database: Database) -> Generator[Writing]:
    """The one transaction of a migration. SQLite: its write lock; PostgreSQL: an advisory lock."""
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield connection


def set_up(connection: Writing) -> None:
    """The newest schema in an empty database. The same that all migrations in turn would make (a test compares them)."""
    create_tables(connection)
    connection.execute(insert(config_revision).values(id=1, value=1))
    connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('{HEAD}')"))  # noqa: S608 constants


def upgrade(connection: Writing) -> None:
    """Every migration that the database lacks, in turn. Alembic is loaded only here."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    command.upgrade(config, "head")


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}


def _copy_aside(database: Database, connection: Reading) -> Path | None:
    """Copy a SQLite database to a file beside it, whole and consistent: the write lock is held meanwhile."""
    if database.path is None:
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = database.path.with_name(f"{database.path.name}.{schema_version(connection)}.{moment}.backup")
    with (
        closing(sqlite3.connect(f"{database.path.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy
