"""A client connection as uvicorn makes it, with the time that is given to a client and the ways to end.

uvicorn closes idle connections and knows no other deadline. Here one lazy timer looks at whatever the client owes.
"""

import asyncio
import logging
import math
from asyncio import TimerHandle
from http import HTTPStatus
from typing import Any, Protocol, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from anygate.canonical.errors import GatewayError
from anygate.edge.exchange import RelayExchange
from anygate.edge.routes import Routes
from anygate.protocols.openai_errors import encode_error

IDLE, HEAD, BODY = range(3)
"""What arrives: nothing, or a part of a request."""

_LINGER_SECONDS, _LINGER_AT_MOST = 2.0, 30.0

Cycle = RelayExchange | RequestResponseCycle
logger = logging.getLogger("anygate.edge")


class EdgeLimits(Protocol):
    """Limits in bytes and seconds; 0 seconds: no deadline, 0 connections: no limit."""

    max_body_bytes: int
    max_header_bytes: int
    max_connections: int
    head_timeout: float
    body_timeout: float
    write_timeout: float


class Gateway(Protocol):
    """What the connection needs of the composition."""

    routes: Routes
    limits: EdgeLimits
    connections: "set[Connection]"

    def new_id(self) -> str:
        """A request id."""
        ...

    def begin(self, exchange: RelayExchange) -> None:
        """Serve the exchange; returns at once."""
        ...

    def refuse(self, exchange: RelayExchange, error: GatewayError) -> None:
        """Answer the exchange with an error in its protocol's shape, and log it."""
        ...


class Connection(HttpToolsProtocol):
    """Time and ends of a connection; `edge.protocol` reads it.

    At most one request is *served* (`_serving`, ours or ASGI's). `cycle` is the newest one; it may still arrive
    (`_phase`), or wait behind others in `pipeline`. While nobody is served, and whenever something is partly here,
    there is a moment (`_due`) at which the client is too late. The timer is set when it must ring earlier than it
    would, and never taken back: a request that arrives whole touches it at most once.
    """

    # uvicorn's attributes fill the dictionary up to where Python stops to be fast with it (30 names); ours are beside it.
    __slots__ = (
        "_deaf",
        "_due",
        "_limits",
        "_lingers_until",
        "_phase",
        "_progress",
        "_serving",
        "_timer",
        "_timer_at",
        "_write_timer",
        "gateway",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.gateway: Gateway = app_state["gateway"]
        self._limits = self.gateway.limits
        self._phase = IDLE
        self._serving: Cycle | None = None
        self._deaf = False  # nothing that arrives is read any more
        self._progress = 0  # bytes since the deadline was set
        self._due = math.inf
        self._timer: TimerHandle | None = None
        self._timer_at = 0.0
        self._lingers_until = 0.0  # 0: this side has not hung up
        self._write_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first head."""
        super().connection_made(transport)
        self.gateway.connections.add(self)
        self._wait(self._limits.head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request of this connection that its client is gone."""
        self.gateway.connections.discard(self)
        self._unwatch()
        cycles = [self._serving, cast("Cycle | None", self.cycle), *(cycle for cycle, _ in self.pipeline)]
        self.pipeline.clear()
        self.cycle = None  # type: ignore[assignment]  # uvicorn would mark it as gone, and the exchange not tell anybody
        super().connection_lost(exc)
        for cycle in cycles:
            if isinstance(cycle, RelayExchange):
                cycle.gone()
            elif cycle is not None:
                asgi_gone(cycle)

    def _unwatch(self) -> None:
        """Somebody else has the connection now."""
        for timer in (self._timer, self._write_timer):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        """The client reads too slowly: tell the exchange, and give up on a client that does not read at all."""
        super().pause_writing()
        self._expect_reading()
        if isinstance(self._serving, RelayExchange):
            self._serving.paused()

    def resume_writing(self) -> None:
        """The client reads on."""
        super().resume_writing()
        if self._write_timer is not None and not self.transport.is_closing():
            self._write_timer.cancel()
            self._write_timer = None
        if isinstance(self._serving, RelayExchange):
            self._serving.resumed()

    # What is served

    def close_after(self, exchange: RelayExchange) -> None:
        """An answer of the relay has been written, and the connection ends with it."""
        self._serving = None
        self.server_state.total_requests += 1
        if self._deaf or exchange.more_body or self.flow.read_paused:
            self._hang_up()
        else:
            self._close()

    def on_response_complete(self) -> None:
        """An answer, ours or ASGI's, is complete and the connection stays: uvicorn's, with our timer."""
        self._serving = None
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            if not self.pipeline:
                self.flow.resume_reading()
            self._start_asgi_task(cycle, app)
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._phase == IDLE:
            self._wait(self.timeout_keep_alive)

    def head_start(self, status: int) -> bytes:
        """Status line and Date header, without the last line's end."""
        headers = self.server_state.default_headers
        if headers is not _starts.headers:
            _starts.headers = headers
            _starts.of.clear()
        try:
            return _starts.of[status]
        except KeyError:
            return _make_start(status)

    # Time

    def _wait(self, seconds: float) -> None:
        """The client is too late in so many seconds from now."""
        if seconds <= 0:
            self._due = math.inf
            return
        self._due = due = self.loop.time() + seconds
        if self._timer is None or self._timer_at > due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = self.loop.call_at(due, self._look)

    def _look(self) -> None:
        """Is the client too late?"""
        self._timer = None
        if self._serving is not None:
            if self._deaf or self._phase == IDLE:
                return  # it waits for us; when we wait for it again, the timer is set again
            if self.flow.read_paused:
                self._wait(self._limits.body_timeout)  # it cannot send
                return
        left = self._due - self.loop.time()
        if left > 0.001:  # the loop's clock counts milliseconds
            if left < math.inf:
                self._timer_at = self._due
                self._timer = self.loop.call_at(self._due, self._look)
        elif self._lingers_until:
            self._lingered()
        elif self._phase == IDLE:
            self._close()
        else:
            self._too_late()

    def _too_late(self) -> None:
        raise NotImplementedError

    def end(self, error: GatewayError) -> "asyncio.Task[None] | None":
        """The process ends: whoever still waits for a body hears of it. Returns what runs for the served exchange."""
        raise NotImplementedError

    # Ends

    def _end_after_last(self, error: GatewayError) -> None:
        """Close after the last answer that is due; if none is, it is the error."""
        if self._serving is not None:
            last = self.pipeline[0][0] if self.pipeline else self._serving
            last.keep_alive = False
        elif not self.transport.is_closing():
            self._refuse(error)

    def _refuse(self, error: GatewayError) -> None:
        """Answer a request of which too little is known to give it to anybody."""
        request_id = self.gateway.new_id()
        peer = self.client[0] if self.client else "?"
        logger.info("refused a request of %s: %s (request id: %s)", peer, error.message, request_id)
        status, headers, body = encode_error(error, request_id)
        lines = [
            *(*headers, (b"content-length", b"%d" % len(body)), (b"connection", b"close")),
            *((b"x-request-id", request_id.encode()), (b"x-anygate-overhead-ms", b"0.00")),
        ]
        head = b"".join(b"%b: %b\r\n" % line for line in lines)
        self.transport.write(b"%b\r\n%b\r\n%b" % (self.head_start(status), head, body))
        self._hang_up()

    def _close(self) -> None:
        """Close when everything has been sent; a client that does not read cannot keep the connection for ever."""
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._expect_reading()

    def _hang_up(self) -> None:
        """Close although bytes of the client are under way.

        To close at once would be a reset, and that may take the answer from a client which has not read it yet. So
        this side says that it has ended and reads on, for as long as the client sends, until the client closes.
        """
        if self.transport.is_closing():
            return
        self._deaf = True
        self._lingers_until = self.loop.time() + _LINGER_AT_MOST
        self._progress = 0
        self.flow.resume_reading()
        self._wait(_LINGER_SECONDS)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _lingered(self) -> None:
        if self._progress and self.loop.time() < self._lingers_until:
            self._progress = 0
            self._wait(_LINGER_SECONDS)
        else:
            self._close()

    def _expect_reading(self) -> None:
        if self._write_timer is None and self._limits.write_timeout > 0:
            self._write_timer = self.loop.call_later(self._limits.write_timeout, self._stalled)

    def _stalled(self) -> None:
        self._write_timer = None
        logger.info("a client did not read its answer; the connection is cut")
        self.transport.abort()


class _Starts:
    """How answers begin, by status; made anew when the server has made a new list of its headers, once a second."""

    __slots__ = ("headers", "of")

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.of: dict[int, bytes] = {}


_starts = _Starts()


def _make_start(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    start = b"\r\n".join((f"HTTP/1.1 {status} {phrase}".encode(), *map(b": ".join, _starts.headers)))
    _starts.of[status] = start
    return start


def asgi_gone(cycle: RequestResponseCycle) -> None:
    """Its client is gone, as far as the application is concerned."""
    if not cycle.response_complete:
        cycle.disconnected = True
    cycle.message_event.set()
