"""An upstream's answer, plain or streamed -> canonical events.

Source: https://docs.cohere.com/reference/chat and .../reference/chat-stream (2026-11-22), recorded answers.
"""

from anygate.canonical.chat_events import ChatEvent, Failed, Finished, Started, StopReason, Used
from anygate.canonical.errors import ProtocolViolation
from anygate.protocols.chat_codec import Source
from anygate.protocols.cohere_chat.blocks import Blocks, decode_logprobs
from anygate.protocols.cohere_chat.events import EventReader
from anygate.protocols.cohere_chat.usage import decode_usage
from anygate.protocols.json_values import Object, as_index, as_object, as_objects, as_text
from anygate.protocols.lenient_json import load_object

_REASONS: dict[str, StopReason] = {
    "COMPLETE": "end",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_call",
    "ERROR_LIMIT": "window",
    "ERROR_TOXIC": "filtered",
}
_BROKEN = {"ERROR": 502, "TIMEOUT": 504}
"""A generation that failed half-way, and the status that would have told so."""


def decode_answer(body: bytes, source: Source) -> list[ChatEvent]:
    """The events of a plain answer (status 2xx); one wrapped in base64 is unwrapped.

    Raises:
        ProtocolViolation: no JSON object, no message, or a generation that failed.
    """
    document = load_object(body)
    if document is None:
        raise ProtocolViolation("the answer is no JSON object")
    message = as_object(document.get("message"))
    if not message:
        raise ProtocolViolation("the answer holds no message")
    events: list[ChatEvent] = [Started(as_text(document.get("id")))]
    blocks = Blocks(source)
    _whole(message, document, blocks, events)
    end = _end(as_text(document.get("finish_reason")), document, blocks, events)
    if isinstance(end, Failed):
        raise ProtocolViolation(end.message)
    return events


def _whole(message: Object, document: Object, blocks: Blocks, events: list[ChatEvent]) -> None:
    contents = as_objects(message.get("content"))
    citations = as_objects(message.get("citations"))
    texts = [index for index, part in enumerate(contents) if part.get("type") != "thinking"]
    logprobs = [entry for item in as_objects(document.get("logprobs")) for entry in decode_logprobs(item)]
    for index, part in enumerate(contents):
        blocks.content(index, part, tuple(logprobs) if index in texts[:1] else (), events)
        for citation in citations:
            place = as_index(citation.get("content_index"), texts[-1] if texts else -1)
            if place == index and citation.get("type") != "PLAN":
                blocks.cite(citation, events)
        blocks.end_content(index)
    blocks.plan(as_text(message.get("tool_plan")), events)
    for citation in citations:
        if citation.get("type") == "PLAN":
            blocks.cite(citation, events)
    for index, call in enumerate(as_objects(message.get("tool_calls"))):
        blocks.start_call(index, call, events)
        blocks.end_call(index, events)


def _end(reason: str, holder: Object, blocks: Blocks, events: list[ChatEvent]) -> Finished | Failed:
    """Close what is open, and say how it ended; `holder` has `usage` and perhaps `error`."""
    blocks.end(events)
    usage = decode_usage(holder.get("usage"))
    if reason in _BROKEN:
        if usage is not None:
            events.append(Used(usage))
        text = as_text(holder.get("error")) or "The provider could not finish the answer"
        end: Finished | Failed = Failed(text, reason, _BROKEN[reason])
        events.append(end)
        return end
    word = _REASONS.get(reason, "other")
    end = Finished(word, detail=reason if word == "other" else "")
    events.append(end)
    if usage is not None:
        events.append(Used(usage))
    return end


class StreamDecoder:
    """An event stream -> events. Unknown events are skipped."""

    __slots__ = ("_blocks", "_done", "_reader", "_started")

    def __init__(self, source: Source) -> None:
        self._reader = EventReader()
        self._blocks = Blocks(source)
        self._started = False
        self._done = False

    def feed(self, block: bytes) -> list[ChatEvent]:
        """The events that are complete now."""
        events: list[ChatEvent] = []
        for event in self._reader.feed(block):
            self._take(event, events)
        return events

    def finish(self) -> list[ChatEvent]:
        """The body is over: the rest; `Failed` last if the answer has no end."""
        events: list[ChatEvent] = []
        for event in self._reader.finish():
            self._take(event, events)
        if not self._done:
            self._fail(Failed("The provider's stream broke off"), events)
        return events

    def _take(self, event: Object, events: list[ChatEvent]) -> None:
        if self._done:
            return
        kind = event.get("type")
        if kind is None and isinstance(event.get("message"), str):  # a refusal's body in the middle of a stream
            self._fail(Failed(event["message"], as_text(event.get("error_type"))), events)
            return
        if not self._started:
            self._started = True
            events.append(Started(as_text(event.get("id"))))
        delta = as_object(event.get("delta"))
        if kind == "message-end":
            self._done = True
            _end(as_text(delta.get("finish_reason")), delta, self._blocks, events)
        else:
            self._piece(as_text(kind), event, as_object(delta.get("message")), events)

    def _piece(self, kind: str, event: Object, message: Object, events: list[ChatEvent]) -> None:
        index = as_index(event.get("index"))
        blocks = self._blocks
        match kind:
            case "content-start" | "content-delta":
                logprobs = decode_logprobs(as_object(event.get("logprobs")))
                blocks.content(index, as_object(message.get("content")), logprobs, events)
            case "content-end":
                blocks.end_content(index)
            case "tool-plan-delta":
                blocks.plan(as_text(message.get("tool_plan")), events)
            case "tool-call-start":
                blocks.start_call(index, as_object(message.get("tool_calls")), events)
            case "tool-call-delta":
                blocks.more_of_call(index, as_object(message.get("tool_calls")), events)
            case "tool-call-end":
                blocks.end_call(index, events)
            case "citation-start":
                blocks.cite(as_object(message.get("citations")), events)
            case _:
                pass  # `citation-end`, `debug`, and what may come

    def _fail(self, failure: Failed, events: list[ChatEvent]) -> None:
        self._done = True
        events.append(failure)
