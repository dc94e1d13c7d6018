"""The connections to one origin, and the calls that run or wait on them."""

import asyncio
from collections import deque
from collections.abc import Iterator

from anygate.canonical.errors import UpstreamError, UpstreamUnreachable
from anygate.upstream.call import Origin
from anygate.upstream.connection import Connection
from anygate.upstream.dial import Dialer
from anygate.upstream.proxy import Proxy
from anygate.upstream.running_call import RunningCall
from anygate.upstream.ticker import Ticker
from anygate.upstream.tunnel import authority


class Pool:
    """Its connections, those that are idle among them (the last used first), and a queue for when there are enough.

    Each connection, and each one that is being made, takes a slot of `origin.limit`.

    Attributes:
        ticker: whose time deadlines are kept by.
        absolute: requests name the whole URL, as a proxy for plain HTTP wants it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        origin: Origin,
        dialer: Dialer,
        ticker: Ticker,
        proxy: Proxy | ValueError | None,
    ) -> None:
        self._loop = loop
        self._dialer = dialer
        self._proxy = proxy
        self._connections: set[Connection] = set()
        self.idle: list[Connection] = []
        self._connecting: dict[RunningCall, asyncio.Task[None]] = {}
        self.queue: deque[RunningCall] = deque()
        self.origin = origin
        self.ticker = ticker
        self.absolute = isinstance(proxy, Proxy) and origin.scheme == "http" and proxy.scheme.startswith("http")

    @property
    def open(self) -> int:
        """Connections made or being made."""
        return len(self._connections) + len(self._connecting)

    @property
    def unused(self) -> bool:
        """Is there nothing that would be lost with it?"""
        return not self.open and not self.queue

    def calls(self) -> Iterator[RunningCall]:
        """Those that are not over."""
        yield from self.queue
        yield from self._connecting
        for connection in self._connections:
            if connection.call is not None:
                yield connection.call

    def absolute_form(self, head: bytes) -> bytes:
        """The head with the whole URL in its request line and the proxy's credentials."""
        assert isinstance(self._proxy, Proxy)  # noqa: S101 - what `absolute` says
        line, _, rest = head.partition(b"\r\n")
        method, _, target = line.partition(b" ")
        where = authority(self.origin.host, self.origin.port)
        return b"%b http://%b%b\r\n%b%b" % (method, where, target, self._proxy.authorization, rest)

    def start(self, call: RunningCall) -> None:
        """Send it on an idle connection, else on a new one, else queue it."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                connection.begin(call)
                return
            connection.drop()
        if self.origin.limit and self.open >= self.origin.limit:
            call.waits_since = self.ticker.clock()
            self.queue.append(call)
        else:
            self.connect(call)

    def connect(self, call: RunningCall) -> None:
        """Take a slot and make a connection for the call."""
        call.waits_since = self.ticker.clock()
        self._connecting[call] = self._loop.create_task(self._dial(call))

    def connects(self, call: RunningCall) -> bool:
        """Is the call's connection being made?"""
        return call in self._connecting

    async def _dial(self, call: RunningCall) -> None:
        connection = Connection(self)
        failure: UpstreamError = UpstreamUnreachable("The upstream closed the connection as soon as it was made.")
        try:
            if isinstance(self._proxy, ValueError):
                raise UpstreamUnreachable(f"The channel's proxy setting cannot be used: {self._proxy}.")
            await self._dialer.open(self.origin, self._proxy, connection)
        except UpstreamError as error:
            failure = error
        except BaseException:
            # Cancelled, when the slot is already given up, or a bug, which the loop's handler gets to see.
            if self._give_slot_up(call):
                call.fail(failure)
            raise
        else:
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                del self._connecting[call]
                self._connections.add(connection)
                connection.begin(call)
                return
        if self._give_slot_up(call):
            call.fail(failure)

    def _give_slot_up(self, call: RunningCall) -> bool:
        """The call's connection is not made; False: somebody said so before."""
        if self._connecting.pop(call, None) is None:
            return False
        self._wake()
        return True

    def give_up(self, call: RunningCall) -> None:
        """Take a call out of the queue, stop its connecting, or drop its connection."""
        if call.connection is not None:
            if call.connection.call is call:
                call.connection.drop()
        elif call in self._connecting:
            self._connecting[call].cancel()
            self._give_slot_up(call)
        elif call in self.queue:
            self.queue.remove(call)

    def release(self, connection: Connection) -> None:
        """A connection is free: for the first call in the queue, else for later."""
        connection.idle_since = self.ticker.now
        if not self.queue:
            self.idle.append(connection)
        elif connection.transport is None or connection.transport.is_closing():
            connection.drop()  # its slot goes to the queue
        else:
            connection.begin(self.queue.popleft())

    def gone(self, connection: Connection) -> None:
        """A connection is closed or lost. May be said twice."""
        if connection in self._connections:
            self._connections.remove(connection)
            if connection in self.idle:
                self.idle.remove(connection)
            self._wake()

    def _wake(self) -> None:
        while self.queue and self.open < self.origin.limit:
            self.connect(self.queue.popleft())

    def sweep(self, idle_before: float) -> None:
        """Close the connections that have been idle since before that time."""
        for connection in list(self.idle):
            if connection.idle_since is not None and connection.idle_since <= idle_before:
                connection.drop()

    def close(self) -> None:
        """Close what is idle."""
        for connection in list(self.idle):
            connection.drop()
