"""An upstream's answer, plain or streamed -> canonical events.

Source: https://platform.openai.com/docs/api-reference/chat/object and .../streaming (2026-11-22); oddities of others from
recorded answers: usage before or after the last choice, several finish reasons, errors in a stream of status 200.
"""

import re
from typing import Any

from anygate.canonical.chat_events import ChatEvent, Failed, Started, Used
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Source
from anygate.protocols.json_values import Object, as_list, as_object, as_objects, as_text
from anygate.protocols.lenient_json import unwrap
from anygate.protocols.openai_chat.answer_shape import Chunk, ChunkChoice, read_chunk, read_logprobs
from anygate.protocols.openai_chat.choice_reader import ChoiceReader
from anygate.protocols.openai_chat.fields import as_count
from anygate.protocols.openai_chat.finish import decode_finish
from anygate.protocols.openai_chat.usage import decode_usage
from anygate.protocols.sse import SseDecoder

_BROKEN = frozenset({"error", "network_error", "insufficient_system_resource"})
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9]")
_MOST_KEPT = 1 << 20


class AnswerReader:
    """Turns chunks into events, one choice at a time; a plain answer is one chunk.

    Attributes:
        failed: an error came; nothing after it counts.
    """

    __slots__ = ("_choices", "_is_plain", "_source", "_sources", "_started", "_usage", "failed")

    def __init__(self, source: Source, *, is_plain: bool = False) -> None:
        self._source = source
        self._is_plain = is_plain
        self._choices: dict[int, ChoiceReader] = {}
        self._started: Started | None = None
        self._usage: Usage | None = None
        self._sources: list[Object] = []
        self.failed = False

    @property
    def has_choices(self) -> bool:
        """A choice has begun."""
        return bool(self._choices)

    @property
    def is_complete(self) -> bool:
        """Every choice that came has its finish reason."""
        return bool(self._choices) and all(choice.finish_reason for choice in self._choices.values())

    def take(self, chunk: Chunk, events: list[ChatEvent]) -> None:
        """A chunk; its events are appended."""
        if chunk.usage is not None or chunk.x_groq is not None:
            self._use(chunk)
        if chunk.error:
            self.fail(_failure(chunk.error), events)
            return
        if chunk.citations is not None or chunk.search_results is not None:
            self._sources = _sources(chunk) or self._sources
        for choice in chunk.choices or ():
            if self._started is None:
                self._started = Started(as_text(chunk.id), as_text(chunk.model), as_count(chunk.created))
                events.append(self._started)
            self._take_choice(choice, events)
            if self.failed:
                return

    def _take_choice(self, choice: ChunkChoice, events: list[ChatEvent]) -> None:
        index = as_count(choice.index)
        reader = self._choices.get(index)
        if reader is None:
            made_by = _NOT_IN_IDS.sub("", self._started.id if self._started else "")[-24:]
            prefix = f"call_{made_by}_{index}_"
            reader = self._choices[index] = ChoiceReader(index, self._source.maker, self._source.names, prefix)
        # Perplexity sends both, the other one empty or with all that was said so far.
        delta = choice.message or choice.delta if self._is_plain else choice.delta or choice.message
        if delta is not None:
            reader.take(delta, read_logprobs(choice.logprobs) if choice.logprobs else (), events)
        reason = choice.finish_reason
        if reason and isinstance(reason, str):
            if reason in _BROKEN:
                self.fail(Failed(f"The provider broke off: {reason}", reason), events)
                return
            reader.finish_reason = reader.finish_reason or reason
            reader.stop_reason = choice.stop_reason

    def end(self, events: list[ChatEvent]) -> None:
        """The answer is complete: blocks are closed, choices finished, usage told."""
        for index in sorted(self._choices):
            choice = self._choices[index]
            choice.cite_sources(self._sources, events)
            choice.end(events)
            called, refused = choice.calls.any, choice.refused
            events.append(
                decode_finish(choice.finish_reason, index, called=called, refused=refused, sequence=choice.stop_reason)
            )
        if self._usage is not None:
            events.append(Used(self._usage))

    def fail(self, failure: Failed, events: list[ChatEvent]) -> None:
        """The answer broke off."""
        self.failed = True
        if self._usage is not None:
            events.append(Used(self._usage))
        events.append(failure)

    def _use(self, chunk: Chunk) -> None:
        usage = as_object(chunk.usage) or as_object(as_object(chunk.x_groq).get("usage"))
        if usage:
            self._usage = decode_usage(usage)


def decode_answer(body: bytes, source: Source) -> list[ChatEvent]:
    """The events of a plain answer (status 2xx); one wrapped in base64, as some cloud gateways hand on, is unwrapped.

    Raises:
        ProtocolViolation: no JSON object, an error, or without choices.
    """
    chunk = read_chunk(body)
    if chunk is None:
        raise ProtocolViolation("the answer is no JSON object")
    events: list[ChatEvent] = []
    reader = AnswerReader(source, is_plain=True)
    reader.take(chunk, events)
    if reader.failed:
        raise ProtocolViolation(next(event.message for event in events if isinstance(event, Failed)))
    if not chunk.choices:
        raise ProtocolViolation("the answer has no choices")
    reader.end(events)
    return events


class StreamDecoder:
    """An event stream -> events. A whole stream in base64 is unwrapped."""

    __slots__ = ("_done", "_kept", "_kept_bytes", "_reader", "_seen", "_sse")

    def __init__(self, source: Source) -> None:
        self._sse = SseDecoder()
        self._reader = AnswerReader(source)
        self._done = False
        self._seen = False  # an event has come
        self._kept: list[bytes] = []  # the stream's start, while nothing in it is an event
        self._kept_bytes = 0

    def feed(self, block: bytes) -> list[ChatEvent]:
        """The events that are complete now."""
        events: list[ChatEvent] = []
        if not self._seen and self._kept_bytes < _MOST_KEPT:
            self._kept.append(block)
            self._kept_bytes += len(block)
        for event in self._sse.feed(block):
            self._take(event.data, events)
        return events

    def finish(self) -> list[ChatEvent]:
        """The body is over: the rest; `Failed` last if the answer has no end."""
        events: list[ChatEvent] = []
        for event in self._sse.finish():
            self._take(event.data, events)
        if not self._seen:
            for line in b"".join(self._kept).splitlines():
                inner = unwrap(line) if line else None
                if inner is not None and b"data:" in inner:
                    self._sse = SseDecoder()
                    for event in (*self._sse.feed(inner), *self._sse.finish()):
                        self._take(event.data, events)
        self._kept.clear()
        if not self._done and not self._reader.failed:
            self._done = True
            if self._reader.is_complete:
                self._reader.end(events)
            else:
                self._reader.fail(Failed("The provider's stream broke off"), events)
        return events

    def _take(self, data: bytes, events: list[ChatEvent]) -> None:
        if self._done or self._reader.failed:
            return
        if data.strip() == b"[DONE]":
            self._seen = self._done = True
            if self._reader.has_choices:
                self._reader.end(events)
            else:
                self._reader.fail(Failed("The provider's stream holds no answer"), events)
            return
        chunk = read_chunk(data)
        if chunk is not None:
            if not self._seen:
                self._seen = True
                self._kept.clear()
            self._reader.take(chunk, events)


def _failure(error: Any) -> Failed:
    """An `error` member of any shape."""
    body = as_object(error)
    if not body:
        return Failed(str(error)[:1000])
    code = body.get("code")
    status = code if type(code) is int and 400 <= code <= 599 else as_count(body.get("status_code"))
    kind = as_text(body.get("type")) or as_text(code)
    return Failed(as_text(body.get("message")) or "The provider broke off with an error", kind, status)


def _sources(chunk: Chunk) -> list[Object]:
    """Perplexity's sources: `search_results` [{title, url}], else `citations` [url]."""
    found = [entry for entry in as_objects(chunk.search_results) if as_text(entry.get("url"))]
    if found:
        return [{"url": entry["url"], "title": as_text(entry.get("title"))} for entry in found]
    return [{"url": url, "title": ""} for url in as_list(chunk.citations) if isinstance(url, str) and url]
