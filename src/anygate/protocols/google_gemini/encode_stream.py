"""Events -> a stream of Gemini frames, as server-sent events or as one JSON array.

Source: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent (2026-11-22).
"""

from collections.abc import Sequence
from typing import Any

import orjson

from anygate.canonical.blocks import Signature
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
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
from anygate.protocols.chat_codec import Reply
from anygate.protocols.google_gemini.answer_parts import (
    Part,
    call_part,
    media_part,
    shown_signature,
    shows_thoughts,
    signed,
)
from anygate.protocols.google_gemini.encode_answer import native_part
from anygate.protocols.google_gemini.errors import STATUS_NAMES, status_name
from anygate.protocols.google_gemini.finish import encode_finish
from anygate.protocols.google_gemini.grounding import GroundingEncoder
from anygate.protocols.google_gemini.logprobs import encode_logprobs
from anygate.protocols.google_gemini.usage import encode_usage

_BLOCK_REASONS = frozenset({"SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"})


class _Held:
    """A block that is sent whole: a call, or thoughts that are shown only if they are signed."""

    __slots__ = ("pieces", "signature", "start")

    def __init__(self, start: BlockStarted) -> None:
        self.start = start
        self.pieces: list[str] = []
        self.signature: Signature | None = None


class AnswerStreamEncoder:
    """The state of one stream. Finish reasons, citations and usage go out in one last frame."""

    __slots__ = (
        "_array",
        "_began",
        "_closed",
        "_finishes",
        "_grounding",
        "_held",
        "_reply",
        "_tail",
        "_thinking",
        "_thoughts",
        "_usage",
    )

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._array = reply.chat.extras.get("alt") == "array"
        self._thoughts = shows_thoughts(reply)
        self._began = False
        self._closed = False
        self._held: dict[tuple[int, int], _Held] = {}
        self._grounding: dict[int, GroundingEncoder] = {}
        self._finishes: list[Finished] = []
        self._usage: Usage | None = None
        self._thinking: set[tuple[int, int]] = set()
        self._tail = b""
        self._name("", "")

    def feed(self, events: Sequence[ChatEvent]) -> bytes:
        """Frames for the events; after a failure the frame that tells it, and nothing more."""
        out: list[bytes] = []
        last = len(events) - 1
        skip = False
        for index, event in enumerate(events):
            if skip or self._closed:
                skip = False
                continue
            if type(event) is TextDelta:
                following = events[index + 1] if index < last else None
                skip = isinstance(following, Signed) and following.block == event.block
                out.append(self._text(event, following.signature if isinstance(following, Signed) and skip else None))
            elif type(event) is MediaDelta:
                following = events[index + 1] if index < last else None
                skip = isinstance(following, Signed) and following.block == event.block
                part = media_part(event.media)
                if part is not None:
                    signature = following.signature if isinstance(following, Signed) and skip else None
                    out.append(self._part(signed(part, signature), event.choice))
            else:
                out.append(self._other(event))
        return b"".join(out)

    def finish(self) -> bytes:
        """The last frame with finish reasons and usage; the end of the array."""
        if self._closed:
            return b""
        self._closed = True
        out = [self._release(key) for key in sorted(self._held)]
        candidates: list[dict[str, Any]] = []
        for finish in sorted(self._finishes, key=lambda finish: finish.choice):
            candidate: dict[str, Any] = {"content": {"parts": [{"text": ""}], "role": "model"}}
            candidate |= encode_finish(finish)
            candidate["index"] = finish.choice
            grounding = self._grounding.get(finish.choice)
            candidates.append(candidate | grounding.members() if grounding is not None else candidate)
        body: dict[str, Any] = {"candidates": candidates} if candidates else {}
        if self._usage is not None:
            body["usageMetadata"] = encode_usage(self._usage)
        if body:
            out.append(self._frame(orjson.dumps(body)[:-1] + self._tail))
        if self._array:
            out.append(b"]" if self._began else b"[]")
        return b"".join(out)

    def _name(self, model: str, answer_id: str) -> None:
        names = {"modelVersion": model or self._reply.model, "responseId": answer_id or self._reply.id}
        self._tail = b"," + orjson.dumps(names)[1:]

    def _frame(self, body: bytes) -> bytes:
        if not self._array:
            self._began = True
            return b"data: %b\r\n\r\n" % body
        head = b",\r\n" if self._began else b"["
        self._began = True
        return head + body

    def _candidate(self, parts: bytes, choice: int, more: bytes = b"") -> bytes:
        index = b"%d" % choice
        return self._frame(
            b'{"candidates":[{"content":{"parts":['
            + parts
            + b'],"role":"model"},"index":'
            + index
            + more
            + b"}]"
            + self._tail
        )

    def _part(self, part: Part, choice: int) -> bytes:
        return self._candidate(orjson.dumps(part), choice)

    def _text(self, event: TextDelta, signature: Signature | None) -> bytes:
        choice = event.choice
        grounding = self._grounding.get(choice)
        if grounding is None:
            grounding = self._grounding[choice] = GroundingEncoder()
        grounding.text.add(event.block, event.text)
        part = b'{"text":' + orjson.dumps(event.text)
        part += b',"thoughtSignature":%b}' % orjson.dumps(shown_signature(signature)) if signature else b"}"
        if event.logprobs:
            return self._candidate(part, choice, b',"logprobsResult":' + orjson.dumps(encode_logprobs(event.logprobs)))
        return self._candidate(part, choice)

    def _other(self, event: ChatEvent) -> bytes:  # noqa: C901 - one case for each event
        match event:
            case Started():
                self._name(event.model, event.id)
                self._usage = event.usage or self._usage
            case Used():
                self._usage = event.usage
            case BlockStarted():
                if event.kind == "tool" or (event.kind == "thinking" and not self._thoughts):
                    self._held[event.choice, event.block] = _Held(event)
                elif event.kind == "thinking":
                    self._thinking.add((event.choice, event.block))
            case ThinkingDelta():
                return self._thought(event)
            case ArgumentsDelta():
                held = self._held.get((event.choice, event.block))
                if held is not None:
                    held.pieces.append(event.text)
            case RefusalDelta():
                return self._text(TextDelta(event.block, event.text, event.choice), None)
            case Signed():
                return self._sign(event)
            case BlockEnded():
                return self._release((event.choice, event.block))
            case NativeItem():
                part = native_part(event.item, event.block, self._grounded(event.choice))
                return self._part(part, event.choice) if part is not None else b""
            case Cited():
                self._grounded(event.choice).cite(event.block, event.citation)
            case Finished():
                self._finishes.append(event)
            case Failed():
                return self._fail(event)
            case _:
                pass  # text and media were seen to in feed
        return b""

    def _grounded(self, choice: int) -> GroundingEncoder:
        return self._grounding.setdefault(choice, GroundingEncoder())

    def _thought(self, event: ThinkingDelta) -> bytes:
        held = self._held.get((event.choice, event.block))
        if held is not None:
            held.pieces.append(event.text)
            return b""
        return self._part({"text": event.text, "thought": True}, event.choice) if self._thoughts else b""

    def _sign(self, event: Signed) -> bytes:
        held = self._held.get((event.choice, event.block))
        if held is not None:
            held.signature = event.signature
            return b""
        part: Part = {"text": ""}
        if (event.choice, event.block) in self._thinking:
            part["thought"] = True
        return self._part(signed(part, event.signature), event.choice)

    def _release(self, key: tuple[int, int]) -> bytes:
        """A held block is complete."""
        held = self._held.pop(key, None)
        if held is None:
            return b""
        start, text = held.start, "".join(held.pieces)
        if start.kind == "tool":
            return self._part(
                signed(call_part(start.id, start.name, text, custom=start.custom), held.signature), key[0]
            )
        if held.signature is None:
            return b""
        return self._part(signed({"text": text, "thought": True}, held.signature), key[0])

    def _fail(self, failed: Failed) -> bytes:
        self._closed = True
        if failed.kind == "content_filter" and not self._began:
            reason = failed.message.rpartition(" ")[2]
            body: dict[str, Any] = {"promptFeedback": {"blockReason": reason if reason in _BLOCK_REASONS else "OTHER"}}
            if self._usage is not None:
                body["usageMetadata"] = encode_usage(self._usage)
            frame = self._frame(orjson.dumps(body)[:-1] + self._tail)
        else:
            code = failed.status or 500
            name = failed.kind if failed.kind in STATUS_NAMES.values() else status_name(code)
            error = {"code": code, "message": failed.message, "status": name}
            frame = self._frame(orjson.dumps({"error": error}))
        return frame + b"]" if self._array else frame
