"""One choice of an answer, read piece by piece: pieces of a message -> events of numbered blocks.

A plain answer is one large piece, so that it and the fold of a stream are the same. Text, thoughts, refusal and sound are
open one at a time; tool calls stay open to the end, because their pieces may interleave.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from anygate.canonical.blocks import TokenLogprob
from anygate.canonical.chat_events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    ChatEvent,
    Cited,
    MediaDelta,
    RefusalDelta,
    Signed,
    TextDelta,
    ThinkingDelta,
)
from anygate.protocols.json_values import Object, as_objects, as_text
from anygate.protocols.openai_chat.answer_shape import Delta
from anygate.protocols.openai_chat.audio_pieces import AudioPieces
from anygate.protocols.openai_chat.call_reader import CallReader
from anygate.protocols.openai_chat.decode_messages import citation, image
from anygate.protocols.openai_chat.decode_parts import thinking_text
from anygate.protocols.openai_chat.details import detail_signature, detail_text, google_signature, is_encrypted
from anygate.protocols.openai_chat.generated_images import without_images


class ChoiceReader:
    """The state of one choice.

    Attributes:
        finish_reason: the upstream's word, "" until it came.
        stop_reason: vLLM's, as it came.
        refused: a refusal came.
        cited: a citation came.
        calls: the tool calls.
    """

    __slots__ = (
        "_audio",
        "_base",
        "_block",
        "_detail",
        "_detail_key",
        "_index",
        "_kind",
        "_length",
        "_maker",
        "_next",
        "_thought",
        "calls",
        "cited",
        "finish_reason",
        "refused",
        "stop_reason",
    )

    def __init__(self, index: int, maker: str, names: Mapping[str, str], call_prefix: str) -> None:
        self._index = index
        self._maker = maker
        self._kind: BlockKind | None = None  # of the open block, tool calls aside
        self._block = 0
        self._next = 0
        self._length = 0  # characters of text so far
        self._base = 0  # of it, before the last text block
        self._thought: list[str] = []  # text of the open thinking block
        self._detail: Object = {}  # its entry of reasoning_details, but for the text
        self._detail_key: tuple[object, object] | None = None
        self._audio = AudioPieces()
        self.calls = CallReader(index, names, call_prefix, maker)
        self.finish_reason = ""
        self.stop_reason: Any = None
        self.refused = False
        self.cited = False

    def take(self, delta: Delta, logprobs: tuple[TokenLogprob, ...], events: list[ChatEvent]) -> None:
        """A piece of the message; its events are appended."""
        if delta.reasoning_details or delta.reasoning_content or delta.reasoning:
            self._think(delta, events)
        content = delta.content
        if content:
            if delta.images:
                content = without_images(content, as_objects(delta.images))
            if type(content) is str:
                if content:
                    self._text(content, logprobs, events)
            else:
                self._parts(content, logprobs, events)
        if (
            delta.tool_calls
            or delta.extra_content is not None
            or delta.refusal
            or delta.audio is not None
            or delta.images
            or delta.annotations
            or delta.function_call
        ):
            self._more(delta, events)

    def _more(self, delta: Delta, events: list[ChatEvent]) -> None:
        """What few pieces hold."""
        calls = bool(delta.tool_calls or delta.function_call)
        if delta.extra_content is not None and (delta.content or not calls):
            self._sign(delta.extra_content, events)
        if delta.annotations:
            self._cite(as_objects(delta.annotations), events)
        if delta.refusal and type(delta.refusal) is str:
            self.refused = True
            self._open("refusal", events)
            events.append(RefusalDelta(self._block, delta.refusal, self._index))
        if delta.audio is not None:
            self._hear(delta.audio, events)
        if delta.images:
            self._draw(as_objects(delta.images), events)
        if calls:
            self._call(delta, events)

    def cite_sources(self, sources: list[Object], events: list[ChatEvent]) -> None:
        """Perplexity's sources, which belong to the whole text."""
        if sources and not self.cited:
            self._cite([{"url_citation": source} for source in sources], events)

    def end(self, events: list[ChatEvent]) -> None:
        """The choice is complete: everything is closed."""
        self._close(events)
        self._next = self.calls.end(self._next, events)

    def _open(self, kind: BlockKind, events: list[ChatEvent], *, id: str = "", redacted: bool = False) -> None:
        """Make a block of this kind the open one."""
        if self._kind == kind:
            return
        self._close(events)
        self._kind, self._block = kind, self._next
        self._next += 1
        if kind == "text":
            self._base = self._length
        events.append(BlockStarted(self._block, kind, self._index, id, redacted=redacted))

    def _close(self, events: list[ChatEvent]) -> None:
        if self._kind is None:
            return
        if self._kind == "thinking":
            signature = detail_signature(self._detail, self._maker) if self._detail else None
            if signature is not None:
                events.append(Signed(self._block, signature, self._index))
            self._thought.clear()
            self._detail, self._detail_key = {}, None
        elif self._kind == "media":
            rest = self._audio.finish()
            if rest is not None:
                events.append(MediaDelta(self._block, rest, self._index))
        events.append(BlockEnded(self._block, self._index))
        self._kind = None

    def _text(self, text: str, logprobs: tuple[TokenLogprob, ...], events: list[ChatEvent]) -> None:
        if self._kind != "text":
            self._open("text", events)
        self._length += len(text)
        events.append(TextDelta(self._block, text, self._index, logprobs))

    def _parts(self, content: object, logprobs: tuple[TokenLogprob, ...], events: list[ChatEvent]) -> None:
        """Content as a list of parts (Mistral): texts, thoughts, images."""
        for part in as_objects(content):
            if part.get("type") == "thinking":
                self._muse(thinking_text(part.get("thinking")), events)
            elif part.get("type") == "image_url":
                self._draw([part], events)
            else:
                text = as_text(part.get("text"))
                if text:
                    self._text(text, logprobs, events)
                    logprobs = ()

    def _muse(self, text: str, events: list[ChatEvent]) -> None:
        if text:
            if self._kind != "thinking":
                self._open("thinking", events)
            self._thought.append(text)
            events.append(ThinkingDelta(self._block, text, self._index))

    def _think(self, delta: Delta, events: list[ChatEvent]) -> None:
        """Thoughts: `reasoning_details` where they can be read, else the plain field, which repeats them."""
        details = as_objects(delta.reasoning_details)
        plain = as_text(delta.reasoning_content) or as_text(delta.reasoning)
        if plain and not any(detail_text(detail) for detail in details):
            self._muse(plain, events)
        for number, detail in enumerate(details):
            self._take_detail(detail, (detail.get("type"), str(detail.get("index", number))), events)

    def _take_detail(self, detail: Object, key: tuple[object, object], events: list[ChatEvent]) -> None:
        text = detail_text(detail)
        complete = bool(self._detail.get("signature") or self._detail.get("data"))
        if self._kind == "thinking" and self._detail_key is None and text and text == "".join(self._thought):
            text = ""  # our own: the whole of it once more, with its proof
        elif self._kind != "thinking" or key != self._detail_key or complete:
            self._close(events)
            self._open("thinking", events, redacted=is_encrypted(detail) and not text)
        self._detail_key = key
        for name, value in detail.items():
            if name not in ("text", "summary") and value not in (None, ""):
                self._detail[name] = value
        self._muse(text, events)

    def _sign(self, extra: object, events: list[ChatEvent]) -> None:
        """Google's signature of the message is one of its text, if only of an empty one."""
        signature = google_signature({"extra_content": extra}, self._maker)
        if signature is None:
            return
        if self._kind != "text":
            self._open("text", events)
        events.append(Signed(self._block, signature, self._index))

    def _hear(self, audio: object, events: list[ChatEvent]) -> None:
        piece = self._audio.take(audio)
        if piece is not None:
            self._open("media", events)
            events.append(MediaDelta(self._block, piece, self._index))

    def _draw(self, images: list[Object], events: list[ChatEvent]) -> None:
        for entry in images:
            media = image(entry)
            if media.data or media.url:
                self._close(events)
                block, self._next = self._next, self._next + 1
                events.append(BlockStarted(block, "media", self._index))
                events.append(MediaDelta(block, media, self._index))
                events.append(BlockEnded(block, self._index))

    def _call(self, delta: Delta, events: list[ChatEvent]) -> None:
        self._close(events)
        for number, call in enumerate(as_objects(delta.tool_calls)):
            if not number and delta.extra_content is not None and not delta.content and "extra_content" not in call:
                call = {**call, "extra_content": delta.extra_content}  # Google signs the message for its first call
            self._next = self.calls.take(call, self._next, events)
        if isinstance(delta.function_call, dict):
            legacy: Object = {"index": 0, "function": cast("Object", delta.function_call)}
            self._next = self.calls.take(legacy, self._next, events)

    def _cite(self, annotations: list[Object], events: list[ChatEvent]) -> None:
        """Citations count characters of the whole message; a text block's begin with the block."""
        if self._kind != "text":
            return
        for entry in annotations:
            found = citation(entry)
            if found.start >= self._base > 0:
                start, end = found.start - self._base, found.end - self._base
                found = msgspec.structs.replace(found, start=start, end=end)
            self.cited = True
            events.append(Cited(self._block, found, self._index))
