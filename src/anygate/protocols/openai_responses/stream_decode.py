"""A Responses stream -> events.

Blocks open with their first content, so an item that stays empty leaves no trace; the end of an item is only used for what
no delta told. Items of unknown types pass whole.
Source: https://platform.openai.com/docs/api-reference/responses-streaming (2026-11-22).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockKind,
    BlockStarted,
    ChatEvent,
    Cited,
    Failed,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
)
from anygate.protocols.chat_codec import Source
from anygate.protocols.json_values import as_object, as_objects, as_text
from anygate.protocols.lenient_json import UNREADABLE, load_object
from anygate.protocols.openai_responses.answer import TERMINAL
from anygate.protocols.openai_responses.answer_decode import started
from anygate.protocols.openai_responses.items import reasoning_text
from anygate.protocols.openai_responses.json_values import dumps
from anygate.protocols.openai_responses.output import (
    CALLS,
    call_start,
    cited,
    end_events,
    failure,
    item_events,
    part_events,
    signed,
)
from anygate.protocols.openai_responses.parts import decode_annotation, decode_logprobs
from anygate.protocols.wrapped_sse import WrappedSseDecoder

_NO_OBJECT = msgspec.Raw(b"null")


class _Event(msgspec.Struct):
    """What is read of any event."""

    type: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: str | None = None
    logprobs: list[Any] | None = None
    item: dict[str, Any] | None = None
    annotation: dict[str, Any] | None = None
    response: msgspec.Raw = _NO_OBJECT
    error: Any = None
    code: Any = None
    message: Any = None


_decode_event = msgspec.json.Decoder(_Event).decode


class _Block:
    """A block that has begun."""

    __slots__ = ("citations", "number", "section", "size")

    def __init__(self, number: int) -> None:
        self.number = number
        self.citations = 0
        self.section: tuple[str, int] | None = None  # which summary or thought was told last
        self.size = 0  # characters that the deltas told


class ResponsesStreamDecoder:
    """Fed in any slices; unknown events are skipped; never raises. See chat_codec.StreamDecoder."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sse = WrappedSseDecoder()
        self._blocks: dict[tuple[int, int], _Block] = {}  # open ones, by output index and content index
        self._next = 0
        self._finished_items: set[int] = set()
        self._ids: dict[int, str] = {}  # of items, as they were announced
        self._kinds: set[BlockKind] = set()
        self._begun = False
        self._ended = False

    def feed(self, block: bytes) -> list[ChatEvent]:
        """The events that are complete now."""
        out: list[ChatEvent] = []
        for name, data in self._sse.feed(block):
            self._take(name, data, out)
        return out

    def finish(self) -> list[ChatEvent]:
        """The body is over: the rest. A stream that broke off without its end gives `Failed` last."""
        out: list[ChatEvent] = []
        for name, data in self._sse.finish():
            self._take(name, data, out)
        if not self._ended:
            self._ended = True
            out.append(Failed("The upstream's stream ended before the answer was complete", "incomplete_stream"))
        return out

    def _take(self, name: str, data: bytes, out: list[ChatEvent]) -> None:
        event = None if self._ended else _read(data)
        if event is None:
            return
        kind = event.type or name
        if kind == "response.output_text.delta":
            self._text(event, out)
        elif kind.endswith(".delta"):
            self._delta(kind, event, out)
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._item(event.item or {}, event.output_index, out, done=kind.endswith(".done"))
        elif kind == "response.output_text.annotation.added":
            self._annotation(event, out)
        elif kind in TERMINAL:
            self._end(event, kind, out)
        elif kind == "response.created":
            self._begin(load_object(bytes(event.response)) or {}, out)
        elif kind == "error":
            self._ended = True
            told = event.error or {"message": event.message, "code": event.code}
            out.append(failure(told, "The upstream reports an error"))

    def _begin(self, response: Mapping[str, Any], out: list[ChatEvent]) -> None:
        if not self._begun:
            self._begun = True
            out.append(started(response))

    def _open(self, place: tuple[int, int], kind: BlockKind, out: list[ChatEvent], item_id: str = "") -> _Block:
        if not self._begun:
            self._begin({}, out)
        held = self._blocks[place] = _Block(self._next)
        self._next += 1
        self._kinds.add(kind)
        out.append(BlockStarted(held.number, kind, 0, item_id))
        return held

    def _text(self, event: _Event, out: list[ChatEvent]) -> None:
        if not event.delta:
            return
        place = (event.output_index, event.content_index)
        held = self._blocks.get(place) or self._open(place, "text", out)
        held.size += len(event.delta)
        if event.logprobs:
            out.append(TextDelta(held.number, event.delta, 0, decode_logprobs(event.logprobs)))
        else:
            out.append(TextDelta(held.number, event.delta))

    def _delta(self, kind: str, event: _Event, out: list[ChatEvent]) -> None:
        if not event.delta:
            return
        index = event.output_index
        match kind:
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                held = self._blocks.get((index, -1))
                if held is not None:  # else its item was not announced: the whole comes with its end
                    held.size += len(event.delta)
                    out.append(ArgumentsDelta(held.number, event.delta))
            case "response.reasoning_summary_text.delta":
                self._thought(index, ("summary", event.summary_index), event.delta, out)
            case "response.reasoning_text.delta":
                self._thought(index, ("content", event.content_index), event.delta, out)
            case "response.refusal.delta":
                place = (index, event.content_index)
                held = self._blocks.get(place) or self._open(place, "refusal", out)
                held.size += len(event.delta)
                out.append(RefusalDelta(held.number, event.delta))
            case _:
                pass

    def _thought(self, index: int, section: tuple[str, int], text: str, out: list[ChatEvent]) -> None:
        held = self._blocks.get((index, 0))
        if held is None:
            held = self._open((index, 0), "thinking", out, self._ids.get(index, ""))
        elif held.section not in (None, section):
            out.append(ThinkingDelta(held.number, "\n\n"))
            held.size += 2
        held.section = section
        held.size += len(text)
        out.append(ThinkingDelta(held.number, text))

    def _annotation(self, event: _Event, out: list[ChatEvent]) -> None:
        held = self._blocks.get((event.output_index, event.content_index))
        if held is not None and event.annotation is not None:
            held.citations += 1
            out.append(Cited(held.number, decode_annotation(event.annotation)))

    def _item(self, item: Mapping[str, Any], index: int, out: list[ChatEvent], *, done: bool) -> None:
        if index in self._finished_items:
            return
        kind = as_text(item.get("type"))
        if not done:
            self._ids[index] = as_text(item.get("id"))
            if kind in CALLS and item.get("name"):
                held = self._open((index, -1), "tool", out)
                out[-1] = call_start(item, held.number, self._source)
            return
        self._finished_items.add(index)
        opened = sorted(place for place in self._blocks if place[0] == index)
        if not opened:
            self._whole(item, out)
        elif kind == "message":
            self._end_message(item, index, out)
        else:
            held = self._blocks.pop(opened[0])
            if kind in CALLS:
                rest = as_text(item.get(CALLS[kind]))[held.size :]
                out += [ArgumentsDelta(held.number, rest)] if rest else []
            elif kind == "reasoning":
                rest = reasoning_text(item)[held.size :]
                out += [ThinkingDelta(held.number, rest)] if rest else []
                out += signed(item, held.number, self._source)
            out.append(BlockEnded(held.number))

    def _whole(self, item: Mapping[str, Any], out: list[ChatEvent]) -> None:
        """An item of which nothing was told before."""
        added = item_events(item, self._next, self._source)
        if added and not self._begun:
            self._begin({}, out)
        for event in added:
            if isinstance(event, BlockStarted):
                self._next += 1
                self._kinds.add(event.kind)
        out += added

    def _end_message(self, item: Mapping[str, Any], index: int, out: list[ChatEvent]) -> None:
        """End the parts that were told, in order (some upstreams count them otherwise than they list them)."""
        opened = sorted(place for place in self._blocks if place[0] == index)
        parts = [part for part in as_objects(item.get("content")) if part.get("text") or part.get("refusal")]
        for place, part in zip(opened, parts, strict=False):
            held = self._blocks.pop(place)
            if rest := as_text(part.get("text"))[held.size :]:
                out.append(TextDelta(held.number, rest))
            if rest := as_text(part.get("refusal"))[held.size :]:
                out.append(RefusalDelta(held.number, rest))
            out += cited(part, held.number, held.citations)
            out.append(BlockEnded(held.number))
        for part in parts[len(opened) :]:
            added = part_events(part, self._next)
            if added:
                self._next += 1
                self._kinds.add("refusal" if part.get("type") == "refusal" else "text")
                out += added
        self._close(opened[len(parts) :], out)

    def _end(self, event: _Event, kind: str, out: list[ChatEvent]) -> None:
        self._ended = True
        response = load_object(bytes(event.response)) or {}
        if not response.get("status"):
            response["status"] = kind.removeprefix("response.")
        self._begin(response, out)
        silent, opened = not self._next, {index for index, _ in self._blocks}
        for index, item in enumerate(as_objects(response.get("output"))):  # what the stream itself did not tell or end
            if silent or index in opened:
                self._item(item, index, out, done=True)
        self._close(list(self._blocks), out)
        out += end_events(response, called="tool" in self._kinds, refused="refusal" in self._kinds)

    def _close(self, places: Sequence[tuple[int, int]], out: list[ChatEvent]) -> None:
        """End blocks whose own end did not come."""
        for place in places:
            out.append(BlockEnded(self._blocks.pop(place).number))


def _read(data: bytes) -> _Event | None:
    try:
        return _decode_event(data)
    except UNREADABLE:
        document = load_object(data)
        return _lenient(document) if document is not None else None


def _lenient(document: Mapping[str, Any]) -> _Event:
    """An event with a field of a wrong type, or with text that is no strict JSON: what can be read of it."""

    def index(name: str) -> int:
        value = document.get(name)
        return value if type(value) is int else 0

    delta, logprobs = document.get("delta"), document.get("logprobs")
    return _Event(
        type=as_text(document.get("type")),
        output_index=index("output_index"),
        content_index=index("content_index"),
        summary_index=index("summary_index"),
        delta=delta if isinstance(delta, str) else None,
        logprobs=as_objects(logprobs),
        item=as_object(document.get("item")),
        annotation=as_object(document.get("annotation")) or None,
        response=msgspec.Raw(dumps(as_object(document.get("response")))),
        error=document.get("error"),
        code=document.get("code"),
        message=document.get("message"),
    )
