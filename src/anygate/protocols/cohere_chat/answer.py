"""Cohere Chat, the answer: usage and delivered text read off bytes that travel untouched.

Source: https://docs.cohere.com/reference/chat and .../reference/chat-stream (2026-11-22).
"""

from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Observed
from anygate.protocols.cohere_chat.events import EventReader
from anygate.protocols.cohere_chat.usage import decode_usage
from anygate.protocols.json_values import Object, as_object, as_objects, as_text, utf8_size
from anygate.protocols.lenient_json import last_object, load_object
from anygate.protocols.observing import EventObserver


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


class StreamObserver(EventObserver[Object]):
    """Reads usage and counts delivered text of a stream."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(EventReader())

    def _look(self, events: list[Object]) -> None:
        for event in events:
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
