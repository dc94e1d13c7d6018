"""One request on its way through one channel after another, and its answer on the way back.

Everything comes by plain callbacks. Up to the upstream's first token `relay.attempts` is told what came of each attempt; from
then on blocks pass, and the end, whichever side brings it, closes the bill.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import orjson

from anygate.canonical.errors import (
    ClientGoneError,
    GatewayError,
    ShuttingDown,
    UpstreamError,
    UpstreamInvalid,
    UpstreamTimeout,
)
from anygate.canonical.usage import NO_USAGE
from anygate.protocols.aws_event_stream import AwsEventStream
from anygate.protocols.chat_codec import StreamFilter
from anygate.relay.asked import Asked
from anygate.relay.headers import Headers, answer_headers, own_headers, value_of
from anygate.relay.meter import Meter
from anygate.relay.prepared import Prepared
from anygate.relay.settling import BETWEEN, DONE, RELAYING, WAITING, Settling, Told
from anygate.relay.translation import StreamTranslator, Translation, refusal_by_status, refusal_of
from anygate.routing.directory import Candidate
from anygate.upstream.call import Upstream

MOST_TRANSLATED_BYTES = 64 << 20
"""A plain answer that is translated is kept whole up to this size (generated images and sounds in base64)."""

COLLECT_BYTES = 1 << 20
"""A plain answer up to this size is complete, checked and metered before its first byte leaves: failover still can help."""

PRELUDE_BYTES = 1 << 18
_AWS_STREAM = b"application/vnd.amazon.eventstream"
_END_SECONDS = 2.0  # for the end of a body whose last event has come
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class Flow(Settling):
    """A request's state from its first attempt to its settlement. Implements `upstream.call.Sink`.

    Attributes:
        status, headers: of the attempt's answer.
        complete: all of it is here.
    """

    __slots__ = (
        "_beat_at",
        "_began",
        "_candidate",
        "_direct",
        "_filter",
        "_first_byte_at",
        "_observe",
        "_parts",
        "_quiet",
        "_sent_at",
        "_strip",
        "_translation",
        "_unframe",
        "_upstream_codec",
        "complete",
        "headers",
        "on_answer",
        "size",
        "status",
        "translated",
    )

    headers: Headers
    _observe: Callable[[bytes], bool]  # once it relays

    def __init__(self, asked: Asked, limited: bool, silent: bool, tell: Told) -> None:
        super().__init__(asked, limited, silent, tell)
        self._upstream_codec = asked.codec
        self._parts: list[bytes] = []
        self._candidate: Candidate | None = None
        self._filter: StreamFilter | None = None
        self._unframe: AwsEventStream | None = None
        self._translation: Translation | None = None
        self._direct = self._strip = self._quiet = False
        self._sent_at = self._first_byte_at = self._beat_at = 0.0
        self.status = self.size = 0
        self.complete = False
        self.translated = b""  # a complete plain answer in the client's protocol
        self.on_answer: Callable[[Mapping[str, Any]], None] | None = None  # given the answer object that the client got
        asked.exchange.on_gone = self.gone
        asked.gateway.entered(self)

    def _reset(self) -> None:
        """Forget the former attempt."""
        self.status = self.size = 0
        self.is_sse = self.complete = False
        self._filter = self._unframe = self._translation = None
        self.translated = b""
        self._parts = []

    # The attempts' side

    def attempt(self, candidate: Candidate, upstream: Upstream, prepared: Prepared) -> None:
        """Start a call to the candidate: channel and key."""
        loop = self._gateway.loop
        if self._candidate is not None:
            self._reset()
        self._upstream_codec = prepared.codec
        self._strip = prepared.strip
        self._translation = prepared.translation
        self._candidate = candidate
        self._phase = WAITING
        now = self._sent_at = loop.time()
        limit = candidate.line.channel.timeouts.first_byte
        self._first_byte_at = now + limit if limit > 0 else 0.0
        self._began = perf_counter()
        self._call = upstream.send(prepared.target.origin, prepared.head, prepared.body, self)

    @property
    def body(self) -> bytes:
        """What has come of the answer so far."""
        parts = self._parts
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def refusal(self) -> Mapping[str, Any] | None:
        """What the upstream says of why it refused."""
        return self._upstream_codec.decode_error(self.body)

    def translate(self) -> None:
        """Say a complete plain answer in the client's protocol, where that is another.

        Raises:
            UpstreamRefusal: it says that the request failed.
            ProtocolViolation: it cannot be understood, or does not end.
        """
        if self._translation is None or self.is_sse:
            return
        if not self.complete:
            raise UpstreamInvalid("The upstream's answer is too large to be translated")
        self.translated = self._translation.answer(self.meter.decoded(self.body))

    def relay(self, headers: Headers) -> None:
        """The attempt is good: let its answer go to the client."""
        allowed = self._answer_headers()
        exchange = self._exchange
        if not self.is_sse and self.complete:
            self._answer_plain(allowed + headers)
            return
        if self.is_sse:
            self._choose_filter()
            first = self.body if self._filter is None else self._filter.feed(self.body)
            if self._failed_at_once():
                return
            self._begin()
            if exchange.response_started:
                exchange.block(first)
            else:
                exchange.head(self.status, allowed + headers, first)
            self._last = first or self._last
        else:
            self._begin()
            if exchange.response_started:  # heartbeats went out: this is not a stream, and cannot become one
                self._break(UpstreamInvalid("The upstream answered a stream request without a stream"))
                return
            self.meter.feed(self.body)
            exchange.head(self.status, allowed + headers, self.body)
        self._parts.clear()
        self._direct = self._filter is None and self._unframe is None and not self._drain_until
        self._observe = self.meter.plain_feed()
        exchange.on_paused, exchange.on_writable = self._pause, self._resume
        if not exchange.writable:
            self._pause()
        if self.complete:
            self._end_stream()

    def _begin(self) -> None:
        self._phase = RELAYING
        if not self._exchange.disconnected:
            self._record.status = self.status

    def _answer_headers(self) -> Headers:
        """The upstream's headers that the client may see."""
        allowed = answer_headers(self.headers, self._protocol.response_headers)
        if self._translation is None and self._unframe is None:
            return allowed
        if self.is_sse and not self._array:
            return [*_STREAM_HEADERS]
        kept = [pair for pair in allowed if not pair[0].startswith(b"content-")]
        kind = self._protocol.content_types["array" if self._array else "json"]
        return [(b"content-type", kind.encode()), *kept]

    def _choose_filter(self) -> None:
        """What the stream passes through on its way to the client."""
        if self._translation is not None:
            translator = self._filter = self._translation.stream()
            if translator.observer is not None and not self.meter.encoded:
                self.meter.follow(translator.observer)
        elif self._strip and not self.meter.encoded and self._codec.usage_filter is not None:
            self._filter = self._codec.usage_filter()

    def _failed_at_once(self) -> bool:
        """A translated stream that begins with the upstream's refusal is a refusal, as long as nothing was said."""
        failed = self._filter.failed if isinstance(self._filter, StreamTranslator) else None
        if failed is None or self._exchange.response_started:
            return False
        self._break(refusal_of(failed))
        return True

    def refuse(self, error: GatewayError) -> None:
        """Answer with an error of ours and charge nothing (or what a broken stream delivered)."""
        self._break(error)

    def pass_refusal(self, headers: Headers) -> None:
        """Hand on the upstream's own refusal as it came; nothing is charged."""
        exchange, record = self._exchange, self._record
        record.error = record.error or "upstream_refused"
        if self._translation is not None or exchange.response_started:
            # Said in the client's protocol; after heartbeats it becomes the stream's last event.
            self._break(refusal_by_status(self.status, self.refusal(), own=self._translation is None))
            return
        record.status = self.status
        exchange.answer(self.status, answer_headers(self.headers, self._protocol.response_headers) + headers, self.body)
        self._finish(NO_USAGE, "none")

    # The upstream's side: upstream.call.Sink

    def on_head(self, status: int, headers: Headers) -> None:
        """The upstream's head."""
        self.status, self.headers = status, headers
        self._record.attempts[-1].status = status
        line = self._candidate.line if self._candidate is not None else None
        if line is not None and line.endpoint.framing == "aws" and value_of(headers, b"content-type") == _AWS_STREAM:
            self._unframe = AwsEventStream()
            headers = self.headers = [(name, value) for name, value in headers if name != b"content-type"]
            headers.append((b"content-type", b"text/event-stream"))
        self.meter = Meter(self._upstream_codec, status, headers, self._stream, self._array)
        self.is_sse = self.meter.is_sse

    def on_block(self, data: bytes) -> None:
        """A piece of the upstream's body."""
        if self._direct:  # the usual piece of a stream: as it came, to a client that is there
            self._quiet = False
            self._last = data
            self._exchange.block(data)
            if self._observe(data):
                self._watch_hold()
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """A piece that begins an answer, or does not go on as it came."""
        unframe = self._unframe
        if unframe is None:
            self._go_on(data)
            return
        if data := unframe.feed(data):
            self._go_on(data)
        if unframe.stopped and self._unframe is unframe and self._call is not None:
            self.stop()  # nothing that may still come belongs to the answer
            self.on_end()

    def _go_on(self, data: bytes) -> None:
        if self._phase == RELAYING:
            self._pass_on(data)
            return
        self._parts.append(data)
        self.size += len(data)
        if self.is_sse:
            if self.meter.begun(data) or self.size > PRELUDE_BYTES:
                self._resolve(None)
        else:
            self._first_byte_at = 0.0  # a plain answer has no token to wait for: its first byte is here
            if self.size > (COLLECT_BYTES if self._translation is None else MOST_TRANSLATED_BYTES):
                self._resolve(None)

    def _pass_on(self, data: bytes) -> None:
        """A piece of a stream that is changed on its way, or only read on for its usage."""
        self._quiet = False
        if not self._drain_until:
            out = data if self._filter is None else self._filter.feed(data)
            if out:
                self._last = out
                self._exchange.block(out)
        elif self._filter is not None and self.meter.followed:
            self._filter.feed(data)  # for the meter alone
        if self.meter.feed(data):
            self._watch_hold()

    def on_end(self) -> None:
        """The upstream's body is complete."""
        if self._unframe is not None and (rest := self._unframe.finish()):
            self._go_on(rest)
        self._call = None
        self.complete = True
        if self._phase == RELAYING:
            self._end_stream()
        elif self._phase == WAITING:
            self._resolve(None)

    def on_fail(self, error: UpstreamError) -> None:
        """The upstream failed."""
        self._call = None
        if self._phase == RELAYING:
            if self._candidate is not None:
                self._record.attempts[-1].reason += f"; broke: {error.code}"
            self._break(error)
        elif self._phase == WAITING:
            self._resolve(error)

    # The client's side

    def gone(self) -> None:
        """The client left: by the channel's policy the upstream is cancelled, or read on for its usage."""
        done = self._codec.done
        if done is not None and self._call is not None and done.search(self._last):
            # SDKs hang up at the last event without waiting for the body's end. It is at hand: the answer is whole,
            # and the upstream's connection can be used again.
            self._direct = False
            self._drain_until = self._gateway.loop.time() + _END_SECONDS
            self._call.resume()
            return
        self._record.status = 499
        channel = self._candidate.line.channel if self._candidate is not None else None
        drains = channel is not None and channel.on_disconnect == "drain" and channel.drain_seconds > 0
        if channel is None or self._call is None or not drains:
            self._leave()
            return
        self._direct = False
        self._drain_until = self._gateway.loop.time() + channel.drain_seconds
        self._evidence = "drained"
        self._call.resume()

    def _leave(self) -> None:
        self.stop()
        if self._phase == RELAYING:
            self._settle_observed()
        elif self._phase == WAITING and self._candidate is not None:
            self._resolve(ClientGoneError())

    def tick(self, now: float) -> None:
        """Look at the deadlines."""
        if self._drain_until:
            if now >= self._drain_until:
                self._leave()
            return
        if self._phase == WAITING and self._first_byte_at and now >= self._first_byte_at and self._call is not None:
            self.stop()
            self._resolve(UpstreamTimeout("The upstream sent no token in time"))
            return
        if not self._stream or not self._gateway.heartbeat or self._array:
            return
        if not self._quiet:  # something was relayed since the last look (or this is the first)
            self._quiet = True
            self._beat_at = now + self._gateway.heartbeat
        elif now >= self._beat_at:
            self._beat_at = now + self._gateway.heartbeat
            self._beat()

    def shut_down(self) -> None:
        """The process ends: the client is told, what was delivered is settled."""
        asked = self._call is not None
        self.stop()
        if self._phase == WAITING and asked:
            self._resolve(ShuttingDown())
        elif self._phase != DONE:  # it goes to the client, or is still being written for an upstream
            self._break(ShuttingDown())

    # Inside

    def _resolve(self, error: GatewayError | None) -> None:
        if self._phase == WAITING:
            self._phase = BETWEEN
            now = perf_counter()
            if error is None and self._stream:
                self.first_token_at = now
            self._tell(error, now - self._began)

    def _pause(self) -> None:
        if self._call is not None:
            self._call.pause()

    def _resume(self) -> None:
        if self._call is not None:
            self._call.resume()

    def _beat(self) -> None:
        exchange = self._exchange
        if exchange.disconnected or exchange.response_complete or not exchange.writable:
            return
        if not exchange.response_started:
            waited = self._gateway.loop.time() - self._sent_at
            self._record.status = 200
            self._record.overhead_ms = max(perf_counter() - exchange.started_at - waited, 0.0) * 1000
            exchange.head(200, [*_STREAM_HEADERS, *own_headers(self._record)], self._codec.heartbeat)
        elif self._last.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
            exchange.block(self._codec.heartbeat)

    def _answer_plain(self, headers: Headers) -> None:
        exchange, record = self._exchange, self._record
        record.status = self.status
        if exchange.response_started:
            self._break(UpstreamInvalid("The upstream answered a stream request without a stream"))
            return
        if self.on_answer is not None:
            self.on_answer(orjson.loads(self.translated))
        exchange.answer(self.status, headers, self.translated or self.body)
        if exchange.disconnected:
            record.status = 499
        if self.meter.error is not None:
            record.error = "upstream_error"
            self._finish(NO_USAGE, "none")
            return
        usage, text_bytes = self.meter.result(self.size)
        if usage is None and exchange.disconnected and self._evidence != "drained":
            text_bytes = 0  # it reached nobody
        self._settle(usage, text_bytes)

    def _end_stream(self) -> None:
        """A complete answer that was relayed block by block."""
        if isinstance(self._filter, StreamTranslator) and self._filter.failed is not None:
            self._record.error = self._record.error or "upstream_error"
        if not self._drain_until:
            if self._filter is not None:
                rest = self._filter.finish()
                if self.on_answer is not None and isinstance(self._filter, StreamTranslator):
                    self.on_answer(self._filter.answer())
                self._exchange.block(rest)
            self._exchange.end()
        elif self._filter is not None and self.meter.followed:
            self._filter.finish()
        self._settle_observed()
