"""The blocks of an answer while they come: Cohere's own numbering -> canonical blocks, in the order of their beginning.

Citations name a stretch of a text that may have ended already, so a text block is closed only when another begins or the
answer ends. The plan that comes before tool calls is text: it is what other protocols put beside their calls.
"""

from typing import Literal

from anygate.canonical.blocks import Citation, TokenLogprob
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Cited,
    TextDelta,
    ThinkingDelta,
)
from anygate.protocols.chat_codec import Source
from anygate.protocols.json_values import Object, as_index, as_list, as_object, as_objects, as_text

NAME = "cohere.chat"

_Key = tuple[Literal["content", "plan", "call"], int]
_PLAN: _Key = ("plan", 0)


class Blocks:
    """The open blocks; each method appends the events that it causes."""

    __slots__ = ("_ended", "_filled", "_next", "_open", "_source", "_texts")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._next = 0
        self._open: dict[_Key, int] = {}
        self._ended: list[_Key] = []  # over, but citations may still come
        self._texts: list[_Key] = []  # keys of open text blocks, in order
        self._filled: set[_Key] = set()  # calls whose arguments have begun

    def content(self, index: int, part: Object, logprobs: tuple[TokenLogprob, ...], events: list[ChatEvent]) -> None:
        """Text or thoughts of a content block, which begins if it has not."""
        key: _Key = ("content", index)
        thought, text = as_text(part.get("thinking")), as_text(part.get("text"))
        if key not in self._open:
            thinks = part.get("type") == "thinking" or ("type" not in part and "thinking" in part)
            self._start(key, BlockStarted(self._next, "thinking" if thinks else "text"), events)
        number = self._open[key]
        if key in self._texts:
            if text or logprobs:
                events.append(TextDelta(number, text, logprobs=logprobs))
        elif thought:
            events.append(ThinkingDelta(number, thought))

    def end_content(self, index: int) -> None:
        """A content block is over."""
        key: _Key = ("content", index)
        if key in self._open:
            self._ended.append(key)

    def plan(self, text: str, events: list[ChatEvent]) -> None:
        """More of the plan."""
        if not text:
            return
        if _PLAN not in self._open:
            self._start(_PLAN, BlockStarted(self._next, "text"), events)
            self._ended.append(_PLAN)  # nothing says that it ends; the next block does
        events.append(TextDelta(self._open[_PLAN], text))

    def start_call(self, index: int, call: Object, events: list[ChatEvent]) -> None:
        """A tool call begins."""
        function = as_object(call.get("function"))
        name = as_text(function.get("name"))
        key: _Key = ("call", index)
        self._close(key, events)
        call_id = as_text(call.get("id")) or f"{name}_{index}"
        started = BlockStarted(self._next, "tool", id=call_id, name=self._source.names.get(name, name))
        self._start(key, started, events)
        self.more_of_call(index, call, events)

    def more_of_call(self, index: int, call: Object, events: list[ChatEvent]) -> None:
        """More arguments of a call; one that never began is passed over."""
        key: _Key = ("call", index)
        text = as_text(as_object(call.get("function")).get("arguments"))
        if text == "null" and key not in self._filled:
            return  # how some models write that there are none; see `end_call`
        if text and key in self._open:
            self._filled.add(key)
            events.append(ArgumentsDelta(self._open[key], text))

    def end_call(self, index: int, events: list[ChatEvent]) -> None:
        """A call is complete; a call without arguments streams none, and means an empty object."""
        key: _Key = ("call", index)
        if key in self._open and key not in self._filled:
            events.append(ArgumentsDelta(self._open[key], "{}"))
        self._close(key, events)

    def cite(self, citation: Object, events: list[ChatEvent]) -> None:
        """A citation, once for each of its sources; those of thoughts and of closed blocks have no place."""
        if citation.get("type") == "PLAN":
            key: _Key | None = _PLAN
        else:
            named: _Key = ("content", as_index(citation.get("content_index"), -1))
            contents = [key for key in self._texts if key != _PLAN]
            key = named if named in self._open else (contents[-1] if contents else None)
        if key not in self._texts or citation.get("type") == "THINKING_CONTENT":
            return
        for source in as_objects(citation.get("sources")) or [{}]:
            events.append(Cited(self._open[key], _citation(citation, source)))

    def end(self, events: list[ChatEvent]) -> None:
        """The answer is over."""
        for key in sorted(self._open, key=lambda key: self._open[key]):
            if key[0] == "call":
                self.end_call(key[1], events)
            else:
                self._close(key, events)

    def _start(self, key: _Key, started: BlockStarted, events: list[ChatEvent]) -> None:
        for ended in self._ended:
            self._close(ended, events)
        self._ended.clear()
        self._open[key] = self._next
        self._next += 1
        if started.kind == "text":
            self._texts.append(key)
        events.append(started)

    def _close(self, key: _Key, events: list[ChatEvent]) -> None:
        number = self._open.pop(key, None)
        if number is None:
            return
        if key in self._texts:
            self._texts.remove(key)
        self._filled.discard(key)
        events.append(BlockEnded(number))


def decode_logprobs(item: Object) -> tuple[TokenLogprob, ...]:
    """An entry of `logprobs`: a piece of text with one figure, or one for each of the tokens that make it."""
    figures = [value for value in as_list(item.get("logprobs")) if isinstance(value, int | float)]
    return (TokenLogprob(as_text(item.get("text")), float(sum(figures))),) if figures else ()


def _citation(citation: Object, source: Object) -> Citation:
    document = as_object(source.get("document")) or as_object(source.get("tool_output"))
    texts = (as_text(document.get(name)) for name in ("text", "snippet", "content"))
    return Citation(
        url=as_text(document.get("url")),
        title=as_text(document.get("title")) or as_text(source.get("id")),
        quote=next((text for text in texts if text), ""),
        start=as_index(citation.get("start"), -1),
        end=as_index(citation.get("end"), -1),
        protocol=NAME,
        raw={**citation, "sources": [source]} if source else citation,
    )
