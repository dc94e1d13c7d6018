"""The services of one process that the relay uses, and the life of an exchange around its handler."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from anygate.canonical.errors import GatewayError, InternalError, ShuttingDown
from anygate.canonical.money import AccountId
from anygate.canonical.token import Token
from anygate.edge.addresses import Network, client_address
from anygate.edge.connection import Connection
from anygate.edge.exchange import RelayExchange
from anygate.edge.routes import Routes
from anygate.observe.record import Record
from anygate.protocols.chat_codec import ChatCodec
from anygate.protocols.table import Protocol as ClientProtocol
from anygate.providers.table import Provider
from anygate.relay.bill import Journal
from anygate.relay.guard import awaited, guarded
from anygate.relay.headers import own_headers
from anygate.relay.signing import Signer
from anygate.relay.targets import Targets
from anygate.relay.ticker import Ticker
from anygate.routing.affinity import Affinity
from anygate.routing.breaker import Breakers
from anygate.routing.directory import Directory
from anygate.routing.snapshot import Snapshot
from anygate.state.keeper import Keeper
from anygate.upstream.ask import post_form
from anygate.upstream.call import Upstream
from anygate.upstream.google_token import GoogleTokens

if TYPE_CHECKING:
    from anygate.relay.background_run import Run
    from anygate.relay.flow import Flow

logger = logging.getLogger("anygate.relay")

_CLOSING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`edge.protocol.EdgeLimits`."""

    max_body_bytes: int = 64 << 20
    max_header_bytes: int = 64 << 10
    max_connections: int = 0
    head_timeout: float = 10
    body_timeout: float = 60
    write_timeout: float = 120


class Configuration(Protocol):
    """The current configuration: `state.configuration`."""

    MISS: object

    @property
    def snapshot(self) -> Snapshot:
        """The current snapshot."""
        ...

    def cached_token(self, key_hash: bytes) -> Token | object | None:
        """A token that is known, None for a key known to be unknown, MISS when the database must be asked."""
        ...

    async def load_token(self, key_hash: bytes) -> Token | None:
        """Ask the database."""
        ...


class Logs(Protocol):
    """`observe.batcher`."""

    def add(self, record: Record) -> None:
        """Queue a record."""
        ...


Handler = Callable[["Gateway", RelayExchange, Record], Awaitable[None] | None]
"""Serves an exchange at once, or returns what is left to wait for. May raise a GatewayError, which is the answer."""


class Gateway:
    """Everything a relayed request needs, and nothing per request."""

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        routes: Routes,
        codecs: Mapping[str, ChatCodec],
        handlers: Mapping[str, Handler],
        configuration: Configuration,
        providers: Mapping[str, Provider],
        journal: Journal,
        upstream: Upstream,
        logs: Logs,
        keeper: Keeper,
        balances: Callable[[Sequence[AccountId]], Awaitable[Sequence[int]]],
        clock: Callable[[], float],
        new_id: Callable[[], str],
        random: Callable[[], float],
        limits: Limits,
        heartbeat: float,
        assumed_output: int,
        trusted_proxies: Sequence[Network] = (),
        client_networks: Sequence[Network] = (),
        deadline_ms: int = 3_600_000,
    ) -> None:
        self.loop = loop
        self.routes = routes
        self.codecs = codecs
        self.configuration = configuration
        self.journal = journal
        self.upstream = upstream
        self.keeper = keeper
        self.balances = balances
        self.clock = clock
        self.random = random
        self.limits = limits
        self.heartbeat = heartbeat
        self.assumed_output = assumed_output
        self.deadline_ms = deadline_ms
        self.flows: set[Flow] = set()
        self.ticker = Ticker(loop, self.flows)
        self.breakers = Breakers()
        self.affinity = Affinity()
        self.targets = Targets()
        self.signer = Signer(GoogleTokens(partial(post_form, upstream), clock), clock)
        self.connections: set[Connection] = set()
        self.runs: dict[tuple[int, str], Run] = {}  # answers that are made in the background, by user and id
        self.closing = False
        self.asking = 0  # requests whose hold is under way
        self._handlers = handlers
        self.providers = providers
        self._logs = logs
        self.new_id = new_id
        self._trusted = trusted_proxies
        self.client_networks = client_networks
        self._directory: Directory | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._forget = self._tasks.discard

    @property
    def directory(self) -> Directory:
        """Look-ups over the current snapshot; arranged anew when the snapshot has changed."""
        snapshot = self.configuration.snapshot
        directory = self._directory
        if directory is None or directory.snapshot is not snapshot:
            directory = self._directory = Directory(snapshot, self.providers)
            self.targets = Targets()
        return directory

    @property
    def in_flight(self) -> int:
        """Requests that are being relayed."""
        return len(self.flows)

    # The edge's side

    def begin(self, exchange: RelayExchange) -> None:
        """Serve the exchange; returns at once."""
        record = self._record(exchange)
        if self.closing:
            self.refuse(exchange, ShuttingDown(), record)
            return
        guarded(partial(self._fail, exchange, record), self._serve, exchange, record)

    def _serve(self, exchange: RelayExchange, record: Record) -> None:
        rest = self._handlers[exchange.route.operation](self, exchange, record)
        if rest is not None:
            exchange.task = self.loop.create_task(awaited(partial(self._fail, exchange, record), rest))

    def _fail(self, exchange: RelayExchange, record: Record, error: Exception) -> None:
        refusal = self.refusal(record, error)
        if refusal is error or not exchange.response_complete:  # else it has been served, and logged
            self.refuse(exchange, refusal, record)

    def refuse(self, exchange: RelayExchange, error: GatewayError, record: Record | None = None) -> None:
        """Answer the exchange with an error in its protocol's shape, and log it."""
        if record is None:
            record = self._record(exchange)
        self.tell(exchange, record, error)
        self._logs.add(record)

    def _record(self, exchange: RelayExchange) -> Record:
        request_id = exchange.request_id = self.new_id()
        address = exchange.peer
        if self._trusted:
            forwarded = [value for name, value in exchange.headers if name == b"x-forwarded-for"]
            address = client_address(address, forwarded, self._trusted)
        return Record(
            request_id,
            int(self.clock() * 1000),
            exchange.method,
            exchange.known.shown,
            self.routes.protocol_of(exchange.route).name,
            client_ip=address,
        )

    def refusal(self, record: Record, error: Exception) -> GatewayError:
        """What the client is told of an exception; a defect of ours costs one request, never the process."""
        if isinstance(error, GatewayError):
            return error
        logger.error("request %s failed", record.request_id, exc_info=error)
        return InternalError()

    def tell(self, exchange: RelayExchange, record: Record, error: GatewayError) -> None:
        """Answer with an error in the protocol's shape; where an answer has begun, break it off."""
        record.error = error.code
        record.latency_ms = record.overhead_ms = (perf_counter() - exchange.started_at) * 1000
        status, headers, body = self.answers_in(exchange).encode_error(error, record.request_id)
        record.status = 499 if exchange.disconnected else status  # of the protocol: no money is a 429 or a 402
        if not exchange.response_started:
            exchange.answer(status, headers + self.own_headers(exchange, record, 0.0), body)
        elif not exchange.response_complete:
            exchange.abort()
        exchange.body.discard()

    def answers_in(self, exchange: RelayExchange) -> ClientProtocol:
        """The protocol in which an exchange is answered: its route's, or on a shared route that of the client who asks."""
        own = self.routes.protocol_of(exchange.route)
        if not exchange.route.shared:
            return own
        names = {name for name, _ in exchange.headers}
        others = self.routes.protocols.values()
        return next((protocol for protocol in others if not protocol.marks.isdisjoint(names)), own)

    # The flow's side

    def own_headers(self, exchange: RelayExchange, record: Record, waited: float) -> list[tuple[bytes, bytes]]:
        """Our headers, with the time that was ours: until now, without `waited` seconds for upstreams."""
        record.overhead_ms = (perf_counter() - exchange.started_at - waited) * 1000
        return own_headers(record)

    def entered(self, flow: "Flow") -> None:
        """A flow has begun."""
        self.flows.add(flow)
        self.ticker.wake()

    def left(self, flow: Any) -> None:
        """A flow is over: one that `entered`."""
        self.flows.discard(flow)

    def finished(self, record: Record) -> None:
        """The record is complete, its money booked."""
        self._logs.add(record)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that nobody awaits; kept until it ends."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    async def close(self) -> None:
        """End what still runs with a terminal event; the caller drains the journal and the logs afterwards."""
        self.closing = True
        for flow in tuple(self.flows):
            flow.shut_down()
        served = [connection.end(ShuttingDown()) for connection in tuple(self.connections)]
        deadline = self.loop.time() + _CLOSING_SECONDS
        while self.asking and self.loop.time() < deadline:  # noqa: ASYNC110 - once in the life of a process
            await asyncio.sleep(0.005)
        if running := self._tasks.union(task for task in served if task is not None):
            await asyncio.wait(running, timeout=_CLOSING_SECONDS)
        for task in tuple(self._tasks):
            task.cancel()
        self.ticker.close()
