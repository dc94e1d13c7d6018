"""Canonical events -> the bytes of a client's stream.

Source: https://platform.claude.com/docs/en/api/messages-streaming (2026-11-22): blocks follow one another, `usage` of
`message_delta` is cumulative, a thinking block ends with its signature.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import orjson

from anygate.canonical.blocks import Signature
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockPiece,
    BlockStarted,
    ChatEvent,
    Cited,
    Failed,
    Finished,
    MediaDelta,
    NativeItem,
    RefusalDelta,
    Signed,
    Started,
    TextDelta,
    ThinkingDelta,
    Used,
)
from anygate.canonical.usage import Usage
from anygate.protocols.anthropic_messages.carriers import Place, carrier
from anygate.protocols.anthropic_messages.encode_parts import (
    encode_citation,
    encode_item,
    encode_stop,
    is_foreign,
    media_as_text,
    message_id,
    shown,
)
from anygate.protocols.anthropic_messages.errors import encode_failure
from anygate.protocols.anthropic_messages.usage import encode_final_usage, encode_usage
from anygate.protocols.chat_codec import Reply
from anygate.protocols.sse import frame

_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTA_END = b"}}\n\n"
_BLOCK_END = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_MESSAGE_END = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_BlockEvent = BlockStarted | BlockPiece
_USUAL = (TextDelta, ThinkingDelta, ArgumentsDelta)


class StreamEncoder:
    """Writes one block at a time: what comes for others meanwhile waits until their turn."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._out: list[bytes] = []
        self._index = -1  # of the block that was written last
        self._now: BlockStarted | None = None  # the canonical block whose turn it is
        self._number = -1  # its number
        self._written = False  # it stands in the stream already
        self._prefix = b""  # of its usual delta
        self._custom: list[str] = []  # free text of a call, which goes out wrapped and whole
        self._signature: Signature | None = None  # of the open block
        self._carried = False  # it was written before the block
        self._after: tuple[Signature, Place] | None = None  # of a text that has ended, until another block follows
        self._waiting: dict[int, list[_BlockEvent]] = {}  # blocks that came while another was open, in order
        self._called = self._started = self._over = False
        self._finish: Finished | None = None
        self._usage: Usage | None = None

    def feed(self, events: Sequence[ChatEvent]) -> bytes:
        """Frames for the events; may be empty. After a `Failed` the error event, and nothing more."""
        out = self._out
        for place, event in enumerate(events):
            if isinstance(event, _USUAL) and self._prefix and event.block == self._number and not event.choice:
                out += (self._prefix, orjson.dumps(event.text), _DELTA_END)
            else:
                self._take(event, events[place + 1 :] if isinstance(event, BlockStarted) else ())
        data = b"".join(out)
        out.clear()
        return data

    def finish(self) -> bytes:
        """The events are over: terminal frames with stop reason and usage, if they were not sent yet."""
        if not self._over:
            self._end_message()
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _take(self, event: ChatEvent, later: Sequence[ChatEvent]) -> None:
        if self._over:
            return
        match event:
            case Started():
                self._start(event)
            case Finished():
                if event.choice == 0:
                    self._finish = event
            case Used():
                self._usage = event.usage
                if self._finish is not None:
                    self._end_message()
            case Failed():
                self._over = True
                self._prefix = b""
                self._out.append(encode_failure(event.message, event.kind, event.status))
            case _:
                if event.choice == 0:
                    self._take_block(event, later)

    def _start(self, event: Started) -> None:
        if self._started:
            return
        self._started = True
        message: dict[str, Any] = {
            "id": message_id(event.id, self._reply),
            "type": "message",
            "role": "assistant",
            "model": event.model or self._reply.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": encode_usage(event.usage or self._usage or Usage(input=self._reply.estimate)),
        }
        self._write("message_start", {"type": "message_start", "message": message})

    def _take_block(self, event: _BlockEvent, later: Sequence[ChatEvent]) -> None:
        self._start(Started())
        now = self._now
        if now is None:
            if isinstance(event, BlockStarted):
                self._begin(event, later)
        elif event.block == now.block:
            self._write_event(event)
            self._next()
        elif isinstance(event, BlockStarted):
            self._waiting[event.block] = [event]
        elif event.block in self._waiting:
            self._waiting[event.block].append(event)

    def _next(self) -> None:
        """When a block has ended, those that waited: whole ones are written, the first that still grows is now open."""
        while self._now is None and self._waiting:
            number = next(iter(self._waiting))
            first, *rest = self._waiting.pop(number)
            if isinstance(first, BlockStarted):
                self._begin(first, rest)
            for event in rest:
                self._write_event(event)

    def _begin(self, event: BlockStarted, later: Sequence[ChatEvent]) -> None:
        """It is the block's turn. Text is opened with its first letter, redacted thinking with its data."""
        self._now = event
        self._number = event.block
        self._written = self._carried = False
        self._prefix = b""
        self._signature = None
        self._custom.clear()
        if event.kind == "thinking" and not event.redacted:
            self._open({"type": "thinking", "thinking": "", "signature": ""}, b"thinking_delta", b"thinking")
        elif event.kind == "tool":
            self._called = True
            for known in later:  # a call that came whole has its signature with it
                if isinstance(known, Signed) and known.block == event.block:
                    self._carry(known.signature, "next")
                    self._carried = True
            call: dict[str, Any] = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
            self._open(call, b"input_json_delta", b"partial_json")
            if event.custom:
                self._prefix = b""

    def _open(self, body: Mapping[str, Any], kind: bytes, member: bytes) -> None:
        if (after := self._after) is not None:
            self._after = None
            self._carry(*after)
        self._index += 1
        self._written = True
        self._prefix = _DELTA % (self._index, kind, member)
        start = {"type": "content_block_start", "index": self._index, "content_block": body}
        self._write("content_block_start", start)

    def _write_event(self, event: _BlockEvent) -> None:
        writer = self._WRITERS.get(type(event))
        if writer is not None:
            writer(self, event)

    def _write_text(self, event: Any) -> None:
        now = self._now
        if now is None or not event.text:
            return
        if now.custom:
            self._custom.append(event.text)
            return
        if not self._written and now.kind in ("text", "refusal"):
            self._open({"type": "text", "text": ""}, b"text_delta", b"text")
        if self._prefix:
            self._out += (self._prefix, orjson.dumps(event.text), _DELTA_END)

    def _write_media(self, event: Any) -> None:
        words = media_as_text(event.media)
        if words:
            if not self._written:
                self._open({"type": "text", "text": ""}, b"text_delta", b"text")
            self._out += (self._prefix, orjson.dumps(words), _DELTA_END)

    def _write_signature(self, event: Any) -> None:
        if not self._carried:
            self._signature = event.signature

    def _write_citation(self, event: Any) -> None:
        citation = encode_citation(event.citation, self._reply.maker)
        if citation is None:
            return
        if not self._written:
            self._open({"type": "text", "text": ""}, b"text_delta", b"text")
        self._write_delta({"type": "citations_delta", "citation": citation})

    def _write_item(self, event: Any) -> None:
        for body in encode_item(event.item, self._reply, event.block):
            self._write_whole(body)

    def _write_whole(self, body: dict[str, Any]) -> None:
        """A block that is complete, in the events that it would have come in."""
        given = body.get("input")
        text = body.get("text")
        start: dict[str, Any] = {**body, "input": {}} if isinstance(given, dict) else body
        if body["type"] == "text":
            start = {**body, "text": ""}
        self._open(start, b"text_delta", b"text")
        if body["type"] == "text" and text:
            self._write_delta({"type": "text_delta", "text": text})
        if isinstance(given, dict) and given:
            self._write_delta({"type": "input_json_delta", "partial_json": orjson.dumps(given).decode()})
        self._out.append(_BLOCK_END % self._index)
        self._written = False
        self._prefix = b""

    def _write_end(self, event: Any) -> None:
        now, signature = self._now, self._signature
        if now is None:
            return
        if self._custom:
            wrapped = orjson.dumps({"input": "".join(self._custom)}).decode()
            self._write_delta({"type": "input_json_delta", "partial_json": wrapped})
        if now.kind == "thinking" and not now.redacted:
            self._write_delta({"type": "signature_delta", "signature": shown(signature)})
        elif now.kind == "thinking" and signature is not None:
            self._open({"type": "redacted_thinking", "data": shown(signature)}, b"", b"")
        was_written = self._written
        if was_written:
            self._out.append(_BLOCK_END % self._index)
        if now.kind == "text" and signature is not None:
            # Not at the end of an answer: clients take its last block for what it says, or cut thinking off there.
            self._after = (signature, "previous" if was_written else "alone")
        elif now.kind != "thinking":
            self._carry(signature, "previous" if was_written else "alone")
        self._now = None
        self._prefix = b""

    def _end_message(self) -> None:
        """Whatever is open is closed; then the stop reason, the usage and the end."""
        self._start(Started())
        while self._now is not None or self._waiting:
            self._write_end(None)
            self._next()
        self._over = True
        self._prefix = b""
        usage = self._usage or Usage(input=self._reply.estimate)
        delta = encode_stop(self._finish, self._called)
        self._write("message_delta", {"type": "message_delta", "delta": delta, "usage": encode_final_usage(usage)})
        self._out.append(_MESSAGE_END)

    def _carry(self, signature: Signature | None, place: Place) -> None:
        """Another provider's signature over a block that has no field for it."""
        if signature is not None and signature.value and is_foreign(signature):
            self._write_whole(carrier(signature, place))

    def _write_delta(self, delta: Mapping[str, Any]) -> None:
        self._write("content_block_delta", {"type": "content_block_delta", "index": self._index, "delta": delta})

    def _write(self, name: str, body: Mapping[str, Any]) -> None:
        self._out.append(frame(orjson.dumps(body), name))

    _WRITERS: ClassVar[Mapping[type, Callable[[Any, Any], None]]] = {
        TextDelta: _write_text,
        ThinkingDelta: _write_text,
        ArgumentsDelta: _write_text,
        RefusalDelta: _write_text,
        MediaDelta: _write_media,
        Signed: _write_signature,
        Cited: _write_citation,
        NativeItem: _write_item,
        BlockEnded: _write_end,
    }
