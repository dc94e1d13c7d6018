"""What a turn of a conversation holds: text, media, thoughts, calls and their results. Absent values are "", None or ()."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Json = Mapping[str, Any]
Modality = Literal["image", "audio", "video", "file"]


class Signature(msgspec.Struct, frozen=True):
    """A provider's proof over what its model thought or called; it goes back byte for byte, and only to its maker.

    `maker` is `Provider.maker` of the upstream that signed; "" when a client handed it in without saying whose it is.
    """

    value: str
    maker: str = ""


class CacheMark(msgspec.Struct, frozen=True):
    """The prompt up to here is worth caching. `ttl`: "", "5m" or "1h"."""

    ttl: str = ""


class Citation(msgspec.Struct, frozen=True):
    """A source of a stretch of text. `start` and `end` count characters of the text block; -1: the whole block.

    `raw` is the citation in the protocol that `protocol` names, for what has no twin (an encrypted index, page numbers).
    """

    url: str = ""
    title: str = ""
    quote: str = ""
    start: int = -1
    end: int = -1
    protocol: str = ""
    raw: Json = {}


class TokenLogprob(msgspec.Struct, frozen=True):
    """One generated token with its log probability and the likeliest others."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top: "tuple[TokenLogprob, ...]" = ()


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Plain text. A Gemini text part may be signed."""

    text: str
    citations: tuple[Citation, ...] = ()
    cache: CacheMark | None = None
    signature: Signature | None = None
    logprobs: tuple[TokenLogprob, ...] = ()


class Media(msgspec.Struct, frozen=True, tag="media"):
    """An image, a sound, a film or a document: as base64 `data`, by `url`, or by the upstream's own `file_id`.

    Attributes:
        mime: "" where the protocol does not say.
        data: standard base64, as it came.
        text: of a document given as plain text.
        detail: OpenAI's resolution hint ("low", "high", "auto").
        transcript, id, expires_at: of generated audio (unix seconds).
        options: what belongs to the part in one protocol only (Gemini's videoMetadata, Claude's document `context` and
            `citations`), by the protocol's name.
    """

    kind: Modality
    mime: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    text: str = ""
    name: str = ""
    detail: str = ""
    transcript: str = ""
    id: str = ""
    expires_at: int = 0
    cache: CacheMark | None = None
    signature: Signature | None = None
    options: Mapping[str, Json] = {}


class Thinking(msgspec.Struct, frozen=True, tag="thinking"):
    """What a model thought. Redacted thinking has no text, only its signature's value.

    `id` is the item's id in OpenAI Responses; `summary` says that the text is a summary, not the thoughts themselves.
    """

    text: str = ""
    signature: Signature | None = None
    redacted: bool = False
    id: str = ""
    summary: bool = True


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """A model's call of a tool. `arguments` is JSON text as the model wrote it (of a `custom` tool: free text)."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    signature: Signature | None = None
    item_id: str = ""  # in OpenAI Responses
    cache: CacheMark | None = None


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a tool gave back. `name` may be "": find it by the call's id."""

    call_id: str
    blocks: "tuple[Text | Media, ...]" = ()
    name: str = ""
    is_error: bool = False
    custom: bool = False
    cache: CacheMark | None = None


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The model declined, in words."""

    text: str


class NativeBlock(msgspec.Struct, frozen=True, tag="native"):
    """Something that only one protocol has (a server tool's call and result, executable code): carried there, else refused.

    `text` is what a reader of another protocol may be shown in its place; "" where nothing may.
    """

    protocol: str
    raw: Json
    text: str = ""


class WebSearchCall(msgspec.Struct, frozen=True, tag="web_search"):
    """A search that the provider made on the model's behalf. `raw` is the native item of `protocol`, results included."""

    id: str = ""
    query: str = ""
    protocol: str = ""
    raw: Json = {}


Block = Text | Media | Thinking | ToolCall | ToolResult | Refusal | NativeBlock | WebSearchCall
