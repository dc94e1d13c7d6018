"""One HTTP/1.1 connection: writes requests, tells sinks of the answers, knows whether it can be used again."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from anygate.canonical.errors import UpstreamError, UpstreamInvalid, UpstreamUnreachable
from anygate.upstream.answer import HEAD_LIMIT, PARSER_ERRORS, AnswerReader

if TYPE_CHECKING:
    from anygate.upstream.pool import Pool
    from anygate.upstream.running_call import RunningCall

SLICE = 256 * 1024
"""Bytes of a large body given to the transport at once."""

JOINED = 64 * 1024
"""A body up to this many bytes travels in one write with its head."""

STALE_SECONDS = 2.0
"""An idle connection that the peer has closed shows it within a round trip. One that breaks later broke over the
request, which may then have been served and must not be repeated."""

Piece = bytes | memoryview


def _slices(pieces: Sequence[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        if len(piece) <= SLICE:
            yield piece
        else:
            view = memoryview(piece)
            for start in range(0, len(view), SLICE):
                yield view[start : start + SLICE]


def _together(parts: list[bytes]) -> bytes:
    block = b"".join(parts)
    parts.clear()
    return block


class Connection(AnswerReader, asyncio.Protocol):
    """Serves one call at a time.

    Attributes:
        call: whom it serves; None: nobody.
        transport: None before it is connected and after it is lost.
        stirred: bytes moved, or reading went on, since the ticker last looked.
        stirred_at: when the ticker last found it so.
        idle_since: when it was last put into the pool; None: never yet.
    """

    __slots__ = (
        "_blocked",
        "_pool",
        "_rest",
        "_sent_at",
        "call",
        "idle_since",
        "stirred",
        "stirred_at",
        "transport",
    )

    def __init__(self, pool: "Pool") -> None:
        super().__init__()
        self._pool = pool
        self._blocked = False  # the transport's buffer is full
        self._rest: Iterator[Piece] | None = None  # what is still to be written
        self._sent_at = 0.0
        self.call: RunningCall | None = None
        self.transport: asyncio.Transport | None = None
        self.stirred = False
        self.stirred_at = 0.0
        self.idle_since: float | None = None

    # Writing

    def begin(self, call: "RunningCall") -> None:
        """Send the call's request. The transport is connected."""
        transport = self.transport
        assert transport is not None  # noqa: S101 - the pool looked
        pool = self._pool
        self.call = call
        call.connection = self
        self.head_done = self.ended = False  # see AnswerReader.expect
        self.loose = 0
        self.stirred = True
        self._sent_at = pool.ticker.now
        if call.paused:
            transport.pause_reading()
        body = call.body
        size = len(body[0]) if len(body) == 1 else sum(map(len, body))
        head = pool.absolute_form(call.head) if pool.absolute else call.head
        end = b"content-length: %d\r\n\r\n" % size if size or not head.startswith(b"GET ") else b"\r\n"
        if size <= JOINED:
            transport.write(b"".join([head, end, *body]))
        else:
            transport.write(head + end)
            self._rest = _slices(body)
            self._pump()

    def _pump(self) -> None:
        transport, rest = self.transport, self._rest
        if transport is None or rest is None or transport.is_closing():
            return
        while not self._blocked:
            piece = next(rest, None)
            if piece is None:
                self._rest = None
                return
            transport.write(piece)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._blocked = True

    def resume_writing(self) -> None:
        """The upstream took bytes, which counts as activity."""
        self._blocked = False
        self.stirred = True
        if self._rest is not None:
            self._pump()

    # Reading

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, through proxy and TLS where there are any."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by class

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        call = self.call
        if call is None:
            self.drop()  # nobody asked for them
            return
        self.stirred = True
        told = self.head_done
        try:
            self.parse(data)
        except PARSER_ERRORS:
            self.fault()
        parts = self.parts
        try:
            if told and parts and not self.ended:  # most reads of a stream
                self.loose = 0
                call.sink.on_block(parts.pop() if len(parts) == 1 else _together(parts))
            else:
                if not self.ended or self.loose or len(data) > HEAD_LIMIT:
                    self.weigh(len(data), not told)
                if self.head_done:
                    self._deliver(call, told)
                elif self.broken:
                    self._refuse_answer(call)
        except BaseException:
            # A sink's bug: it goes to the loop's handler. The call is over, and its sink is told so once.
            self.drop()
            call.fail(UpstreamError("The gateway failed while it read the upstream's answer."))
            raise

    def _deliver(self, call: "RunningCall", told: bool) -> None:
        """Tell the sink what the last read brought; stop as soon as it cancels.

        Args:
            call: whom for.
            told: the sink has the head.
        """
        if not told:
            if self.status == 407 and self._pool.absolute:
                self.drop()
                call.fail(UpstreamUnreachable("The proxy refused its user or password (status 407)."))
                return
            if self._rest is None and not self.ended:
                call.head, call.body = b"", ()  # never sent again, and a stream may last long
            call.sink.on_head(self.status, self.headers)
        parts = self.parts
        if parts and self.call is call:
            call.sink.on_block(parts.pop() if len(parts) == 1 else _together(parts))
        if self.call is not call:
            return
        if self.broken:
            self._refuse_answer(call)
        elif self.ended:
            self.call = None
            call.over = True
            call.sink.on_end()  # when it raises, data_received drops this connection
            pool = self._pool
            if self.reusable and self._rest is None and not call.paused and not pool.queue:
                self.idle_since = pool.ticker.now
                pool.idle.append(self)
            else:
                self._part(call)

    def _part(self, call: "RunningCall") -> None:
        """An answer has ended, and this connection is not simply idle."""
        if not self.reusable or self._rest is not None:  # its framing left doubt, or not all of the request is out
            self.drop()
            return
        if call.paused and self.transport is not None:
            self.transport.resume_reading()
        self._pool.release(self)

    def _refuse_answer(self, call: "RunningCall") -> None:
        error = UpstreamInvalid(f"The upstream's answer {self.broken}.")
        self.drop()
        call.fail(error)

    # Ending

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by whomever: the end of an answer without a length, a stale connection, or a failure."""
        call, self.call = self.call, None
        self.transport = None
        self._rest = None
        self.forget_parser()
        pool = self._pool
        if call is None:
            pool.gone(self)
            return
        untouched = not self.head_done and not self.loose  # not a byte of an answer
        if self.idle_since is not None and untouched and pool.ticker.clock() - self._sent_at < STALE_SECONDS:
            call.connection = None
            pool.connect(call)  # never the same again: that one is fresh. Its slot goes before the queue's
            pool.gone(self)
            return
        pool.gone(self)
        if self.until_close and self.head_done and exc is None:
            call.end()
            return
        error = UpstreamUnreachable(
            "The upstream broke its answer off."
            if self.head_done
            else "The upstream closed the connection without an answer."
        )
        error.__cause__ = exc
        call.fail(error)

    def drop(self) -> None:
        """Close at once, whatever is on its way, and give the slot up. No sink hears of it."""
        self.call = None
        self._rest = None
        if self.transport is not None:
            self.transport.abort()
        self._pool.gone(self)
