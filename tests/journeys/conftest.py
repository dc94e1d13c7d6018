"""Gateways of journeys: of one test, or of a whole module on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from anygate.app import Ports
from anygate.sandbox.run import running_sandbox
from anygate.sandbox.server import Sandbox
from tests.databases import PostgresServer
from tests.gateways import TestGateway, running_gateway

Serve = Callable[..., TestGateway]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a gateway from a TOML text: `serve(config, database_url=None, ports=None)`; it ends with the test."""
    with ExitStack() as stack:

        def start(config: str, database_url: str | None = None, ports: Ports | None = None) -> TestGateway:
            return stack.enter_context(running_gateway(config, tmp_path, database_url=database_url, ports=ports))

        yield start


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Sandbox]:
    """The simulated upstreams of a module's tests."""
    with running_sandbox(Sandbox()) as sandbox:
        yield sandbox


@pytest.fixture
def released(upstreams: Sandbox) -> Iterator[None]:
    """Nothing hangs on after a test."""
    yield
    upstreams.release()


@pytest.fixture
def forgotten(upstreams: Sandbox) -> Iterator[None]:
    """The upstreams remember nothing of another test."""
    upstreams.reset()
    yield
    upstreams.reset()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def each_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database for all tests of a module, which run on SQLite and then on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('database') / 'anygate.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()
