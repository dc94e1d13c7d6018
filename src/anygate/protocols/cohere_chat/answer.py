"""Cohere Chat, the answer: usage and delivered text read off bytes that travel untouched.

Source: https://docs.cohere.com/reference/chat and .../reference/chat-stream (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any

from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Observed
from anygate.protocols.cohere_chat.events import EventReader
from anygate.protocols.cohere_chat.usage import decode_usage
from anygate.protocols.json_values import Object, as_object, as_objects, as_text, utf8_size
from anygate.protocols.lenient_json import last_object, load_object

FLUSH_BYTES = 16 * 1024
"""A stream's blocks are looked at this much at a time: the cost per event stays near nothing, memory is bounded."""


def observe_answer(body: bytes) -> Observed | None:
    """A complete plain answer, or None if it is no JSON object. One wrapped in base64 is unwrapped to be observed."""
    document = load_object(body)
    if document is None:
        return None
    said = document.get("message")
    error = {"message": said} if isinstance(said, str) else None
    usage = decode_usage(document.get("usage"))
    return Observed(usage, 0 if usage is not None else _text_of(as_object(said)), error)


def observe_tail(tail: bytes) -> Usage | None:
    """The usage in the last bytes of a plain answer too large to be kept: it stands near the end."""
    usage = last_object(tail, "usage")
    return decode_usage(usage) if usage is not None else None


class StreamObserver:
    """Reads usage and counts delivered text of a stream, whatever its blocks' boundaries."""

    __slots__ = ("_pending", "_pending_bytes", "_reader", "chunks_seen", "error", "text_bytes", "tokens_seen", "usage")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._reader = EventReader()
        self.usage: Usage | None = None
        self.text_bytes = 0
        self.chunks_seen = False  # an event that can be read has come
        self.tokens_seen = False  # something that a model generated has come
        self.error: Mapping[str, Any] | None = None

    def feed(self, block: bytes) -> bool:
        """Take a block; True when so much waits that `flush` is due."""
        self._pending.append(block)
        self._pending_bytes += len(block)
        return self._pending_bytes >= FLUSH_BYTES

    def flush(self) -> None:
        """Look into every complete event that has come."""
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        for event in self._reader.feed(data):
            self._take(event)

    def finish(self) -> None:
        """The stream is over: look into what is left, a last event without an end too."""
        self.flush()
        for event in self._reader.finish():
            self._take(event)

    def _take(self, event: Object) -> None:
        self.chunks_seen = True
        delta = as_object(event.get("delta"))
        size = _text_of_delta(as_object(delta.get("message")))
        if size:
            self.text_bytes += size
            self.tokens_seen = True
        self.usage = decode_usage(delta.get("usage")) or self.usage
        problem = delta.get("error") or (event.get("message") if "type" not in event else None)
        if problem:
            self.error = {"message": as_text(problem) or str(problem)}


def _text_of(message: Object) -> int:
    """UTF-8 bytes of what a model wrote in a whole message."""
    total = utf8_size(as_text(message.get("tool_plan")))
    for block in as_objects(message.get("content")):
        total += utf8_size(as_text(block.get("text"))) + utf8_size(as_text(block.get("thinking")))
    return total + sum(_text_of_call(call) for call in as_objects(message.get("tool_calls")))


def _text_of_delta(message: Object) -> int:
    """As `_text_of`, of an event's piece: there content and calls are one object each."""
    content = as_object(message.get("content"))
    total = utf8_size(as_text(message.get("tool_plan")))
    total += utf8_size(as_text(content.get("text"))) + utf8_size(as_text(content.get("thinking")))
    return total + _text_of_call(as_object(message.get("tool_calls")))


def _text_of_call(call: Object) -> int:
    function = as_object(call.get("function"))
    return utf8_size(as_text(function.get("name"))) + utf8_size(as_text(function.get("arguments")))
