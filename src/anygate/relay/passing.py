"""An answer that goes to the client as it comes: a file is as large as its owner likes, and a reader as slow."""

import asyncio
from collections.abc import Callable, Sequence

from anygate.canonical.errors import UpstreamError
from anygate.edge.exchange import RelayExchange
from anygate.upstream.ask import Whole
from anygate.upstream.call import Headers, Origin, Upstream

_MOST_REFUSAL_BYTES = 1 << 20
_GOOD = frozenset({200, 203, 206})
"""With a file, or the part of it that was asked for."""

Begin = Callable[[int, Headers], None]


class _Passing:
    """Implements `upstream.call.Sink`: what is good goes to the exchange, what is not is kept to be judged."""

    def __init__(self, exchange: RelayExchange, begin: Begin) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = 0
        self.headers: Headers = []
        self.kept = bytearray()
        self._exchange = exchange
        self._begin = begin

    def on_head(self, status: int, headers: Headers) -> None:
        self.status, self.headers = status, headers
        if status in _GOOD:
            self._begin(status, headers)

    def on_block(self, data: bytes) -> None:
        if self.status in _GOOD:
            self._exchange.block(data)
        else:
            self.kept += data[: _MOST_REFUSAL_BYTES - len(self.kept)]

    def on_end(self) -> None:
        if self.status in _GOOD:
            self._exchange.end()
        self.over()

    def on_fail(self, error: UpstreamError) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def over(self) -> None:
        """Nothing more is waited for."""
        if not self.done.done():
            self.done.set_result(None)


async def pass_on(
    upstream: Upstream,
    origin: Origin,
    head: bytes,
    body: Sequence[bytes | memoryview],
    exchange: RelayExchange,
    begin: Begin,
) -> Whole:
    """Send a request and hand a good answer to the client as it comes, at the client's pace.

    Args:
        upstream: the client of upstreams.
        origin: where to.
        head: request line and headers, as `Upstream.send` takes them.
        body: in pieces.
        exchange: the client's.
        begin: given status and headers of a good answer, begins the client's.

    Returns:
        Status and headers; the body of any other answer only.

    Raises:
        UpstreamError: no answer came, or it broke off, perhaps in the midst of the client's.
    """
    sink = _Passing(exchange, begin)
    call = upstream.send(origin, head, body, sink)
    exchange.on_paused, exchange.on_writable, exchange.on_gone = call.pause, call.resume, sink.over
    try:
        if not exchange.disconnected:
            await sink.done
    finally:
        exchange.on_paused = exchange.on_writable = exchange.on_gone = None
        call.cancel()
    return Whole(sink.status, sink.headers, bytes(sink.kept), False)
