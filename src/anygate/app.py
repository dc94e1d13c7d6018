"""The composition root: settings and ports in, a running gateway out. Nothing else builds services."""

import asyncio
import gc
import logging
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from anygate.admin.api.call import Administration
from anygate.canonical.money import AccountId
from anygate.control.app import Services, create_control_app
from anygate.edge.routes import Routes
from anygate.ledger.accounts import balance_of
from anygate.ledger.audit import audit
from anygate.ledger.home import Home
from anygate.ledger.journal import GroupCommit
from anygate.ledger.journal_sqlite import SqliteHome
from anygate.ledger.processes import Heart
from anygate.ledger.sweeper import Sweeper
from anygate.observe.batcher import LogBatcher
from anygate.observe.labels import ModelLabels, snapshot_models
from anygate.observe.logging import configure_logging
from anygate.observe.metrics import Metrics
from anygate.observe.node_tallies import NodeTallies
from anygate.observe.store import LogStore, open_store
from anygate.protocols.registry import all_protocols, chat_codecs
from anygate.providers.registry import all_providers
from anygate.relay.count_tokens import count_tokens
from anygate.relay.gateway import Gateway, Handler, Limits
from anygate.relay.kept_answers import serve_kept
from anygate.relay.local import list_models, refuse_method, retrieve_model
from anygate.relay.resource_lists import list_resources
from anygate.relay.resources import RESOURCES, serve_resource
from anygate.relay.responses_socket import serve_socket
from anygate.relay.serve import serve_chat
from anygate.settings.values import Settings
from anygate.state.configuration import Configuration
from anygate.state.ids import RequestIds
from anygate.state.keeper import Keeper
from anygate.storage.bootstrap import OpenStorage, attach_storage
from anygate.upstream.call import Upstream
from anygate.upstream.client import UpstreamClient

HANDLERS: Mapping[str, Handler] = {
    "chat": serve_chat,
    "completions": serve_chat,
    "embed": serve_chat,
    "embed.batch": serve_chat,
    "count_tokens": count_tokens,
    "responses.compact": serve_chat,
    **dict.fromkeys(RESOURCES, serve_resource),
    "files.list": list_resources,
    "vector_stores.list": list_resources,
    **dict.fromkeys(
        ("responses.retrieve", "responses.delete", "responses.cancel", "responses.input_items"), serve_kept
    ),
    "models.list": list_models,
    "models.retrieve": retrieve_model,
    "method_not_allowed": refuse_method,
}
"""Operation of a client route -> who walks the line for it."""

logger = logging.getLogger("anygate")


def _same(port: Any) -> Any:
    return port


@dataclass(frozen=True)
class Ports:
    """What the gateway has of the world. Tests wrap them; `serve` takes them as they are."""

    clock: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    random_bytes: Callable[[int], bytes] = os.urandom
    journal: Callable[[Home], Home] = _same
    store: Callable[[LogStore], LogStore] = _same
    upstream: Callable[[Upstream], Upstream] = _same
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    request_lines: int | None = 1  # file descriptor for one line per request; None: none


class Running:
    """The services of one process, from `build` to `stop`."""

    def __init__(self, settings: Settings, ports: Ports, storage: OpenStorage) -> None:
        self.settings = settings
        self.ports = ports
        self.storage = storage
        loop = asyncio.get_running_loop()
        new_id = RequestIds(ports.clock, ports.random_bytes)
        process_id = new_id()
        database, server = storage.database, settings.server
        self.heart = Heart(database, process_id, settings.data_dir / "run")
        self.configuration = Configuration(database, storage.cipher)
        home = _open_home(storage, process_id, settings.storage.durability)
        self.journal = GroupCommit(ports.journal(home), loop, alive=self.heart.alive)
        self.sweeper = Sweeper(database, self.heart, self.journal, loop)
        self.upstream = ports.upstream(UpstreamClient(loop, environ=ports.environ))
        self._tallies = NodeTallies(settings.data_dir / "run" / "metrics", process_id)
        self.metrics = Metrics(ModelLabels(self._models), neighbours=self._tallies)
        self.log_store = ports.store(
            open_store(settings.storage.database, settings.data_dir, settings.logs.retention_days)
        )
        self.logs = LogBatcher(self.log_store, stdout=ports.request_lines, metrics=self.metrics)
        self.keeper = Keeper(database, ports.clock)
        self.gateway = Gateway(
            loop=loop,
            routes=Routes(all_protocols()),
            codecs=chat_codecs(),
            handlers=HANDLERS,
            configuration=self.configuration,
            providers=all_providers(),
            journal=self.journal,
            upstream=self.upstream,
            logs=self.logs,
            keeper=self.keeper,
            balances=self._balances,
            clock=ports.clock,
            new_id=new_id,
            random=ports.random,
            limits=Limits(
                max_body_bytes=server.max_body_mb << 20,
                max_header_bytes=server.max_header_kb << 10,
                head_timeout=server.head_timeout,
                body_timeout=server.body_timeout,
                write_timeout=server.write_timeout,
                max_connections=server.max_connections,
            ),
            heartbeat=server.heartbeat,
            assumed_output=settings.billing.assumed_output,
            trusted_proxies=server.trusted_proxies,
            client_networks=settings.security.client_url_networks,
        )
        self.metrics.gauge("anygate_requests_in_flight", lambda: self.gateway.in_flight)
        self.metrics.gauge("anygate_ledger_pending_closes", lambda: self.journal.pending)
        self.control: ASGIApp = create_control_app(
            Services(
                readiness=self.readiness,
                metrics=self.metrics.render,
                new_request_id=new_id,
                administration=Administration(database, storage.cipher, self.log_store, self._audit),
            )
        )
        self._sold: tuple[Any, frozenset[str]] = (None, frozenset())
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Beat, read the configuration, begin to sweep and to log."""
        await asyncio.to_thread(self.heart.start)
        await self.configuration.start()
        await asyncio.to_thread(self.sweeper.start)
        self._following = asyncio.create_task(self.configuration.run(), name="anygate-configuration")
        self.logs.start()

    async def stop(self) -> None:
        """End what runs, then drain money and logs, then let go of everything."""
        await self.gateway.close()
        try:
            await asyncio.wait_for(self.journal.drain(), timeout=10)
        except TimeoutError:
            logger.error("the ledger did not take %d closes; the sweeper will refund them", self.journal.pending)
        await self.logs.drain()
        await self.keeper.drain()
        if self._following is not None:
            self._following.cancel()
        self.upstream.close()
        await asyncio.to_thread(self.sweeper.stop)
        self.journal.stop()
        await asyncio.to_thread(self.heart.stop)
        self._tallies.close()
        self.log_store.close()
        self.storage.close()

    def readiness(self) -> Sequence[str]:
        """Why this process cannot serve now; empty when it can."""
        reasons: list[str] = []
        if not self.configuration.ready:
            reasons.append("the configuration has not been read")
        if not self.journal.available:
            reasons.append("the ledger cannot be written")
        if not self.heart.alive():
            reasons.append("this process could not renew its heartbeat")
        return reasons

    def _models(self) -> frozenset[str]:
        snapshot = self.configuration.snapshot
        if self._sold[0] is not snapshot:
            providers = all_providers()

            def table_models(slug: str) -> list[str]:
                table = providers.get(slug)
                return [model.name for model in table.models] if table else []

            self._sold = (snapshot, snapshot_models(snapshot, table_models))
        return self._sold[1]

    async def _balances(self, accounts: Sequence[AccountId]) -> Sequence[int]:
        return await asyncio.to_thread(self._read_balances, accounts)

    def _read_balances(self, accounts: Sequence[AccountId]) -> Sequence[int]:
        with self.storage.database.reading() as connection:
            return [balance_of(connection, account) for account in accounts]

    def _audit(self, full: bool) -> Mapping[str, Any]:
        return audit(self.storage.database, full=full).as_json()


def _open_home(storage: OpenStorage, owner: str, durability: str) -> Home:
    """The journal's home for the kind of database."""
    database = storage.database
    if database.path is not None:
        return SqliteHome(database.path, owner=owner, durability=durability)
    from anygate.ledger.journal_postgres import PostgresHome  # its driver is an extra

    return PostgresHome(
        database.url.replace("postgresql+psycopg://", "postgresql://", 1), owner=owner, durability=durability
    )


class Application:
    """The ASGI application of one process; its lifespan is the gateway's. Picklable until it starts."""

    def __init__(self, settings: Settings, ports: Ports | None = None) -> None:
        self._settings = settings
        self._ports = ports
        self.running: Running | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan here, WebSockets to the relay, the rest to the control plane (relay paths never come this far)."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "websocket" and self.running is not None:
            await serve_socket(self.running.gateway, scope, receive, send)
        elif self.running is not None:
            await self.running.control(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        configure_logging()
        running = self.running = await build(self._settings, self._ports or Ports())
        scope["state"]["gateway"] = running.gateway
        # What start-up made lives for ever: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        end_with_supervisor(asyncio.get_running_loop())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await running.stop()
        await send({"type": "lifespan.shutdown.complete"})


def end_with_supervisor(loop: asyncio.AbstractEventLoop) -> None:
    """In a worker process: shut down as on SIGTERM when the supervisor is gone, however it went.

    A worker left alone would keep the port and go on with a configuration that nobody can reload.
    """
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return

    def gone() -> None:
        loop.remove_reader(supervisor.sentinel)
        logger.error("the supervisor is gone: this worker ends too")
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(supervisor.sentinel, gone)


async def build(settings: Settings, ports: Ports) -> Running:
    """Everything of one process, started. The database has been made ready by the parent (`serving.serve`)."""
    running = Running(settings, ports, await asyncio.to_thread(attach_storage, settings))
    await running.start()
    return running


def new_loop() -> asyncio.AbstractEventLoop:
    """The event loop of every process."""
    return uvloop.new_event_loop()


__all__ = ["Application", "Ports", "Running", "build", "new_loop"]
