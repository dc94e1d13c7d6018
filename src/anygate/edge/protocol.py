"""uvicorn's httptools protocol, with the relay's paths served in its parser callbacks and all others by ASGI.

What uvicorn leaves open is closed here: limits on head, chunk framing and pipelines, trailers, faults that arrive while
an answer runs, h2c upgrades. Deadlines are in `edge.connection`; `edge.head` refuses what two servers could read
differently; `edge.same_head` spares the parser a head that it has read before. Written for uvicorn 0.54; the contract
test lists every attribute of it that is used.
"""

import asyncio
import logging
from time import perf_counter
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from anygate.canonical.errors import (
    GatewayError,
    HeadersTooLarge,
    InternalError,
    InvalidRequest,
    Overloaded,
    RequestTimeout,
    RequestTooLarge,
)
from anygate.edge.body import Body
from anygate.edge.connection import BODY, HEAD, IDLE, Connection, Cycle, asgi_gone
from anygate.edge.exchange import RelayExchange
from anygate.edge.head import KnownHead, head_bytes, read_head, without_upgrade
from anygate.edge.same_head import SameHead, same_head
from anygate.protocols.openai_errors import encode_error

_SLICE_BYTES = 16 * 1024  # what the parser gets at once until a body of known length arrives
_PROGRESS_BYTES = 64 * 1024  # a body must make this much progress in each body timeout
_SOON_HERE_BYTES = (
    64 * 1024
)  # many clients send head and body apart: a smaller body is waited for before anything is done
_MOST_WAITING = 64  # pipelined requests
_asgi_message_begin = HttpToolsProtocol.on_message_begin
_asgi_headers_complete = HttpToolsProtocol.on_headers_complete
_asgi_body = HttpToolsProtocol.on_body
_asgi_message_complete = HttpToolsProtocol.on_message_complete

logger = logging.getLogger("anygate.edge")


class RelayProtocol(Connection):
    """One client connection: from its bytes to the exchanges that the gateway serves."""

    __slots__ = (  # `Connection` says why
        "_again",
        "_chunked",
        "_framing_bytes",
        "_head_bytes",
        "_known",
        "_length",
        "_relay",
        "_same",
        "_slice_bytes",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._known: KnownHead | None = None
        self._same: SameHead | None = None  # of the last head that the parser has read
        self._again = False  # the known head came again in this read, and `_same` is not known
        self._slice_bytes = min(_SLICE_BYTES, self._limits.max_header_bytes)
        # Of the request that arrives:
        self._relay = False
        self._length = 0
        self._chunked = False
        self._head_bytes = 0  # of a head that came in more than one slice
        self._framing_bytes = 0  # chunk lines and trailers since the last byte of a body

    def data_received(self, data: bytes) -> None:
        """Feed the parser; everything else follows from its callbacks."""
        if self._deaf:
            self._progress += len(data)
            return
        phase, cycle, same = self._phase, self.cycle, self._same
        if same is not None and phase == IDLE and self._serving is None:
            whole = same.read(data)
            if whole is not None:  # the parser is between two messages, and stays there
                headers, body = whole
                exchange = RelayExchange(self, same.known, headers, Body(body, len(body), True), perf_counter())
                self.cycle = exchange  # type: ignore[assignment]
                self._start(exchange)
                return
        if len(data) > self._slice_bytes or self._chunked:
            self._feed_slices(data)
        else:
            self._feed(data)
        if self._again:
            self._again = False
            last = self._arriving
            self._same = same_head(last.known, last.headers, data, self._slice_bytes, self._limits.max_body_bytes)
        if self._phase != IDLE and not self._deaf:
            self._partly_here(len(data), more=phase == self._phase and cycle is self.cycle)

    # Parser callbacks: a GatewayError that one raises stops the parser and ends in `_give_up`

    def on_message_begin(self) -> None:
        """A new request; its scope is built only if ASGI serves it."""
        self.url = b""
        self.headers = []
        self._phase = HEAD
        self._head_bytes = self._framing_bytes = 0
        self._chunked = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers come here too and are ignored."""
        if self._phase == HEAD:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Choose who serves the request."""
        parser, limits, url, headers = self.parser, self._limits, self.url, self.headers
        if self._head_bytes and head_bytes(url, headers) > limits.max_header_bytes:
            raise HeadersTooLarge
        if parser.should_upgrade():
            return  # `_feed` reads this head again, without the wish
        if len(self.pipeline) >= _MOST_WAITING:
            raise InvalidRequest("Too many requests wait on this connection")
        head, named = self._known, dict(headers)
        length = named.pop(b"content-length", None)
        if head is not None and head.is_of(parser, url, named, len(headers) - (length is not None)):
            self._length = 0 if length is None else int(length)  # digits: the parser has seen to it
            self._chunked = self.expect_100_continue = False
            self._again = self._same is None and length is not None
        else:
            head = self._choose(named, length)
            if head is None:
                return
        exchange = RelayExchange(self, head, headers, Body(), perf_counter())
        exchange.expect_continue = self.expect_100_continue
        self._relay = True
        self._phase = BODY
        self.cycle = exchange  # type: ignore[assignment]
        if self._serving is not None:
            # The next request of a pipelining client: it waits, and so do the bytes after it.
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]
        if self._length > limits.max_body_bytes:
            raise RequestTooLarge

    def _choose(self, named: dict[bytes, bytes], length: bytes | None) -> KnownHead | None:
        """Look at a head that is not the one of this connection's last request; None: ASGI serves it."""
        self._same, self._again = None, False
        parser, url, headers = self.parser, self.url, self.headers
        version, method = parser.get_http_version(), parser.get_method()
        self._length, self._chunked, self.expect_100_continue = read_head(url, headers, version)
        path, _, query = url.partition(b"?")
        verb = method.decode("ascii")
        found = self.gateway.routes.find(verb, path)
        if found is None:
            self._relay = False
            self._to_asgi()
            self._phase = BODY
            return None
        keep_alive = version == "1.1" and parser.should_keep_alive()
        distinct = len(headers) - (length is not None) == len(named)
        usual = distinct and version == "1.1" and not self._chunked and not self.expect_100_continue
        head = KnownHead(url, method, named, distinct, version, keep_alive, found, path, query, verb)
        self._known = head if usual else None
        return head

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._framing_bytes = 0
        if not self._relay:
            _asgi_body(self, body)
            return
        taken = self._arriving.body
        taken.append(body)
        if taken.size > self._limits.max_body_bytes:
            raise RequestTooLarge

    def on_message_complete(self) -> None:
        """A request is complete: the usual case, in which the relay starts with everything at hand."""
        if self._phase == HEAD:
            return  # the parser's way to end a head that wishes to upgrade
        self._phase = IDLE
        if not self._relay:
            _asgi_message_complete(self)
            return
        exchange = self._arriving
        exchange.arrived()
        if self._serving is None:
            self._start(exchange)

    # What is served

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if isinstance(cycle, RelayExchange):
            self._start(cycle)
        else:
            self._serving = cycle
            self._wait(self._limits.body_timeout)
            super()._start_asgi_task(cycle, app)

    def _start(self, exchange: RelayExchange) -> None:
        self._serving = exchange
        exchange.started = True
        exchange.writable = not self.flow.write_paused
        if exchange.more_body:
            self._wait(self._limits.body_timeout)
        most = self._limits.max_connections
        try:
            if most and len(self.connections) > most:
                self.gateway.refuse(exchange, Overloaded())
            else:
                self.gateway.begin(exchange)
        except Exception:
            # A defect of ours before anybody was in charge of the exchange.
            logger.exception("a request could not be begun")
            exchange.answer(*encode_error(InternalError(), exchange.request_id))

    # What arrives

    @property
    def _arriving(self) -> RelayExchange:
        return cast("RelayExchange", self.cycle)

    def _feed_slices(self, data: bytes) -> None:
        """Feed a large read, or a chunked body, in slices: what a head or a chunk line may hold is counted in them."""
        view, at = memoryview(data), 0
        while at < len(data) and not self._deaf:
            size = self._slice_bytes
            if self._phase == BODY and self._relay and not self._chunked:
                size = max(size, self._length - self._arriving.body.size)
            self._feed(view[at : at + size])
            at += size

    def _feed(self, data: bytes | memoryview) -> None:
        phase, cycle, wish = self._phase, self.cycle, None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            wish = upgrade.args[0]  # where the bytes behind it begin
        except httptools.HttpParserCallbackError as raised:
            error = raised.__context__
            if not isinstance(error, GatewayError):
                logger.error("a parser callback failed", exc_info=error or raised)
                error = InternalError()
            self._give_up(error)
        except httptools.HttpParserError:
            self._give_up(InvalidRequest("This is not a valid HTTP request"))
        else:
            # All of the slice belongs to the head that it ends in, unless another request has ended in it.
            self._measure(len(data), len(data) if phase != BODY and cycle is self.cycle else 1)
        if wish is not None:  # outside the handler: an error that is raised in one names it as its context
            self._upgrade(bytes(data[wish:]))

    def _measure(self, count: int, of_head: int) -> None:
        """Bound what the parser has taken in, in bytes, and given to nobody yet."""
        if self._phase == HEAD:
            self._head_bytes += of_head
            if self._head_bytes > self._limits.max_header_bytes:
                self._give_up(HeadersTooLarge())
        elif self._chunked and self._phase == BODY:
            self._framing_bytes += count
            if self._framing_bytes > 2 * _SLICE_BYTES:
                self._give_up(InvalidRequest("A chunk's line or the trailers are too long"))

    def _wants_socket(self) -> bool:
        """Is this a WebSocket handshake for a path that serves one, on a connection with nothing else to do?"""
        wish = next((value for name, value in self.headers if name == b"upgrade"), b"")
        path = self.url.partition(b"?")[0]
        if (
            wish.lower() != b"websocket"
            or path not in self.gateway.routes.sockets
            or self.parser.get_method() != b"GET"
        ):
            return False
        return self._serving is None and self.ws_protocol_class is not None

    def _open_socket(self, rest: bytes) -> None:
        """Hand the connection over to uvicorn's WebSocket protocol; the relay serves it through ASGI."""
        lines = [b"GET %b HTTP/1.1\r\n" % self.url, *(b"%b: %b\r\n" % pair for pair in self.headers), b"\r\n"]
        self._deaf = True
        self._unwatch()
        self.connections.discard(self)
        self.gateway.connections.discard(self)
        make = cast("Any", self.ws_protocol_class)
        protocol = make(config=self.config, server_state=self.server_state, app_state=self.app_state)
        protocol.connection_made(self.transport)
        protocol.data_received(b"".join(lines) + rest)
        self.transport.set_protocol(protocol)

    def _upgrade(self, rest: bytes) -> None:
        """`Connection: Upgrade`: but for WebSockets (h2c clients) nobody here speaks anything else, so it is ignored."""
        if self._wants_socket():
            self._open_socket(rest)
            return
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self._give_up(InvalidRequest("This server is no proxy"))
            return
        head = without_upgrade(method, self.url, version, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self._phase = IDLE
        self._feed(head + rest)

    def _to_asgi(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        _asgi_message_begin(self)
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        try:
            _asgi_headers_complete(self)
        except httptools.HttpParserInvalidURLError:
            raise InvalidRequest("The request's target cannot be read") from None

    def _partly_here(self, count: int, *, more: bool) -> None:
        """A request is only partly here: bound the time of what is missing; `more` of it came in this read."""
        if self._phase == HEAD:
            if not more:
                self._wait(self._limits.head_timeout)
            return
        self._progress = self._progress + count if more else 0
        if not more or self._progress >= _PROGRESS_BYTES:
            self._progress = 0
            self._wait(self._limits.body_timeout)
        soon_here = self._length <= _SOON_HERE_BYTES and not self._chunked and not self.expect_100_continue
        if self._relay and self._serving is None and not soon_here:
            self._start(self._arriving)  # the key is checked while the body still arrives

    # What cannot be served

    def end(self, error: GatewayError) -> "asyncio.Task[None] | None":
        """See `Connection`."""
        exchange = self._serving
        if exchange is None and self._phase == BODY and self._relay:
            self._give_up(error)
        if not isinstance(exchange, RelayExchange):
            return None
        if exchange.more_body:
            exchange.fail(error)
        return exchange.task

    def _too_late(self) -> None:
        self._give_up(RequestTimeout())

    def _give_up(self, error: GatewayError) -> None:
        """Nothing more is read from this connection. What was whole before is answered first."""
        self._deaf = True
        cycle = cast("Cycle | None", self.cycle)
        if self._phase != BODY or cycle is None:
            self._end_after_last(error)
        elif isinstance(cycle, RelayExchange):
            cycle.fail(error)  # it answers in its turn, and closes
            if self._serving is None:
                self._start(cycle)
        elif cycle.response_complete:
            self._hang_up()
        elif cycle is self._serving and cycle.response_started:
            self.transport.abort()
        else:
            asgi_gone(cycle)
            if cycle is self._serving:
                self._serving = None
            else:
                self.pipeline.popleft()
            self._end_after_last(error)
