"""Canonical events -> the event stream of a Chat Completions answer.

Source: https://platform.openai.com/docs/api-reference/chat/streaming (2026-11-22). The usual chunk, a piece of text, is put
together from bytes made once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from anygate.canonical.blocks import Citation, Media, NativeBlock, Signature
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockKind,
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
from anygate.canonical.errors import UpstreamError
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply
from anygate.protocols.json_values import Object
from anygate.protocols.openai_chat.details import detail_for_client, google_extra
from anygate.protocols.openai_chat.encode_messages import can_be_cited, encode_citation
from anygate.protocols.openai_chat.finish import encode_finish
from anygate.protocols.openai_chat.generated_images import image_entry, markdown
from anygate.protocols.openai_chat.live_search import lists_citations
from anygate.protocols.openai_chat.message_encode import (
    encode_logprob,
    is_legacy,
    is_wrapped_custom,
    unwrapped_input,
)
from anygate.protocols.openai_chat.usage import encode_usage
from anygate.protocols.openai_errors import encode_stream_error
from anygate.protocols.signature_tag import tag


@dataclass(slots=True)
class _Block:
    """An open block.

    `call`: of a tool call, its number among the calls; `texts`: what must be kept to the end, of thoughts and of
    arguments that are unwrapped; `start`: of text, its place in the message, in characters.
    """

    kind: BlockKind
    id: str = ""
    redacted: bool = False
    call: int = 0
    custom: bool = False
    wrapped: bool = False
    start: int = 0
    texts: list[str] = field(default_factory=list[str])
    citations: list[Citation] = field(default_factory=list[Citation])
    signature: Signature | None = None


class _Choice:
    """The state of one choice, and the bytes around its text."""

    __slots__ = ("blocks", "calls", "details", "head", "length", "refused", "sound_named", "text_head", "thought_head")

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.text_head = head + b'{"content":'
        self.thought_head = head + b'{"reasoning_content":'
        self.blocks: dict[int, _Block] = {}
        self.calls = 0
        self.details = 0
        self.length = 0
        self.refused = False
        self.sound_named = False


class StreamEncoder:
    """One stream: a chunk with the role first, pieces, finish reasons, usage if the client asked for it, `[DONE]`."""

    __slots__ = (
        "_choices",
        "_cited",
        "_envelope",
        "_is_wrapped",
        "_legacy",
        "_no_usage",
        "_over",
        "_reply",
        "_tail",
        "_text_tail",
        "_usage",
    )

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._no_usage = b',"usage":null' if reply.chat.include_usage else b""
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._no_usage + b"}\n\n"
        self._text_tail = b"}" + self._tail
        self._envelope = b""
        self._legacy = is_legacy(reply)
        self._is_wrapped = is_wrapped_custom(reply)
        self._over = False
        self._cited: dict[str, None] | None = {} if lists_citations(reply.chat) else None

    def feed(self, events: Sequence[ChatEvent]) -> bytes:
        """Frames for the events; after a `Failed` an error frame, and nothing more."""
        out: list[bytes] = []
        for event in events:
            if self._over:
                break
            kind = type(event)
            if kind is TextDelta or kind is ThinkingDelta:
                self._piece(event, out)  # pyright: ignore[reportArgumentType] - narrowed by its type
            else:
                self._other(event, out)
        return b"".join(out)

    def finish(self) -> bytes:
        """The usage chunk and `[DONE]`; nothing where the stream failed."""
        if self._over:
            return b""
        self._over = True
        if not self._envelope:
            self._begin(Started())
        if self._usage is None or not self._reply.chat.include_usage:
            return b"data: [DONE]\n\n"
        usage = orjson.dumps(encode_usage(self._usage))
        return b'%b[],"usage":%b}\n\ndata: [DONE]\n\n' % (self._envelope, usage)

    def _begin(self, event: Started) -> None:
        reply = self._reply
        head = {
            "id": event.id or f"chatcmpl-{reply.id}",
            "object": "chat.completion.chunk",
            "created": event.created or reply.created,
            "model": event.model or reply.model,
        }
        self._envelope = b"data: " + orjson.dumps(head)[:-1] + b',"choices":'

    def _choice(self, index: int, out: list[bytes]) -> _Choice:
        """The state of a choice; its first chunk names the role."""
        choice = self._choices.get(index)
        if choice is None:
            if not self._envelope:
                self._begin(Started())
            choice = _Choice(b'%b[{"index":%d,"delta":' % (self._envelope, index))
            self._choices[index] = choice
            self._send(choice, {"role": "assistant", "content": "", "refusal": None}, out)
        return choice

    def _send(self, choice: _Choice, delta: Object, out: list[bytes]) -> None:
        out.append(choice.head + orjson.dumps(delta) + self._tail)

    def _piece(self, event: TextDelta | ThinkingDelta, out: list[bytes]) -> None:
        choice = self._choices.get(event.choice) or self._choice(event.choice, out)
        if type(event) is TextDelta:
            choice.length += len(event.text)
            if event.logprobs:
                self._piece_with_logprobs(event, choice, out)
            else:
                out.append(choice.text_head + orjson.dumps(event.text) + self._text_tail)
            return
        block = choice.blocks.get(event.block)
        if block is not None:
            block.texts.append(event.text)
        out.append(choice.thought_head + orjson.dumps(event.text) + self._text_tail)

    def _piece_with_logprobs(self, event: TextDelta, choice: _Choice, out: list[bytes]) -> None:
        logprobs = {"content": [encode_logprob(entry) for entry in event.logprobs], "refusal": None}
        parts = (choice.text_head, orjson.dumps(event.text), orjson.dumps(logprobs), self._no_usage)
        out.append(b'%b%b},"logprobs":%b,"finish_reason":null}]%b}\n\n' % parts)

    def _other(self, event: ChatEvent, out: list[bytes]) -> None:
        match event:
            case Started():
                self._begin(event)
                self._choice(0, out)
            case Used():
                self._usage = event.usage
            case Failed():
                self._over = True
                out.append(encode_stream_error(UpstreamError(event.message), ""))
            case Finished():
                self._finished(event, self._choice(event.choice, out), out)
            case BlockStarted():
                self._open(event, self._choice(event.choice, out), out)
            case BlockEnded():
                self._close(event, self._choice(event.choice, out), out)
            case _:
                self._within(event, self._choice(event.choice, out), out)

    def _within(self, event: ChatEvent, choice: _Choice, out: list[bytes]) -> None:
        """What stands within a block, text and thoughts aside."""
        match event:
            case ArgumentsDelta():
                self._arguments(event, choice, out)
            case RefusalDelta():
                choice.refused = True
                self._send(choice, {"refusal": event.text}, out)
            case MediaDelta():
                self._media(event.media, choice, out)
            case Signed() if event.block in choice.blocks:
                choice.blocks[event.block].signature = event.signature
            case Cited() if event.block in choice.blocks and can_be_cited(event.citation):
                choice.blocks[event.block].citations.append(event.citation)
                if self._cited is not None and event.citation.url:
                    self._cited[event.citation.url] = None
            case NativeItem(item=NativeBlock(text=str() as text)) if text:
                choice.length += len(text)
                self._send(choice, {"content": text}, out)
            case _:
                pass  # a search leaves no trace in this protocol

    def _finished(self, event: Finished, choice: _Choice, out: list[bytes]) -> None:
        reason = encode_finish(event, refusal_said=choice.refused, legacy=self._legacy)
        sources = b"" if self._cited is None else b',"citations":' + orjson.dumps(list(self._cited))
        parts = (choice.head, reason.encode(), self._no_usage, sources)
        out.append(b'%b{},"logprobs":null,"finish_reason":"%b"}]%b%b}\n\n' % parts)

    def _open(self, event: BlockStarted, choice: _Choice, out: list[bytes]) -> None:
        block = _Block(event.kind, event.id, event.redacted, start=choice.length)
        choice.blocks[event.block] = block
        if event.kind != "tool":
            return
        block.call, choice.calls = choice.calls, choice.calls + 1
        block.wrapped = not event.custom and self._is_wrapped(event.name)
        block.custom = event.custom or block.wrapped
        if self._legacy:
            if block.call == 0:
                self._send(choice, {"function_call": {"name": event.name, "arguments": ""}}, out)
            return
        kind, text = ("custom", "input") if block.custom else ("function", "arguments")
        call: Object = {"index": block.call, "id": event.id, "type": kind, kind: {"name": event.name, text: ""}}
        self._send(choice, {"tool_calls": [call]}, out)

    def _arguments(self, event: ArgumentsDelta, choice: _Choice, out: list[bytes]) -> None:
        block = choice.blocks.get(event.block)
        if block is None:
            return
        if block.wrapped:
            block.texts.append(event.text)  # free text can be cut out only of the whole
        else:
            self._send_arguments(block, event.text, choice, out)

    def _send_arguments(self, block: _Block, text: str, choice: _Choice, out: list[bytes]) -> None:
        if self._legacy:
            if block.call == 0:
                self._send(choice, {"function_call": {"arguments": text}}, out)
            return
        inner: Object = {"custom": {"input": text}} if block.custom else {"function": {"arguments": text}}
        self._send(choice, {"tool_calls": [{"index": block.call, **inner}]}, out)

    def _media(self, media: Media, choice: _Choice, out: list[bytes]) -> None:
        if media.kind == "audio":
            sound: Object = {}
            if media.id or not choice.sound_named:
                sound["id"] = media.id or f"audio_{self._reply.id}"
                choice.sound_named = True
            for name, value in (
                ("data", media.data),
                ("transcript", media.transcript),
                ("expires_at", media.expires_at),
            ):
                if value:
                    sound[name] = value
            self._send(choice, {"audio": sound}, out)
            return
        text = markdown(media)
        choice.length += len(text)
        delta: Object = {"content": text}
        if media.kind == "image":
            delta["images"] = [image_entry(media)]
        self._send(choice, delta, out)

    def _close(self, event: BlockEnded, choice: _Choice, out: list[bytes]) -> None:
        block = choice.blocks.pop(event.block, None)
        if block is None:
            return
        if block.wrapped:
            self._send_arguments(block, unwrapped_input("".join(block.texts)), choice, out)
        if block.citations:
            length = choice.length - block.start
            cited = [encode_citation(citation, block.start, length) for citation in block.citations]
            self._send(choice, {"annotations": cited}, out)
        if block.signature is not None:
            self._proof(block, block.signature, choice, out)

    def _proof(self, block: _Block, signature: Signature, choice: _Choice, out: list[bytes]) -> None:
        """The signature of a block, which its client hands back: thoughts are told once more as a whole with it."""
        if block.kind == "thinking":
            text = "".join(block.texts)
            entry = detail_for_client(text, signature, redacted=block.redacted, id=block.id, index=choice.details)
            choice.details += 1
            self._send(choice, {"reasoning_details": [entry]}, out)
        elif block.kind == "tool":
            if not self._legacy:
                kind, empty = ("custom", {"input": ""}) if block.custom else ("function", {"arguments": ""})
                call: Object = {"index": block.call, kind: empty}  # OpenAI's SDK breaks off on a piece without it
                call["extra_content"] = google_extra(tag(signature))
                self._send(choice, {"tool_calls": [call]}, out)
        else:
            self._send(choice, {"extra_content": google_extra(tag(signature))}, out)
