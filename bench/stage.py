"""The gateway of one process between wires that only remember: no sockets, no database, no clock that matters.

The relay, the edge and the upstream client are the real ones. A journal that grants at the next turn of the loop, and
whoever plays the upstream, are driven by hand, so that every run does exactly the same.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import uvicorn
from bench.loads import CLIENT_KEY, HERE, PATH
from uvicorn.server import ServerState

from anygate.app import HANDLERS
from anygate.canonical.channel import Channel, Credential, Secret
from anygate.canonical.errors import GatewayError
from anygate.canonical.money import AccountId
from anygate.canonical.price import Price
from anygate.canonical.token import Token
from anygate.edge.protocol import RelayProtocol
from anygate.edge.routes import Routes
from anygate.ledger.types import Close, Closed, Granted, Hold, NotHeld, Refused
from anygate.observe.record import Record
from anygate.protocols.registry import all_protocols, chat_codecs
from anygate.providers.registry import all_providers
from anygate.relay.gateway import Gateway, Limits
from anygate.routing.snapshot import Snapshot
from anygate.state.configuration import MISS
from anygate.state.ids import RequestIds
from anygate.state.keeper import Keeper
from anygate.upstream.client import UpstreamClient

_ANSWER = (
    b'{"id":"chatcmpl-bench0001","object":"chat.completion","created":1700000000,"model":"up-model-2025","choices":'
    b'[{"index":0,"message":{"role":"assistant","content":"%b","refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":321,"completion_tokens":123,"total_tokens":444},"system_fingerprint":"fp_bench"}'
    % (b"The quick brown fox jumps over the lazy dog, twice. " * 12)
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_bench\r\nContent-Length: %d\r\n\r\n"
    % len(_ANSWER)
) + _ANSWER
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNK = (
    b'{"id":"chatcmpl-bench0001","object":"chat.completion.chunk","created":1700000000,"model":"up-model","choices":'
)


def _framed(payload: bytes) -> bytes:
    event = b"data: %b\n\n" % payload
    return b"%x\r\n%b\r\n" % (len(event), event)


EVENTS = [_framed(_CHUNK + b'[{"index":0,"delta":{"content":" word%02d"}}]}' % number) for number in range(16)]
STREAM_END = (
    _framed(_CHUNK + b'[],"usage":{"prompt_tokens":321,"completion_tokens":200,"total_tokens":521}}')
    + _framed(b"[DONE]")
    + b"0\r\n\r\n"
)


def request(name: str) -> bytes:
    """What bench/load.c sends, with one of the bodies beside it."""
    body = (HERE / name).read_bytes()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
        f"Authorization: Bearer {CLIENT_KEY}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Wire:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.write = self.written.append

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 8080) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class _Configuration:
    MISS: object = MISS

    def __init__(self, snapshot: Snapshot, token: Token) -> None:
        self.snapshot = snapshot
        self._known = {hashlib.sha256(CLIENT_KEY.encode()).digest(): token}

    def cached_token(self, key_hash: bytes) -> Token | object | None:
        return self._known.get(key_hash, MISS)

    async def load_token(self, key_hash: bytes) -> Token | None:
        return self._known.get(key_hash)


class _Journal:
    """Grants everything; `Stage` says when."""

    def __init__(self) -> None:
        self.holds: list[tuple[Hold, Callable[[Granted | Refused | GatewayError], None]]] = []
        self.closes: list[tuple[Close, Callable[[Close, Closed | NotHeld], None] | None]] = []

    def ask(self, hold: Hold, done: Callable[[Granted | Refused | GatewayError], None]) -> None:
        self.holds.append((hold, done))

    def reserve(self, hold: Hold) -> asyncio.Future[Granted | Refused]:
        raise AssertionError("nothing on the stage lasts long enough to ask for more")

    def close(self, close: Close, done: Callable[[Close, Closed | NotHeld], None] | None = None) -> None:
        self.closes.append((close, done))


class _Logs:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, record: Record) -> None:
        self.records.append(record)


class _Dialer:
    """Connections to nowhere, each with its wire."""

    def __init__(self) -> None:
        self.connections: list[tuple[Any, Wire]] = []

    async def open(self, origin: object, proxy: object, connection: Any) -> None:
        wire = Wire()
        connection.connection_made(cast("asyncio.Transport", wire))
        self.connections.append((connection, wire))


async def _no_balances(_: object) -> list[int]:
    return [1]


class Stage:
    """A gateway with `at_once` clients. Must be made inside a running loop."""

    def __init__(self, at_once: int) -> None:
        loop = asyncio.get_running_loop()
        channel = Channel(
            id=1,
            name="mock",
            provider="openai",
            base_url="http://127.0.0.1:9",
            credentials=(Credential(1, {"key": Secret("up-secret-0")}),),
            models=("bench-model",),
            model_map={"bench-model": "up-model"},
            allow_private_network=True,
        )
        price = Price(rates={"input": Decimal("2.5"), "output": Decimal("10")})
        token = Token(7, "bench", 1, "bench", "default", AccountId(1), None)
        upstream = UpstreamClient(loop)
        self._dialer = upstream._dialer = cast("Any", _Dialer())  # pyright: ignore[reportPrivateUsage] - no sockets here
        self.journal = _Journal()
        self.logs = _Logs()
        self.gateway = Gateway(
            loop=loop,
            routes=Routes(all_protocols()),
            codecs=chat_codecs(),
            handlers=HANDLERS,
            configuration=_Configuration(Snapshot(1, (channel,), {"bench-model": price}), token),
            providers=all_providers(),
            journal=self.journal,
            upstream=upstream,
            logs=self.logs,
            keeper=cast("Keeper", None),  # chat completions keep nothing
            balances=_no_balances,
            clock=time.time,
            new_id=RequestIds(time.time),
            random=lambda: 0.5,
            limits=Limits(head_timeout=3600),
            heartbeat=15,
            assumed_output=8192,
        )
        config = uvicorn.Config(
            _no_app, http=RelayProtocol, loop="none", log_config=None, access_log=False, timeout_keep_alive=3600
        )
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"Sun, 22 Nov 2026 08:00:00 GMT")]
        self.clients: list[tuple[RelayProtocol, Wire]] = []
        for _ in range(at_once):
            wire = Wire()
            client = RelayProtocol(config, state, {"gateway": self.gateway}, loop)
            client.connection_made(cast("asyncio.Transport", wire))
            self.clients.append((client, wire))

    async def plain(self, data: bytes) -> None:
        """One request of each client, from its bytes to the booked record."""
        for client, _ in self.clients:
            client.data_received(data)
        await self._until_sent()
        for connection, wire in self._dialer.connections:
            wire.written.clear()
            connection.data_received(ANSWER)
        await self._until_booked()

    async def stream(self, data: bytes, events: int) -> None:
        """One stream of each client; an event a turn of the loop."""
        for client, _ in self.clients:
            client.data_received(data)
        await self._until_sent()
        for connection, wire in self._dialer.connections:
            wire.written.clear()
            connection.data_received(STREAM_HEAD)
        for number in range(events):
            for connection, _ in self._dialer.connections:
                connection.data_received(EVENTS[number % 16])
            await asyncio.sleep(0)
        for connection, _ in self._dialer.connections:
            connection.data_received(STREAM_END)
        await self._until_booked()

    async def _until_sent(self) -> None:
        """Turn the loop until every request lies on an upstream's wire."""
        journal, connections = self.journal, self._dialer.connections
        while len(connections) < len(self.clients) or not all(wire.written for _, wire in connections):
            await asyncio.sleep(0)
            holds, journal.holds = journal.holds, []
            for hold, done in holds:
                done(Granted(hold.ceiling))

    async def _until_booked(self) -> None:
        """Turn the loop until every client has its answer and every bill is closed."""
        logs, journal = self.logs.records, self.journal
        while len(logs) < len(self.clients):
            await asyncio.sleep(0)
            closes, journal.closes = journal.closes, []
            for close, done in closes:
                if done is not None:
                    done(close, Closed(close.cost))
        for record in logs:
            if record.status != 200 or not record.cost_nanos:
                raise AssertionError(f"not served: {record}")
        logs.clear()
        for _, wire in self.clients:
            if not wire.written:
                raise AssertionError("a client got no answer")
            wire.written.clear()


async def _no_app(scope: object, receive: object, send: object) -> None:
    raise AssertionError("only the relay is measured")
