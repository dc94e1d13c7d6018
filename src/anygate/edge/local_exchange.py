"""A request that came in another way than its own HTTP message: over a WebSocket, or from the gateway itself."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from anygate.canonical.errors import GatewayError
from anygate.edge.body import Body
from anygate.edge.exchange import Headers, RelayExchange
from anygate.edge.head import KnownHead
from anygate.protocols.table import ClientRoute


class LocalExchange(RelayExchange):
    """What the relay sees of such a request. Its answer goes to callbacks, in order, each called in the event loop.

    `on_begin(status, headers)` once, `on_data(bytes)` any number of times, `on_finish(complete)` once; after `gone` only
    that last one, at once.
    """

    __slots__ = ("_address", "on_begin", "on_data", "on_finish")

    def __init__(
        self,
        route: ClientRoute,
        *,
        path: bytes,
        headers: Headers,
        query: bytes = b"",
        body: bytes,
        address: str,
        on_begin: Callable[[int, Headers], None],
        on_data: Callable[[bytes], None],
        on_finish: Callable[[bool], None],
    ) -> None:
        """A complete request.

        Args:
            route: what it asks for.
            path: as an HTTP request would have it.
            headers: names in lower case; they hold the client's key.
            query: likewise.
            body: the whole of it.
            address: of the client.
            on_begin: takes status and headers.
            on_data: takes a piece of the body.
            on_finish: told whether the answer is complete.
        """
        unset: Any = _NoConnection()
        named = dict(headers)
        distinct = len(named) == len(headers)
        head = KnownHead(path, b"POST", named, distinct, "1.1", True, (route, {}), path, query, "POST")
        super().__init__(unset, head, headers, Body(), perf_counter())
        self._address = address
        self.on_begin, self.on_data, self.on_finish = on_begin, on_data, on_finish
        self.started = True
        if body:
            self.body.append(body)
        self.arrived()

    @property
    def peer(self) -> str:
        """The client's address."""
        return self._address

    async def receive(self) -> Body:
        """The body, which is here."""
        return self.body

    def proceed(self) -> None:
        """Nobody waits for a leave to send."""

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer."""
        self.head(status, headers, body)
        self.end()

    def head(self, status: int, headers: Headers, first: bytes = b"") -> None:
        """Begin the answer."""
        if self.disconnected or self.response_started:
            return
        self.response_started = True
        self.on_begin(status, headers)
        self.block(first)

    def block(self, data: bytes) -> None:
        """A piece of the body."""
        if self.disconnected or self.response_complete or not data:
            return
        self.bytes_sent += len(data)
        self.on_data(data)

    def end(self) -> None:
        """The body is complete."""
        self._finish(True)

    def abort(self) -> None:
        """The body will never be complete."""
        self._finish(False)

    def fail(self, error: GatewayError) -> None:
        """A local request is always whole."""
        raise error

    def gone(self) -> None:
        """Nobody wants the answer any more: whoever makes it is told, and it is over."""
        super().gone()
        self._finish(False)

    def _finish(self, complete: bool) -> None:
        if not self.response_complete:
            self.response_complete = True
            self.on_finish(complete)


class _NoConnection:
    """There is none."""

    transport = None
