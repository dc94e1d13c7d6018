"""One coarse clock for all requests of a process: first-token deadlines, heartbeats and drains need no timer each."""

import asyncio
from collections.abc import Collection
from typing import Protocol

TICK_SECONDS = 0.1


class Ticking(Protocol):
    """Something with deadlines."""

    def tick(self, now: float) -> None:
        """Called about every TICK_SECONDS with the loop's time."""
        ...


class Ticker:
    """Calls everyone who has deadlines; sleeps while there is nobody.

    Args:
        loop: where it runs.
        members: who is called; its owner adds to it, says `wake`, and takes away.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, members: Collection[Ticking]) -> None:
        self._loop = loop
        self._members = members
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def wake(self) -> None:
        """There is a member."""
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def close(self) -> None:
        """Stop."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        for member in tuple(self._members):
            member.tick(now)
        if self._members:
            self.wake()
