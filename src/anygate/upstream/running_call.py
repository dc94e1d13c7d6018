"""A call from `send` to its end, as its sender and the ticker see it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anygate.canonical.errors import UpstreamBusy, UpstreamError, UpstreamTimeout
from anygate.upstream.call import Sink
from anygate.upstream.connection import Connection, Piece

if TYPE_CHECKING:
    from anygate.upstream.pool import Pool


class RunningCall:
    """Queued, connecting (no connection yet) or running (on its connection). Implements `Call`.

    Has no `__init__`, which would double its price: `UpstreamClient.send` sets the fields.

    Attributes:
        began: when it was sent.
        waits_since: since when it has been queued, or connecting; unset until it has to wait.
        over: its end has come; nobody is told anything any more.
    """

    __slots__ = ("began", "body", "connection", "head", "over", "paused", "pool", "sink", "waits_since")

    pool: "Pool"
    head: bytes
    body: Sequence[Piece]
    sink: Sink
    connection: Connection | None
    began: float
    waits_since: float
    paused: bool
    over: bool

    def pause(self) -> None:
        """Stop reading. What the last read brought may still be told: one block, and the end."""
        if not self.paused and not self.over:
            self.paused = True
            transport = self.connection.transport if self.connection else None
            if transport is not None and not transport.is_closing():
                transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.paused and not self.over:
            self.paused = False
            if self.connection is not None:
                self.connection.stirred = True
                transport = self.connection.transport
                if transport is not None and not transport.is_closing():
                    transport.resume_reading()

    def cancel(self) -> None:
        """Drop the call and its connection, at any stage; the sink hears nothing more."""
        if not self.over:
            self._leave()
            self.pool.give_up(self)

    def end(self) -> None:
        """The answer is complete: tell the sink."""
        if not self.over:
            self._leave()
            self.sink.on_end()

    def fail(self, error: UpstreamError) -> None:
        """Nothing more will come: tell the sink. The connection has been seen to."""
        if not self.over:
            self._leave()
            self.sink.on_fail(error)

    def abort(self, error: UpstreamError) -> None:
        """Drop the connection at any stage and tell the sink why."""
        if not self.over:
            self.cancel()
            self.sink.on_fail(error)

    def _leave(self) -> None:
        self.over = True
        self.head, self.body = b"", ()

    def overdue(self, now: float) -> UpstreamError | None:
        """The error of the deadline that has passed, if one has. Called by the ticker."""
        timeouts = self.pool.origin.timeouts
        if timeouts.total and now - self.began >= timeouts.total:
            return UpstreamTimeout(f"The upstream's answer was not complete within {timeouts.total:g} s.")
        connection = self.connection
        if connection is None:
            if not timeouts.connect or now - self.waits_since < timeouts.connect:
                return None
            if not self.pool.connects(self):
                return UpstreamBusy(f"No connection of the channel became free within {timeouts.connect:g} s.")
            return UpstreamTimeout(f"No connection to the upstream was made within {timeouts.connect:g} s.")
        if connection.stirred or self.paused:
            connection.stirred = False
            connection.stirred_at = now
        elif timeouts.idle and now - connection.stirred_at >= timeouts.idle:
            return UpstreamTimeout(f"The upstream sent nothing for {timeouts.idle:g} s.")
        return None
