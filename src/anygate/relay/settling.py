"""How a request ends: its answer complete or broken off, its bill closed at what was used."""

from collections.abc import Callable
from time import perf_counter

from anygate.canonical.errors import GatewayError, InsufficientQuota
from anygate.canonical.usage import NO_USAGE, Evidence, Usage
from anygate.relay.asked import Asked
from anygate.relay.headers import own_headers
from anygate.relay.meter import Meter
from anygate.upstream.call import Call

BETWEEN, WAITING, RELAYING, DONE = range(4)
"""No call is under way; its answer has not begun; it goes to the client; the bill is closed."""

_NEAR_TOKENS = 512  # a stream this close to its hold asks for more


Told = Callable[[GatewayError | None, float], None]
"""Told what came of an attempt: None when its answer may be judged (complete, or its first token is here), an error when it
failed without one; and the seconds since it was sent."""


def _nobody(_error: GatewayError | None, _seconds: float) -> None:
    """It does not matter any more."""


class Settling:
    """A request that holds money, and every way to its end.

    Attributes:
        meter: watches the answer.
        is_sse: it is a stream.
        first_token_at: `perf_counter` then; 0: not yet.
        on_used: told what the answer used.
    """

    __slots__ = (
        "_array",
        "_bill",
        "_call",
        "_codec",
        "_drain_until",
        "_evidence",
        "_exchange",
        "_extending",
        "_gateway",
        "_last",
        "_limited",
        "_no_answer",
        "_no_more",
        "_phase",
        "_protocol",
        "_record",
        "_silent",
        "_stream",
        "_tell",
        "_text_tokens",
        "first_token_at",
        "is_sse",
        "meter",
        "on_used",
    )

    meter: Meter

    def __init__(self, asked: Asked, limited: bool, silent: bool, tell: Told) -> None:
        """The bill's hold is granted.

        Args:
            asked: what is asked for.
            limited: the upstream is told how much it may write.
            silent: the answer is no text: only the input is paid.
            tell: is told of each attempt.
        """
        request = asked.request
        self._gateway = asked.gateway
        self._exchange = asked.exchange
        self._protocol = asked.protocol
        self._codec = asked.codec
        self._record = asked.record
        self._bill = asked.bill
        self._text_tokens = asked.text_tokens  # input tokens to bill where only counting is left
        self._stream = request.stream
        self._array = request.stream_form == "array"
        self._limited = limited
        self._silent = silent
        self._no_answer = request.wants_no_answer
        self._tell = tell
        self._call: Call | None = None
        self._phase = BETWEEN
        self._evidence: Evidence = "reported"
        self._last = b"\n\n"  # what the client got last
        self._extending = self._no_more = False
        self._drain_until = 0.0
        self.is_sse = False
        self.first_token_at = 0.0
        self.on_used: Callable[[Usage], None] | None = None

    @property
    def is_over(self) -> bool:
        """Is the bill closed?"""
        return self._phase == DONE

    def stop(self) -> None:
        """Give the attempt up; its connection is closed."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _break(self, error: GatewayError) -> None:
        """The answer cannot go on."""
        exchange, record = self._exchange, self._record
        record.error = record.error or error.code
        started = self._phase == RELAYING
        if not exchange.response_started:
            status, headers, body = self._protocol.encode_error(error, record.request_id)
            record.status = status
            exchange.answer(status, headers + own_headers(record), body)
        elif self._array and self._protocol.encode_array_error is not None:
            exchange.block(self._protocol.encode_array_error(error, record.request_id))
            exchange.end()
        elif self.is_sse or self._stream:
            if not self._last.endswith(b"\n\n"):
                exchange.block(b"\n\n")  # the broken event ends here; ours is one of its own
            exchange.block(self._protocol.encode_stream_error(error, record.request_id))
            exchange.end()
        else:
            exchange.abort()
        self.stop()
        if started:
            self._settle_observed()
        else:
            self._finish(NO_USAGE, "none")

    def _settle_observed(self) -> None:
        """The bill of an answer that was relayed in blocks."""
        self._settle(*self.meter.result(self._exchange.bytes_sent))

    def _settle(self, usage: Usage | None, text_bytes: int) -> None:
        """Reported usage if it came, else what was delivered. No output at all is free, unless none was wanted."""
        if usage is not None:
            charge = self._silent or self._no_answer or usage.output_tokens > 0
            self._finish(usage, self._evidence if charge else "reported", charge)
        elif self._silent:
            self._finish(Usage(input=self._text_tokens), "counted")
        elif text_bytes:
            self._finish(Usage(input=self._text_tokens, output=(text_bytes + 3) // 4), "counted")
        else:
            self._finish(NO_USAGE, "none")

    def _finish(self, usage: Usage, evidence: Evidence, charge: bool = True) -> None:
        if self._phase == DONE:
            return
        self._phase = DONE
        gateway, exchange, record = self._gateway, self._exchange, self._record
        exchange.on_gone = exchange.on_paused = exchange.on_writable = None
        record.response_bytes = exchange.bytes_sent
        record.latency_ms = (perf_counter() - exchange.started_at) * 1000
        if self._stream and self.first_token_at:
            record.first_token_ms = (self.first_token_at - exchange.started_at) * 1000
        exchange.body.discard()
        gateway.left(self)
        self._tell = _nobody  # who is told holds this flow: nothing may be left for the garbage collector
        if self.on_used is not None:
            self.on_used(usage)
        self._bill.settle(usage, evidence, gateway.finished, charge)

    def _watch_hold(self) -> None:
        """A stream without a limit of its own nears what its hold pays for: take more, or end it."""
        # Where the upstream was given a limit, counting bytes may overshoot it: only a gross excess is acted on.
        token_bytes, near = (8, 0) if self._limited else (4, _NEAR_TOKENS)
        paid = self._bill.paid_output
        bound = (paid - near) * token_bytes - 1
        tokens = self.meter.text_beyond(bound, self._exchange.bytes_sent) // token_bytes
        if self._no_more and tokens >= paid:
            if self._drain_until:  # there is nobody to tell
                self.stop()
                self._settle_observed()
                return
            self._break(
                InsufficientQuota(
                    "The balance behind this key, or its own quota, is used up; the stream was ended here"
                )
            )
        elif tokens + near >= paid and not self._extending and not self._no_more:
            self._extending = True
            self._gateway.spawn(self._extend(tokens))

    async def _extend(self, tokens: int) -> None:
        try:
            more = await self._bill.extend(tokens)
        except GatewayError:
            more = False
        self._extending = False
        self._no_more = not more
