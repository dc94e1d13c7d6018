"""The upstream client: pooled HTTP/1.1 on httptools and the event loop's transports, driven by callbacks."""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from anygate.canonical.errors import UpstreamUnreachable
from anygate.upstream.call import Call, Origin, Sink
from anygate.upstream.dial import Dialer
from anygate.upstream.pool import Pool
from anygate.upstream.proxy import ProxySettings
from anygate.upstream.resolve import LookUp, Resolver
from anygate.upstream.running_call import RunningCall
from anygate.upstream.ticker import TICK_SECONDS, Ticker


class UpstreamClient:
    """Implements `Upstream`. One per process; everything runs in the loop's thread.

    - A call on an idle connection costs no task, future or timer: one ticker looks at all deadlines, so they are kept
      to about a tick.
    - No sink is called from within `send`.
    - `Origin.limit` bounds connections. Calls beyond it wait in order, each at most `timeouts.connect`, and then fail
      with `UpstreamBusy`; making a connection has that time again.
    - A request is sent a second time only when a pooled connection turns out to have been closed: lost within
      `STALE_SECONDS` and before any byte of an answer. Nothing else is ever repeated.
    - A sink that raises loses its connection and is told `on_fail`; the exception goes to the loop's handler.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        tls_context: ssl.SSLContext | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] | None = None,
        look_up: LookUp | None = None,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        """A client without connections.

        Args:
            loop: where it runs.
            tls_context: the trust of https upstreams and proxies; default: the system's roots and certifi's.
            environ: where proxy variables are read, once. None: there are none.
            clock: monotonic seconds.
            look_up: names to addresses, instead of the system's resolver.
            tick_seconds: how often deadlines are looked at while calls run.

        Raises:
            ValueError: a proxy variable of the environment is no proxy URL.
        """
        self._loop = loop
        clock = clock or loop.time
        self._proxies = ProxySettings(environ or {})
        self._resolver = Resolver(loop, clock, look_up)
        self._dialer = Dialer(loop, self._resolver, tls_context)
        self._pools: dict[Origin, Pool] = {}
        self._ticker = Ticker(loop, clock, tick_seconds, self._pools)
        self._closed = False

    def send(self, origin: Origin, head: bytes, body: Sequence[bytes | memoryview], sink: Sink) -> Call:
        """Start a call; see `Upstream.send`."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = self._new_pool(origin)
        call = RunningCall()
        call.pool = pool
        call.head = head
        call.body = body
        call.sink = sink
        call.connection = None
        call.paused = call.over = False
        ticker = self._ticker
        if not ticker.running:
            if self._closed:
                self._loop.call_soon(call.abort, UpstreamUnreachable("The gateway is shutting down."))
                return call
            ticker.start()
        call.began = ticker.now
        pool.start(call)
        return call

    def close(self) -> None:
        """Close every connection; calls that still run fail."""
        self._closed = True
        self._ticker.stop()
        error = UpstreamUnreachable("The gateway is shutting down.")
        with ExitStack() as stack:  # goes on when a sink raises
            stack.callback(self._resolver.close)
            for pool in self._pools.values():
                stack.callback(pool.close)
            for pool in self._pools.values():
                for call in pool.calls():
                    stack.callback(call.abort, error)
            # Run backwards: every call has ended, queued ones too, before the pools close.

    def connections(self, origin: Origin) -> int:
        """Open connections to an origin, those being made included."""
        pool = self._pools.get(origin)
        return pool.open if pool is not None else 0

    def _new_pool(self, origin: Origin) -> Pool:
        try:
            proxy = self._proxies.proxy_for(origin.scheme, origin.host, origin.port, origin.proxy)
        except ValueError as error:
            return Pool(self._loop, origin, self._dialer, self._ticker, error)
        return Pool(self._loop, origin, self._dialer, self._ticker, proxy)
