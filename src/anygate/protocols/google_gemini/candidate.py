"""One candidate of an answer while its parts come in -> events of its choice."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, cast

import orjson

from anygate.canonical.blocks import Citation, Media, Signature, WebSearchCall
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockKind,
    BlockStarted,
    ChatEvent,
    Cited,
    Finished,
    MediaDelta,
    NativeItem,
    Signed,
    TextDelta,
    ThinkingDelta,
)
from anygate.protocols.chat_codec import Source
from anygate.protocols.google_gemini.finish import NUMBERED_REASONS, decode_finish
from anygate.protocols.google_gemini.grounding import citations_of, recitations_of, searches_of
from anygate.protocols.google_gemini.logprobs import decode_logprobs
from anygate.protocols.google_gemini.names import made_id
from anygate.protocols.google_gemini.native_parts import native_item, queries_of
from anygate.protocols.google_gemini.partial_args import PartialArgs
from anygate.protocols.google_gemini.visible import Place, VisibleText
from anygate.protocols.json_values import as_objects
from anygate.protocols.media_type import kind_of, sniff

Body = Mapping[str, Any]


class Candidate:
    """The state of one choice.

    Text joins the open block of its kind; a signed part is a block of its own, because its signature must come back on that
    part. A block stays open until the next one begins, so that citations still reach it.
    """

    __slots__ = (
        "_answer_id",
        "_calls",
        "_choice",
        "_cited",
        "_kind",
        "_mime",
        "_next",
        "_partial",
        "_recitations",
        "_sealed",
        "_searched",
        "_searches",
        "_signed",
        "_source",
        "_tail",
        "_text",
        "message",
        "reason",
    )

    def __init__(self, choice: int, answer_id: str, source: Source) -> None:
        self._choice = choice
        self._answer_id = answer_id
        self._source = source
        self._next = 0  # the number of the next block; the open one is one less
        self._kind: BlockKind | None = None  # of the open block
        self._sealed = False  # the open block takes no more
        self._calls = 0
        self._partial: PartialArgs | None = None
        self._signed = ""  # the signature of the call that comes in pieces
        self._mime = ""  # of the open sound
        self._tail = b""  # bytes of it that do not fill three yet: base64 can be appended only at such places
        self._text = VisibleText()
        self._searches: dict[str, WebSearchCall] = {}
        self._searched: set[str] = set()
        self._recitations: Body | None = None
        self._cited: set[tuple[Place, str, str]] = set()
        self.reason = ""
        self.message = ""

    def more(self, text: str) -> TextDelta | None:
        """More of the text that is open; None: it is not."""
        if self._kind != "text" or self._sealed:
            return None
        self._text.add(self._next - 1, text)
        return TextDelta(self._next - 1, text, self._choice)

    def take(self, body: dict[str, Any], events: list[ChatEvent]) -> None:
        """A frame's view of the candidate; its events are appended."""
        content = body.get("content")
        parts: Any = cast("dict[str, Any]", content).get("parts") if isinstance(content, dict) else None
        self._take_whole(body, as_objects(parts), events)

    def _take_whole(self, body: Body, parts: list[dict[str, Any]], events: list[ChatEvent]) -> None:
        grounding = body.get("groundingMetadata")
        grounding = cast("dict[str, Any]", grounding) if isinstance(grounding, dict) and grounding else None
        late = any(part.get("text") and not part.get("thought") for part in parts)
        if grounding is not None and not late:
            self._ground(grounding, [], events)
        base: list[int] = []
        size = self._text.size_bytes() if grounding is not None else 0
        for part in parts:
            base.append(size)
            self._part(part, events)
            if grounding is not None:
                size = self._text.size_bytes()
        if isinstance(body.get("logprobsResult"), dict):
            self._attach_logprobs(body["logprobsResult"], events)
        if grounding is not None and late:
            self._ground(grounding, base, events)
        recitations = body.get("citationMetadata")
        if isinstance(recitations, dict) and recitations:
            self._recitations = cast("dict[str, Any]", recitations)
        reason, message = body.get("finishReason"), body.get("finishMessage")
        if type(reason) is int:
            reason = NUMBERED_REASONS.get(reason, "OTHER")
        if isinstance(reason, str) and reason != "FINISH_REASON_UNSPECIFIED":
            self.reason = reason
        if isinstance(message, str):
            self.message = message

    def close(self, events: list[ChatEvent]) -> None:
        """No more parts: what is open ends, and the searches follow."""
        if self._recitations is not None:
            self._cite(recitations_of(self._recitations, self._text), events)
        self._end(events)
        for search in self._searches.values():
            block = self._begin("native", events)
            events.append(NativeItem(block, search, self._choice))
        self._end(events)

    def finished(self) -> Finished:
        """How it ended."""
        return decode_finish(self.reason or "STOP", self.message, self._choice, called=self._calls > 0)

    def _begin(
        self, kind: BlockKind, events: list[ChatEvent], call_id: str = "", name: str = "", *, sealed: bool = True
    ) -> int:
        self._end(events)
        block = self._next
        self._next += 1
        self._kind, self._sealed = kind, sealed
        events.append(BlockStarted(block, kind, self._choice, call_id, name))
        return block

    def _end(self, events: list[ChatEvent]) -> None:
        if self._kind is None:
            return
        block = self._next - 1
        if self._partial is not None:
            events.append(ArgumentsDelta(block, orjson.dumps(self._partial.value).decode(), self._choice))
            self._sign(block, self._signed, events)
            self._partial, self._signed = None, ""
        if self._tail:
            rest = base64.b64encode(self._tail).decode()
            events.append(MediaDelta(block, Media("audio", self._mime, rest), self._choice))
            self._tail = b""
        self._kind = None
        events.append(BlockEnded(block, self._choice))

    def _sign(self, block: int, value: Any, events: list[ChatEvent]) -> None:
        if isinstance(value, str) and value:
            events.append(Signed(block, Signature(value, self._source.maker), self._choice))
            self._sealed = True

    def _part(self, part: dict[str, Any], events: list[ChatEvent]) -> None:
        text, signature = part.get("text"), part.get("thoughtSignature")
        if (
            isinstance(text, str)
            or (len(part) == 1 and signature)
            or (len(part) == 2 and signature and "thought" in part)
        ):
            self._text_part(text if isinstance(text, str) else "", part.get("thought") is True, signature, events)
        elif isinstance(part.get("functionCall"), dict):
            self._call(part["functionCall"], signature, events)
        elif isinstance(part.get("inlineData"), dict) and part.get("thought") is not True:  # a sketch is no answer
            self._media(part["inlineData"], signature, events)
        elif isinstance(part.get("fileData"), dict):
            self._file(part["fileData"], signature, events)
        else:
            item = native_item(part)
            if item is not None:
                block = self._begin("native", events)
                events.append(NativeItem(block, item, self._choice))
                self._searched.update(queries_of(part))

    def _text_part(self, text: str, thought: bool, signature: Any, events: list[ChatEvent]) -> None:
        signed = isinstance(signature, str) and bool(signature)
        if not text and not signed:
            return
        kind: BlockKind = "thinking" if thought else "text"
        # A signed text is a block of its own; thoughts are only ever shown, so their signature may end the open block.
        if self._kind != kind or self._sealed or (signed and not thought):
            self._begin(kind, events, sealed=False)
        block = self._next - 1
        if text and thought:
            events.append(ThinkingDelta(block, text, self._choice))
        elif text:
            self._text.add(block, text)
            events.append(TextDelta(block, text, self._choice))
        self._sign(block, signature, events)

    def _call(self, call: dict[str, Any], signature: Any, events: list[ChatEvent]) -> None:
        name, args = call.get("name"), call.get("args")
        pieces = as_objects(call.get("partialArgs"))
        args = cast("dict[str, Any]", args) if isinstance(args, dict) else {}
        if self._partial is None and not name:
            return
        if self._partial is None or (isinstance(name, str) and name):
            name = name if isinstance(name, str) else ""
            given = call.get("id")
            call_id = given if isinstance(given, str) and given else made_id(self._answer_id, self._choice, self._calls)
            self._calls += 1
            block = self._begin("tool", events, call_id, self._source.names.get(name, name))
            if call.get("willContinue") is not True and not pieces:
                events.append(ArgumentsDelta(block, orjson.dumps(args).decode(), self._choice))
                self._sign(block, signature, events)
                return
            self._partial = PartialArgs(args)
        else:
            self._partial.value |= args
        if isinstance(signature, str) and signature:
            self._signed = signature
        for piece in pieces:
            self._partial.take(piece)
        if call.get("willContinue") is not True:
            self._end(events)

    def _media(self, blob: dict[str, Any], signature: Any, events: list[ChatEvent]) -> None:
        data, mime = blob.get("data"), blob.get("mimeType")
        if not isinstance(data, str) or not data:
            return
        mime = mime if isinstance(mime, str) and mime else sniff(data)
        kind = kind_of(mime)
        if kind == "audio":
            self._sound(data, mime, events)
        else:
            self._begin("media", events)
            events.append(MediaDelta(self._next - 1, Media(kind, mime, data), self._choice))
        self._sign(self._next - 1, signature, events)

    def _sound(self, data: str, mime: str, events: list[ChatEvent]) -> None:
        """Sound comes in pieces, each padded for itself; ours can be appended."""
        if self._kind != "media" or self._sealed or mime != self._mime:
            self._begin("media", events, sealed=False)
            self._mime = mime
        try:
            raw = self._tail + base64.b64decode(data)
        except (binascii.Error, ValueError):
            return  # no sound is in it
        whole = len(raw) // 3 * 3
        self._tail = raw[whole:]
        if whole:
            piece = Media("audio", mime, base64.b64encode(raw[:whole]).decode())
            events.append(MediaDelta(self._next - 1, piece, self._choice))

    def _file(self, file: dict[str, Any], signature: Any, events: list[ChatEvent]) -> None:
        url, mime = file.get("fileUri"), file.get("mimeType")
        if not isinstance(url, str) or not url:
            return
        mime = mime if isinstance(mime, str) else ""
        block = self._begin("media", events)
        events.append(MediaDelta(block, Media(kind_of(mime), mime, url=url), self._choice))
        self._sign(block, signature, events)

    def _ground(self, metadata: dict[str, Any], base: list[int], events: list[ChatEvent]) -> None:
        self._cite(citations_of(metadata, self._text, base), events)
        for search in searches_of(metadata):
            if search.query in self._searched:
                continue  # the part that made the search told it already
            self._searches.setdefault(search.query, search)

    def _cite(self, citations: list[tuple[Place, Citation]], events: list[ChatEvent]) -> None:
        """Streams repeat their citations; each is told once."""
        for place, citation in citations:
            key = (place, citation.url, citation.title)
            if key not in self._cited:
                self._cited.add(key)
                events.append(Cited(place.block, citation, self._choice))

    def _attach_logprobs(self, result: dict[str, Any], events: list[ChatEvent]) -> None:
        """A frame's log probabilities belong to the text in it."""
        logprobs = decode_logprobs(result)
        last = next((event for event in reversed(events) if isinstance(event, TextDelta)), None)
        if last is not None and last.choice == self._choice:
            last.logprobs = logprobs
        elif logprobs and self._kind == "text":
            events.append(TextDelta(self._next - 1, "", self._choice, logprobs))
