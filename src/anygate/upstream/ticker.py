"""One timer for all deadlines of the upstream client."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from anygate.upstream.call import Origin

if TYPE_CHECKING:
    from anygate.upstream.pool import Pool

TICK_SECONDS = 0.1
SWEEP_SECONDS = 5.0
IDLE_SECONDS = 60.0


class Ticker:
    """Looks at every call of the pools while there are any; without one only sweeps, slowly; without pools stops.

    Attributes:
        clock: monotonic seconds.
        now: the clock at the last look. While calls run it is about a tick old, which is how well deadlines are kept.
        running: at the pace of calls, not of sweeps.
    """

    __slots__ = ("_loop", "_pools", "_seconds", "_sweep_at", "_timer", "clock", "now", "running")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        seconds: float,
        pools: "dict[Origin, Pool]",
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._pools = pools
        self._sweep_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.clock = clock
        self.now = 0.0
        self.running = False

    def start(self) -> None:
        """Calls begin to run."""
        self.stop()
        self.now = self.clock()
        self.running = True
        self._timer = self._loop.call_later(self._seconds, self._tick)

    def stop(self) -> None:
        """No more looks."""
        self.running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now = self.now = self.clock()
        self.running = False
        for pool in self._pools.values():
            for call in pool.calls():
                self.running = True
                error = call.overdue(now)
                if error is not None:
                    self._loop.call_soon(call.abort, error)  # a sink that raises must not stop the ticker
        if now >= self._sweep_at:
            self._sweep(now)
        if self.running:
            self._timer = self._loop.call_later(self._seconds, self._tick)
        elif self._pools:
            self._timer = self._loop.call_later(SWEEP_SECONDS, self._tick)
        else:
            self._timer = None

    def _sweep(self, now: float) -> None:
        self._sweep_at = now + SWEEP_SECONDS
        for origin, pool in list(self._pools.items()):
            pool.sweep(now - IDLE_SECONDS)
            if pool.unused:
                del self._pools[origin]
