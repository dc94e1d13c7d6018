"""Anthropic Messages, the answer: usage and delivered text read off bytes that travel untouched.

Sources: https://docs.claude.com/en/api/messages, https://platform.claude.com/docs/en/api/messages-streaming (2026-11-22).
"""

import json
from collections.abc import Mapping
from typing import Any, cast

import msgspec
import orjson

from anygate.canonical.usage import Usage
from anygate.protocols.anthropic_messages.errors import shape_error
from anygate.protocols.anthropic_messages.usage import decode_usage, merge_usage
from anygate.protocols.chat_codec import Observed
from anygate.protocols.json_values import object_or_none, utf8_size
from anygate.protocols.lenient_json import UNREADABLE, last_object, load_object, unwrap_object
from anygate.protocols.observing import EventObserver
from anygate.protocols.sse import SseEvent
from anygate.protocols.wrapped_sse import WrappedSseDecoder

_DELTAS = ("text", "thinking", "partial_json")


class _Delta(msgspec.Struct):
    text: str = ""
    thinking: str = ""
    partial_json: str = ""


class _Message(msgspec.Struct):
    usage: dict[str, Any] | None = None
    content: Any = None
    stop_reason: Any = None


class _Block(msgspec.Struct):
    text: str = ""
    thinking: str = ""
    data: str = ""
    name: str = ""


class _Event(msgspec.Struct):
    """One event of a stream; what money does not need is skipped unread."""

    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_decode_event = msgspec.json.Decoder(_Event).decode


def observe_answer(body: bytes) -> Observed | None:
    """A complete plain answer (of `count_tokens` too, which has no usage), or None if it is no JSON object.

    A JSON answer wrapped in base64, as some cloud gateways hand on, is unwrapped to be observed; such a wrapped one passes
    even where its text was cut off.
    """
    document = load_object(body)
    if document is None:
        inner = unwrap_object(body)
        return Observed(observe_tail(inner), 0) if inner is not None else None
    error = shape_error(document.get("error")) or None
    usage = document.get("usage")
    if isinstance(usage, dict) and usage:
        return Observed(decode_usage(cast("dict[str, Any]", usage)), 0, error)
    return Observed(None, _text_of(document.get("content")), error)


def observe_tail(tail: bytes) -> Usage | None:
    """The usage in the last bytes of a plain answer too large to be kept: it stands near the end."""
    usage = last_object(tail, "usage")
    return decode_usage(usage) if usage is not None else None


class StreamObserver(EventObserver[SseEvent]):
    """Reads usage and counts delivered text of a stream.

    The input side of the usage comes with `message_start`, cumulative totals with `message_delta`.
    """

    __slots__ = ("_reported",)

    def __init__(self) -> None:
        super().__init__(WrappedSseDecoder())
        self._reported: dict[str, Any] = {}

    def _look(self, events: list[SseEvent]) -> None:
        for event in events:
            self.take(event.data)

    def take_delta(self, text: str, thinking: str, partial_json: str) -> None:
        """What a `content_block_delta` brings."""
        self.chunks_seen = True
        size = utf8_size(text)
        if thinking or partial_json:
            size += utf8_size(thinking) + utf8_size(partial_json)
        if size:
            self.text_bytes += size
            self.tokens_seen = True

    def take(self, data: bytes) -> None:
        """An event."""
        try:
            event = _decode_event(data)
        except UNREADABLE:
            document = load_object(data)
            if document is None:
                return
            event = _by_hand(document)
        self.chunks_seen = True
        delta, block = event.delta, event.content_block
        if delta is not None:
            self._count(utf8_size(delta.text) + utf8_size(delta.thinking) + utf8_size(delta.partial_json))
        elif block is not None:
            self._count(utf8_size(block.text) + utf8_size(block.thinking) + utf8_size(block.name))
            self.tokens_seen = self.tokens_seen or bool(block.data)
        # Only `message_delta` closes the account: a stream that broke before it is counted by its text. The input that
        # `message_start` told is kept for it, since some upstreams do not repeat it.
        if event.message is not None:
            self._begin(event.message)
        if event.usage:
            merge_usage(self._reported, event.usage)
            self.usage = decode_usage(self._reported)
        if event.error:
            self.error = shape_error(event.error)

    def _begin(self, message: _Message) -> None:
        merge_usage(self._reported, message.usage or {})
        if message.content or message.stop_reason:  # an answer that was known before it began comes whole
            self._count(_text_of(message.content))
            self.usage = decode_usage(self._reported)

    def _count(self, size: int) -> None:
        if size:
            self.text_bytes += size
            self.tokens_seen = True


def _by_hand(document: Mapping[str, Any]) -> _Event:
    """An event whose fields are not all of the types they should be: those that are."""
    delta, block, message = document.get("delta"), document.get("content_block"), document.get("message")
    usage = document.get("usage")
    return _Event(
        delta=_Delta(*_texts(delta, _DELTAS)),
        content_block=_Block(*_texts(block, ("text", "thinking", "data", "name"))),
        message=_by_hand_message(cast("dict[str, Any]", message)) if isinstance(message, dict) else None,
        usage=object_or_none(usage),
        error=document.get("error"),
    )


def _by_hand_message(message: Mapping[str, Any]) -> _Message:
    return _Message(object_or_none(message.get("usage")), message.get("content"), message.get("stop_reason"))


def _texts(value: Any, names: tuple[str, ...]) -> list[str]:
    value = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return [value[name] if isinstance(value.get(name), str) else "" for name in names]


def _text_of(content: Any) -> int:
    """UTF-8 bytes of what a model wrote in a message's content."""
    if not isinstance(content, list):
        return 0
    total = 0
    for block in cast("list[Any]", content):
        if isinstance(block, dict):
            block = cast("dict[str, Any]", block)
            total += sum(utf8_size(text) for text in _texts(block, ("text", "thinking", "name")))
            if isinstance(block.get("input"), dict):
                total += len(json.dumps(block["input"], ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return total


def count_answer(input_tokens: int) -> bytes:
    """The answer of `messages/count_tokens` by the gateway's own estimate, for upstreams that cannot count."""
    return orjson.dumps({"input_tokens": input_tokens})
