"""One request in canonical words: written for an upstream that speaks another protocol, its answer said in the client's."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import ChatEvent, Failed
from anygate.canonical.errors import GatewayError, ProtocolViolation, UpstreamRefusal
from anygate.protocols.chat_codec import (
    ChatCodec,
    ChatState,
    Dropped,
    Encoded,
    Reply,
    Source,
    StreamDecoder,
    StreamEncoder,
    Target,
    WatchedDecoder,
)
from anygate.protocols.fold import fold
from anygate.protocols.free_text_calls import FreeTextCalls, free_text_tools
from anygate.protocols.stop_watch import StopWatch
from anygate.providers import registry
from anygate.relay.signatures import SignatureWatch
from anygate.routing.directory import Line


def write_request(upstream: ChatCodec, chat: Chat, line: Line, limit: int | None) -> tuple[Encoded, bytes]:
    """A request in the words of the line's endpoint, and the body that says it there.

    Args:
        upstream: the endpoint's protocol.
        chat: what is asked.
        line: of whom.
        limit: output tokens to allow; None: as many as the protocol lets us leave open.

    Raises:
        UnsupportedContent: it cannot be carried there.
        TypeError: nothing is translated into this protocol.
    """
    if upstream.encode_request is None:
        raise TypeError("the upstream's protocol does not translate")
    provider = line.provider
    target = Target(
        model=line.model,
        maker=registry.maker(provider, line.endpoint),
        limit=limit,
        limit_field=provider.limit_field if upstream.limit_fields else "",
        max_output=line.max_output,
        traits=_traits(line),
    )
    encoded = upstream.encode_request(chat, target)
    return encoded, _dump(encoded, line)


class Translation:
    """What one attempt sends, and how its answer becomes the client's.

    Attributes:
        body: for the upstream.
        dropped: what its protocol cannot say.
    """

    def __init__(
        self,
        client: ChatCodec,
        upstream: ChatCodec,
        chat: Chat,
        line: Line,
        limit: int | None,
        reply: Reply,
        watch: SignatureWatch,
    ) -> None:
        """Write the request for the upstream.

        Args:
            client: the client's protocol.
            upstream: the upstream's.
            chat: what is asked.
            line: of whom.
            limit: output tokens that the hold pays for; None: the client's own limit holds.
            reply: what the answer must know of the request.
            watch: remembers the answer's signatures.

        Raises:
            UnsupportedContent: it cannot be carried there.
            TypeError: one of the codecs does not translate.
        """
        if client.encode_answer is None or client.stream_encoder is None:
            raise TypeError("the client's protocol does not translate")
        if upstream.decode_answer is None or upstream.stream_decoder is None:
            raise TypeError("the upstream's protocol does not translate")
        maker = registry.maker(line.provider, line.endpoint)
        encoded, self.body = write_request(upstream, chat, line, limit if limit is not None else chat.output_limit)
        self.dropped: Sequence[Dropped] = encoded.dropped
        self._stop = encoded.stop
        self._free_text = free_text_tools(chat.tools)
        self._watch = watch
        self._source = Source(maker, encoded.names)
        self._reply = reply._replace(maker=maker)
        self._state = client.state
        self._decode_answer, self._stream_decoder = upstream.decode_answer, upstream.stream_decoder
        self._encode_answer, self._stream_encoder = client.encode_answer, client.stream_encoder

    def answer(self, body: bytes) -> bytes:
        """A complete plain answer in the client's words.

        Raises:
            UpstreamRefusal: it says that the request failed.
            ProtocolViolation: it cannot be understood.
        """
        events = self._decode_answer(body, self._source)
        for event in events:
            if isinstance(event, Failed):
                raise refusal_of(event)
        self._watch.see(events)
        self._watch.done()
        if self._free_text:
            events = FreeTextCalls(self._free_text).feed(events)
        if self._stop:
            events = StopWatch(self._stop).feed(events)
        return self._encode_answer(fold(events), self._reply)

    def stream(self) -> "StreamTranslator":
        """For a stream."""
        stop = StopWatch(self._stop) if self._stop else None
        decoder, encoder = self._stream_decoder(self._source), self._stream_encoder(self._reply)
        calls = FreeTextCalls(self._free_text) if self._free_text else None
        return StreamTranslator(decoder, encoder, self._watch, stop, calls, self._state)


class StreamTranslator:
    """An upstream's stream in, the client's out. A `StreamFilter`.

    Attributes:
        failed: the error with which the upstream broke off.
        observer: sees what the decoder reads, where that can be watched.
    """

    def __init__(
        self,
        decoder: StreamDecoder,
        encoder: StreamEncoder,
        watch: SignatureWatch,
        stop: StopWatch | None,
        calls: FreeTextCalls | None,
        state: ChatState | None,
    ) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._watch = watch
        self._stop = stop
        self._calls = calls
        self._state = state
        self.failed: Failed | None = None
        self.observer = decoder.observer if isinstance(decoder, WatchedDecoder) else None

    def feed(self, block: bytes) -> bytes:
        """A block in any slicing -> frames for the client."""
        return self._say(self._decoder.feed(block))

    def finish(self) -> bytes:
        """The upstream's body is complete -> the last frames."""
        last = self._say(self._decoder.finish())
        self._watch.done()
        return last if self.failed is not None else last + self._encoder.finish()

    def answer(self) -> Mapping[str, Any]:
        """The answer object of the whole stream, where the client's protocol has such a thing."""
        return self._state.answer_of(self._encoder) if self._state is not None else {}

    def _say(self, events: list[ChatEvent]) -> bytes:
        self._watch.see(events)
        if self._calls is not None:
            events = self._calls.feed(events)
        if self._stop is not None:
            events = self._stop.feed(events)
        if not events or self.failed is not None:
            return b""
        last = events[-1]
        if isinstance(last, Failed):
            self.failed = last
        return self._encoder.feed(events)


def _traits(line: Line) -> frozenset[str]:
    """The provider's, and what the channel's options say of its dialect."""
    if registry.takes_stream_usage(line.provider, line.channel.options):
        return line.provider.traits
    return line.provider.traits | {"no_stream_options"}


def refusal_of(failed: Failed) -> GatewayError:
    """An upstream's own error as one of ours."""
    if 400 <= failed.status < 500:
        return UpstreamRefusal(failed.status, failed.message, failed.kind)
    return ProtocolViolation(failed.message)


_CODES = {
    404: ("not_found", "invalid_request_error"),
    408: ("request_timeout", "invalid_request_error"),
    413: ("request_too_large", "invalid_request_error"),
    429: ("rate_limit_exceeded", "rate_limit_exceeded"),
}


def refusal_by_status(status: int, error: Mapping[str, Any] | None, *, own: bool = False) -> GatewayError:
    """An upstream's refusal, decoded by its codec, as an error of ours with its words and status.

    Args:
        status: of the answer.
        error: what it says.
        own: in the client's own protocol: its code and its type mean something there.
    """
    said = error or {}
    message = said.get("message") or said.get("detail")
    text = message if isinstance(message, str) and message else f"The upstream answered with status {status}"
    code, kind = _CODES.get(status, ("invalid_request", "invalid_request_error"))
    if status >= 500:
        code, kind = "upstream_error", "server_error"
    if own:
        code, kind = str(said.get("code") or code), str(said.get("type") or kind)
    return UpstreamRefusal(status, text, code, kind)


def warning_text(dropped: Sequence[Dropped]) -> str:
    """The value of `x-anygate-warnings`: `parameter;reason` pairs in plain ASCII."""
    return ", ".join(dict.fromkeys(f"{_plain(item.parameter)};{_plain(item.reason)}" for item in dropped))


def _plain(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" and letter not in ",;" else "_" for letter in text)[:200]


def _dump(encoded: Encoded, line: Line) -> bytes:
    """The body, with what the endpoint and the channel set and drop."""
    document, endpoint, channel = encoded.document, line.endpoint, line.channel
    if endpoint.set_body or endpoint.drop_body or channel.set_body or channel.drop_body:
        gone = {*endpoint.drop_body, *channel.drop_body}
        kept = {name: value for name, value in document.items() if name not in gone}
        document = {**kept, **endpoint.set_body, **channel.set_body}
    return orjson.dumps(document)
