"""One request and its answer, as the relay sees them; carried by uvicorn's connection, independent of ASGI."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from anygate.canonical.errors import GatewayError
from anygate.edge.body import Body
from anygate.edge.head import KnownHead

Headers = list[tuple[bytes, bytes]]

_BODYLESS = (204, 304)
_JOIN_BELOW = 1 << 16
_LINE, _LINES = b": ".join, b"\r\n".join
_SIZES = 1024  # most chunks are an event of a few hundred bytes
_SIZE_LINES = [b"%x\r\n" % size for size in range(_SIZES)]


class _Event:
    """uvicorn sets an event on its cycles; nobody waits for ours."""

    __slots__ = ()

    def set(self) -> None:
        """Nothing waits."""


_EVENT = _Event()


class Carrier(Protocol):
    """The connection that an exchange came on: `edge.protocol`."""

    @property
    def transport(self) -> asyncio.Transport:
        """What is written to."""
        ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where it runs."""
        ...

    @property
    def client(self) -> tuple[str, int] | None:
        """The address at the other end."""
        ...

    def head_start(self, status: int) -> bytes:
        """Status line and the headers of every answer."""
        ...

    def on_response_complete(self) -> None:
        """The answer is written, and the connection stays."""
        ...

    def close_after(self, exchange: "RelayExchange") -> None:
        """The answer is written, and the connection ends."""
        ...


class RelayExchange:
    """Duck-typed as uvicorn's RequestResponseCycle (`response_complete, disconnected, keep_alive, message_event,
    body, more_body`), so that pipelining, keep-alive and graceful shutdown work as in uvicorn.

    The relay uses: `route, method, path, query, headers, parameters, client, body, head, block, answer, end, abort,
    writable`, and sets the callbacks `on_writable` and `on_gone`.
    """

    message_event = _EVENT  # of every exchange

    __slots__ = (
        "_body_waiter",
        "_chunked",
        "_fault",
        "_protocol",
        "_transport",
        "body",
        "bytes_sent",
        "disconnected",
        "expect_continue",
        "headers",
        "keep_alive",
        "known",
        "method",
        "more_body",
        "on_gone",
        "on_paused",
        "on_writable",
        "parameters",
        "request_id",
        "response_complete",
        "response_started",
        "route",
        "started",
        "started_at",
        "task",
        "writable",
    )

    def __init__(self, protocol: Carrier, head: KnownHead, headers: Headers, body: Body, started_at: float) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._body_waiter: asyncio.Future[None] | None = None
        self._chunked = False
        self._fault: GatewayError | None = None
        self.known = head
        self.route, self.parameters = head.found
        self.method = head.verb
        self.headers = headers
        self.keep_alive = head.keep_alive
        self.started_at = started_at  # perf_counter at which the head was complete
        self.body = body
        self.more_body = not body.complete
        self.disconnected = False
        self.expect_continue = False
        self.response_started = False
        self.response_complete = False
        self.started = False
        self.writable = True
        self.bytes_sent = 0
        self.request_id = ""
        self.task: asyncio.Task[None] | None = None  # keeps the coroutine that serves this exchange
        self.on_writable: Callable[[], None] | None = None
        self.on_paused: Callable[[], None] | None = None
        self.on_gone: Callable[[], None] | None = None

    # What the relay calls

    @property
    def path(self) -> bytes:
        """Of the URL."""
        return self.known.path

    @property
    def query(self) -> bytes:
        """Of the URL."""
        return self.known.query

    @property
    def http_1_0(self) -> bool:
        """Does the client know no chunks?"""
        return self.known.version == "1.0"

    @property
    def named(self) -> Mapping[bytes, bytes] | None:
        """The headers by name but for Content-Length, in their order; None if a name is there twice."""
        return self.known.named if self.known.distinct else None

    @property
    def peer(self) -> str:
        """The address at the other end of the socket."""
        client = self._protocol.client
        return client[0] if client else ""

    async def receive(self) -> Body:
        """The complete body; returns at once when it is already here (also when the client is gone).

        Raises:
            GatewayError: it is too large, too slow or malformed, and will never be complete.
        """
        if self.more_body and not self.disconnected and self._fault is None:
            self._body_waiter = self._protocol.loop.create_future()
            await self._body_waiter
        if self._fault is not None:
            raise self._fault
        return self.body

    def proceed(self) -> None:
        """Answer `Expect: 100-continue`: called once key and purse have been checked."""
        if self.expect_continue and self.more_body and self._fault is None and not self.disconnected:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer in one write."""
        if self.disconnected or self.response_complete:
            return
        self.response_started = True
        size = len(body)
        end = b"" if status in _BODYLESS else b"content-length: %d\r\n" % size
        if not self.keep_alive or self.more_body:
            self.keep_alive = False
            end += b"connection: close\r\n"
        if self.method == "HEAD":
            body, size = b"", 0
        self.bytes_sent += size
        parts = [self._protocol.head_start(status), *map(_LINE, headers), end]
        if size <= _JOIN_BELOW:
            parts.append(body)
            self._transport.write(_LINES(parts))
        else:
            parts.append(b"")
            self._transport.write(_LINES(parts))
            self._transport.write(body)
        self._complete()

    def head(self, status: int, headers: Headers, first: bytes = b"") -> None:
        """Begin an answer whose length is not known; `first` bytes of the body travel in the same write."""
        if self.disconnected or self.response_started:
            return
        self.response_started = True
        self._chunked = not self.http_1_0
        if self.http_1_0 or self.more_body:
            self.keep_alive = False
        end = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        if not self.keep_alive:
            end += b"connection: close\r\n"
        if first:
            self.bytes_sent += len(first)
            if self._chunked:
                first = b"%x\r\n%b\r\n" % (len(first), first)
        self._transport.write(_LINES([self._protocol.head_start(status), *map(_LINE, headers), end, first]))

    def block(self, data: bytes) -> None:
        """A piece of the body, as it came."""
        size = len(data)
        if self.disconnected or self.response_complete or not size:
            return
        self.bytes_sent += size
        if self._chunked:
            line = _SIZE_LINES[size] if size < _SIZES else b"%x\r\n" % size
            data = b"".join((line, data, b"\r\n"))
        self._transport.write(data)

    def end(self) -> None:
        """The body is complete."""
        if self.disconnected or self.response_complete:
            return
        if self._chunked:
            self._transport.write(b"0\r\n\r\n")
        self._complete()

    def abort(self) -> None:
        """Cut the connection: the only honest end of a body that cannot be completed."""
        if not self.response_complete:
            self.response_complete = True
            self._transport.abort()

    # What the connection calls

    def arrived(self) -> None:
        """The whole body is here."""
        self.more_body = False
        self.body.complete = True
        self._wake()

    def fail(self, error: GatewayError) -> None:
        """The body will never be complete: `receive` raises the error, and the connection closes after the answer."""
        self._fault = error
        self._wake()

    def gone(self) -> None:
        """The client has left."""
        if self.disconnected:
            return
        self.disconnected = True
        self._wake()
        if not self.started:
            self.body.discard()
        if not self.response_complete and self.on_gone is not None:
            self.on_gone()

    def paused(self) -> None:
        """The socket's buffer is full."""
        self.writable = False
        if self.on_paused is not None:
            self.on_paused()

    def resumed(self) -> None:
        """The socket takes bytes again."""
        self.writable = True
        if self.on_writable is not None:
            self.on_writable()

    def _wake(self) -> None:
        if self._body_waiter is not None and not self._body_waiter.done():
            self._body_waiter.set_result(None)

    def _complete(self) -> None:
        self.response_complete = True
        if self.keep_alive:
            self._protocol.on_response_complete()
        else:
            self._protocol.close_after(self)
