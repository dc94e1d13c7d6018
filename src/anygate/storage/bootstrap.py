"""From settings to a database that is ready: schema, encryption key, what the file declares."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anygate.settings.problems import ConfigError, Problem
from anygate.settings.values import Settings
from anygate.storage.channels import rewrap
from anygate.storage.crypto import Cipher, check_canary, has_canary, load_cipher, plant_canary
from anygate.storage.engine import Database
from anygate.storage.file_sync import sync_file, was_synced
from anygate.storage.migrate import prepare_schema
from anygate.storage.revision import changing

SyncPolicy = Literal["always", "first"]


@dataclass(slots=True)
class OpenStorage:
    """A database that is ready, and what was done to make it so. Dispose of `database`."""

    database: Database
    cipher: Cipher
    notices: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])

    def close(self) -> None:
        """Close every connection."""
        self.database.dispose()


def open_storage(settings: Settings, *, migrate: bool = False, sync: SyncPolicy = "always") -> OpenStorage:
    """Open the database, set it up or migrate it as `serve` may, prove the key, and write down what the file declares.

    Args:
        settings: as read.
        migrate: PostgreSQL may be migrated too.
        sync: "always", as `serve` does at its start; "first": only if no file was ever written to this database, as
            other commands do, so that a half-edited file never reaches a running gateway by looking at a list.

    Raises:
        anygate.storage.migrate.SchemaError: the schema is not one for this version.
        anygate.storage.crypto.SecretKeyError: the key is missing or does not fit.
        ConfigError: the file contradicts what is in the database, or the data directory cannot be made.
        sqlalchemy.exc.DBAPIError: the database cannot be reached.
    """
    make_data_dir(settings.data_dir)
    database = Database(settings.storage.database, durable=settings.storage.durability == "power")
    try:
        done = prepare_schema(database, allow=migrate)
        with database.reading() as connection:
            fresh = not has_canary(connection)
        cipher = load_cipher(settings.data_dir, settings.secret_keys, create=fresh)
        if fresh or sync == "always":
            with changing(database) as change:
                plant_canary(change.connection, cipher)
                rewrap(change, cipher)
        else:
            with database.reading() as connection:  # a listing never waits for the write lock
                check_canary(connection, cipher)
        opened = OpenStorage(database, cipher, [done] if done else [])
        _sync(opened, settings, sync)
    except BaseException:
        database.dispose()
        raise
    return opened


def make_data_dir(path: Path) -> None:
    """The data directory, for the eyes of its owner only; what is there already stays as it is.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError([data_dir_problem(path, error.strerror or str(error))]) from None


def data_dir_problem(path: Path, why: str) -> Problem:
    """The data directory cannot be used."""
    return Problem(str(path), "", f"this cannot be the data directory: {why}", "Name another with --data.")


def _sync(opened: OpenStorage, settings: Settings, policy: SyncPolicy) -> None:
    if policy == "first":
        with opened.database.reading() as connection:
            if settings.config_file is None or was_synced(connection):
                return
    with changing(opened.database) as change:
        report = sync_file(change, settings, opened.cipher)
    opened.notices += report.changes
    opened.warnings += report.warnings


def attach_storage(settings: Settings) -> OpenStorage:
    """Open a database that `open_storage` made ready, as each worker does: nothing is written.

    Raises:
        anygate.storage.crypto.SecretKeyError: the key is missing or does not fit.
    """
    database = Database(settings.storage.database, durable=settings.storage.durability == "power")
    try:
        cipher = load_cipher(settings.data_dir, settings.secret_keys, create=False)
        with database.reading() as connection:
            check_canary(connection, cipher)
    except BaseException:
        database.dispose()
        raise
    return OpenStorage(database, cipher)
