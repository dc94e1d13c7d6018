"""An upstream's stream -> canonical events. Source: https://platform.claude.com/docs/en/api/messages-streaming (2026-11-22)."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

from anygate.canonical.blocks import Block, NativeBlock, Text, Thinking, ToolCall, WebSearchCall
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Cited,
    Failed,
    NativeItem,
    Signed,
    Started,
    TextDelta,
    ThinkingDelta,
    Used,
)
from anygate.canonical.errors import InvalidRequest
from anygate.canonical.usage import Usage
from anygate.protocols.anthropic_messages.answer import StreamObserver
from anygate.protocols.anthropic_messages.decode_answer import decode_failure, decode_finish, forced_format
from anygate.protocols.anthropic_messages.decode_blocks import (
    decode_citation,
    decode_content,
    free_text,
    search_call,
    signed,
    with_result,
)
from anygate.protocols.anthropic_messages.lenient import read_object
from anygate.protocols.anthropic_messages.stream_parts import (
    MOST_PIECES,
    OpenBlock,
    decode_delta,
    object_of,
    text_of,
    whole,
    with_input,
)
from anygate.protocols.anthropic_messages.usage import decode_usage, merge_usage
from anygate.protocols.anthropic_messages.words import PROTOCOL_NAME
from anygate.protocols.chat_codec import Source
from anygate.protocols.lenient_json import UNREADABLE
from anygate.protocols.wrapped_sse import WrappedSseDecoder

_MEMBERS: Mapping[str, str] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "signature_delta": "signature",
}
_USUAL = frozenset(_MEMBERS)


class StreamDecoder:
    """Fed in any slices; unknown events are skipped; never raises. A `chat_codec.WatchedDecoder`."""

    def __init__(self, source: Source) -> None:
        self.observer = StreamObserver()
        self._source = source
        self._sse = WrappedSseDecoder()
        self._open: dict[int, OpenBlock] = {}
        self._search: tuple[int, WebSearchCall] | None = None  # its results may still follow
        self._next = 0
        self._reported: dict[str, Any] = {}
        self._calls = False
        self._known: dict[str, Any] = {}  # a message that said at its beginning why it ends
        self._started = self._finished = self._over = False

    def feed(self, block: bytes) -> list[ChatEvent]:
        """The events that are complete now."""
        found: list[ChatEvent] = []
        for event in self._sse.feed(block):
            self._take(event.data, found)
        return found

    def finish(self) -> list[ChatEvent]:
        """The body is over: the rest. A stream that broke off without its end gives `Failed` last."""
        found: list[ChatEvent] = []
        for event in self._sse.finish():
            self._take(event.data, found)
        if not self._over and not self._finished:
            self._over = True
            found.append(Failed("the upstream's stream broke off"))
        return found

    def _take(self, data: bytes, found: list[ChatEvent]) -> None:
        if self._over:
            self.observer.take(data)
            return
        try:
            event = decode_delta(data)
        except UNREADABLE:
            self.observer.take(data)
            body = read_object(data)
            if body is not None:
                self._take_object(body, found)
            return
        delta = event.delta
        self.observer.take_delta(delta.text, delta.thinking, delta.partial_json)
        held = self._open.get(event.index)
        if held is None:
            return
        if delta.type == "text_delta" and held.kind == "text":
            if delta.text:
                found.append(TextDelta(held.number, delta.text))
        elif delta.type in _USUAL:
            self._grow(held, delta.type, delta.thinking or delta.partial_json or delta.signature, found)
        else:  # citations, and what is to come: their members are not read above
            body = read_object(data)
            if body is not None:
                self._delta(body, found)

    def _grow(self, held: OpenBlock, kind: str, text: str, found: list[ChatEvent]) -> None:
        if kind == "thinking_delta" and held.kind == "thinking":
            if text:
                found.append(ThinkingDelta(held.number, text))
        elif kind == "input_json_delta":
            self._take_input(held, text, found)
        elif kind == "signature_delta" and held.kind == "thinking" and text:
            signature = signed(text, self._source)
            if signature is not None:
                found.append(Signed(held.number, signature))
        elif kind == "text_delta" and held.kind == "text" and text:
            found.append(TextDelta(held.number, text))

    def _take_object(self, body: dict[str, Any], found: list[ChatEvent]) -> None:
        kind = body.get("type")
        take = self._TAKERS.get(kind) if isinstance(kind, str) else None
        if take is not None:
            take(self, body, found)
        elif kind is None and body.get("error"):
            self._error(body, found)

    def _start(self, body: dict[str, Any], found: list[ChatEvent]) -> None:
        if self._started:
            return
        self._started = True
        message = object_of(body, "message")
        usage = message.get("usage")
        seen: Usage | None = None
        if isinstance(usage, dict):
            merge_usage(self._reported, cast("dict[str, Any]", usage))
            seen = decode_usage(self._reported)
        found.append(Started(text_of(message, "id"), text_of(message, "model"), 0, seen))
        content = message.get("content")
        if isinstance(content, list):  # an answer that was known before it began comes whole
            for place, raw in enumerate(cast("list[Any]", content)):
                self._begin({"index": place, "content_block": raw}, found)
                self._end({"index": place}, found)
        self._known = message if message.get("stop_reason") is not None else {}

    def _begin(self, body: dict[str, Any], found: list[ChatEvent]) -> None:
        index, raw = body.get("index"), object_of(body, "content_block")
        if type(index) is not int or index in self._open or not isinstance(raw.get("type"), str):
            return
        if raw["type"] == "web_search_tool_result" and self._search is not None:
            number, call = self._search
            self._search = (number, with_result(call, raw))
            return
        self._flush_search(found)
        try:
            blocks = decode_content([whole(raw)], "content", self._source).blocks
        except InvalidRequest:
            return
        if blocks:
            self._next += 1
            self._open[index] = held = OpenBlock(self._next - 1, "native", raw)
            self._begin_block(held, blocks[0], found)

    def _begin_block(self, held: OpenBlock, block: Block, found: list[ChatEvent]) -> None:
        match block:
            case Text():
                self._begin_text(held, block, found)
            case Thinking():
                held.kind = "thinking"
                found.append(BlockStarted(held.number, "thinking", redacted=block.redacted))
                if block.text:
                    found.append(ThinkingDelta(held.number, block.text))
                if block.signature is not None:
                    found.append(Signed(held.number, block.signature))
            case ToolCall():
                self._calls = True
                held.kind = "custom" if block.custom else "call"
                held.given = block.arguments
                found.append(BlockStarted(held.number, "tool", id=block.id, name=block.name, custom=block.custom))
            case WebSearchCall():
                held.kind = "search"
            case _:
                pass

    def _begin_text(self, held: OpenBlock, block: Text, found: list[ChatEvent]) -> None:
        found.append(BlockStarted(held.number, "text"))
        if held.raw["type"] == "tool_use":
            held.kind, held.given = "answer", block.text
            return
        held.kind = "text"
        if block.text:
            found.append(TextDelta(held.number, block.text))
        found += [Cited(held.number, citation) for citation in block.citations]

    def _take_input(self, held: OpenBlock, text: str, found: list[ChatEvent]) -> None:
        if not text:
            return
        if held.kind == "call":
            held.given = ""
            held.size += len(text)
            found.append(ArgumentsDelta(held.number, text))
        elif held.kind == "answer":
            held.given = ""
            held.size += len(text)
            found.append(TextDelta(held.number, text))
        elif held.size < MOST_PIECES:
            held.pieces.append(text)
            held.size += len(text)

    def _delta(self, body: dict[str, Any], found: list[ChatEvent]) -> None:
        """A delta that is not the usual one, or not of the usual types."""
        index, delta = body.get("index"), object_of(body, "delta")
        held = self._open.get(index) if type(index) is int else None
        if held is None:
            return
        kind = delta.get("type")
        if kind == "citations_delta" and held.kind == "text":
            citation = object_of(delta, "citation")
            if citation:
                found.append(Cited(held.number, decode_citation(citation)))
        elif kind == "compaction_delta" and held.kind == "native":
            held.raw["content"] = text_of(held.raw, "content") + text_of(delta, "content")
        elif isinstance(kind, str) and kind in _MEMBERS:
            self._grow(held, kind, text_of(delta, _MEMBERS[kind]), found)

    def _end(self, body: dict[str, Any], found: list[ChatEvent]) -> None:
        index = body.get("index")
        held = self._open.pop(index, None) if type(index) is int else None
        if held is not None:
            self._close(held, found)

    def _close(self, held: OpenBlock, found: list[ChatEvent]) -> None:
        number = held.number
        if held.kind == "search":
            self._search = (number, search_call(with_input(held)))
            return
        if held.kind == "native":
            found.append(BlockStarted(number, "native"))
            found.append(NativeItem(number, NativeBlock(PROTOCOL_NAME, with_input(held))))
        elif held.kind == "call" and held.given:
            found.append(ArgumentsDelta(number, held.given))
        elif held.kind == "answer" and held.given:
            found.append(TextDelta(number, held.given))
        elif held.kind == "custom":
            given = free_text(with_input(held)["input"]) if held.pieces else held.given
            found.append(ArgumentsDelta(number, given))
        found.append(BlockEnded(number))

    def _flush_search(self, found: list[ChatEvent]) -> None:
        if self._search is not None:
            number, call = self._search
            self._search = None
            found += [BlockStarted(number, "native"), NativeItem(number, call), BlockEnded(number)]

    def _finish(self, body: dict[str, Any], found: list[ChatEvent]) -> None:
        delta = object_of(body, "delta")
        if delta.get("stop_reason") is not None and not self._finished:
            self._close_all(found)
            self._finished = True
            found.append(decode_finish(delta, forced_format(self._source) and not self._calls))
        usage = body.get("usage")
        if isinstance(usage, dict):
            merge_usage(self._reported, cast("dict[str, Any]", usage))
            found.append(Used(decode_usage(self._reported)))

    def _stop(self, body: dict[str, Any], found: list[ChatEvent]) -> None:
        if not self._finished:
            self._close_all(found)
            self._finished = True
            found.append(decode_finish(self._known, forced_format(self._source) and not self._calls))

    def _close_all(self, found: list[ChatEvent]) -> None:
        for held in self._open.values():
            self._close(held, found)
        self._open.clear()
        self._flush_search(found)

    def _error(self, body: dict[str, Any], found: list[ChatEvent]) -> None:
        self._over = True
        found.append(decode_failure(body))

    _TAKERS: ClassVar[Mapping[str, Callable[[Any, dict[str, Any], list[ChatEvent]], None]]] = {
        "message_start": _start,
        "content_block_start": _begin,
        "content_block_delta": _delta,
        "content_block_stop": _end,
        "message_delta": _finish,
        "message_stop": _stop,
        "error": _error,
    }
