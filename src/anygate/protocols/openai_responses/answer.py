"""OpenAI Responses, the answer: usage and delivered text read off bytes that travel untouched.

Source: https://platform.openai.com/docs/api-reference/responses/object and .../responses-streaming (2026-11-22).
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Observed
from anygate.protocols.json_values import as_object, as_objects, as_text, object_or_none, utf8_size
from anygate.protocols.lenient_json import UNREADABLE, last_object, load, load_object, unwrap_object
from anygate.protocols.observing import EventObserver
from anygate.protocols.openai_responses.usage import SEARCH, decode_usage
from anygate.protocols.sse import SseEvent
from anygate.protocols.wrapped_sse import WrappedSseDecoder

TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})

_ITEM_TEXTS = ("arguments", "input", "code")


class _Head(msgspec.Struct):
    """The parts of a response that money needs; everything else is skipped unread."""

    usage: dict[str, Any] | None = None
    error: Any = None
    output: msgspec.Raw = msgspec.Raw(b"[]")


class _Event(msgspec.Struct):
    """One event of a stream."""

    type: str = ""
    delta: Any = None
    item: msgspec.Raw = msgspec.Raw(b"null")
    response: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def observe_answer(body: bytes) -> Observed | None:
    """A complete plain answer, or None if it is no JSON object.

    One wrapped in base64, as some cloud gateways hand on, is unwrapped to be observed; such a wrapped one passes even where
    its text was cut off.
    """
    try:
        head = _decode_head(body)
        output = load(bytes(head.output)) if head.usage is None or SEARCH in bytes(head.output) else None
    except UNREADABLE:
        document = load_object(body)
        if document is None:
            inner = unwrap_object(body)
            return Observed(observe_tail(inner), 0) if inner is not None else None
        usage = document.get("usage")
        head = _Head(usage=object_or_none(usage), error=document.get("error"))
        output = document.get("output")
    if head.usage:
        return Observed(decode_usage(head.usage, output), 0, _error(head.error))
    return Observed(None, text_of_output(output), _error(head.error))


def observe_tail(tail: bytes) -> Usage | None:
    """The usage in the last bytes of a plain answer too large to be kept (images): it stands near the end."""
    usage = last_object(tail, "usage")
    return decode_usage(usage) if usage is not None else None


def decode_error(body: bytes) -> Mapping[str, Any] | None:
    """The `error` object of a refusal (or the whole body where it has none), or None where the body is no object.

    xAI writes `{"code": "...", "error": "words"}`.
    """
    document = load_object(body)
    if document is None:
        return None
    error = document.get("error", document)
    if isinstance(error, str):
        return {"message": error, "code": document.get("code")} if "code" in document else {"message": error}
    return object_or_none(error)


def text_of_output(output: Any) -> int:
    """UTF-8 bytes of generated text in `output`, of any shape."""
    total = 0
    for item in as_objects(output):
        total += sum(utf8_size(as_text(item.get(name))) for name in _ITEM_TEXTS)
        for name in ("content", "summary"):
            for part in as_objects(item.get(name)):
                total += utf8_size(as_text(part.get("text"))) + utf8_size(as_text(part.get("refusal")))
    return total


class StreamObserver(EventObserver[SseEvent]):
    """Reads usage and counts delivered text of an event stream."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(WrappedSseDecoder())

    def _look(self, events: list[SseEvent]) -> None:
        for name, data in events:
            try:
                event = _decode_event(data)
            except UNREADABLE:
                document = load_object(data)
                if document is None:
                    continue
                event = _lenient(document)
            self.chunks_seen = True
            self._take(event, event.type or name)

    def _take(self, event: _Event, kind: str) -> None:
        delta = event.delta
        if delta is not None and kind.endswith(".delta"):
            if isinstance(delta, str) and delta:
                self.tokens_seen = True
                self.text_bytes += 0 if kind == "response.audio.delta" else utf8_size(delta)
        elif kind == "response.output_item.done":
            self.tokens_seen = True
        elif kind in TERMINAL:
            self._end(event)
        elif kind == "error":
            self.error = _error_event(event)

    def _end(self, event: _Event) -> None:
        response = load_object(bytes(event.response)) or {}
        usage = as_object(response.get("usage"))
        if usage:
            self.usage = decode_usage(usage, response.get("output"))
        elif not self.text_bytes:
            self.text_bytes = text_of_output(response.get("output"))  # an upstream that sends no deltas
        self.tokens_seen = self.tokens_seen or bool(self.text_bytes)
        self.error = _error(response.get("error")) or self.error


def _lenient(document: Mapping[str, Any]) -> _Event:
    """An event with a field of a wrong type, or with text that is no strict JSON."""
    return _Event(
        type=as_text(document.get("type")),
        delta=document.get("delta"),
        response=msgspec.Raw(json.dumps(document.get("response")).encode()),
        error=document.get("error"),
        code=document.get("code"),
        message=document.get("message"),
        param=document.get("param"),
    )


def _error_event(event: _Event) -> Mapping[str, Any]:
    """What an `error` event says, in its own members or (some upstreams) in an object."""
    if isinstance(event.error, dict):
        return as_object(event.error)  # pyright: ignore[reportUnknownMemberType] any object
    message = as_text(event.message) or as_text(event.error)
    return {"message": message, "code": event.code, "param": event.param}


def _error(error: Any) -> Mapping[str, Any] | None:
    """An `error` field as an object; what is empty (null, "", {}) says that there was none."""
    if not error:
        return None
    return as_object(error) if isinstance(error, dict) else {"message": str(error)}
