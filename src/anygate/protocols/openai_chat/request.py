"""OpenAI Chat Completions, the request: what the gateway reads of it, and the edits it may make to its bytes.

Only what routing, price and limits need is checked; the rest is the upstream's to judge.
Source: https://platform.openai.com/docs/api-reference/chat/create (2026-11-20).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

import msgspec
import orjson

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.body_edits import edit_members, model_span
from anygate.protocols.chat_codec import Edits
from anygate.protocols.chat_request import (
    LARGEST_LIMIT,
    LONGEST_MODEL,
    SMALL_BYTES,
    ChatRequest,
    check_keys,
    count_field,
    has_only,
    load_body,
    read_model,
    read_stream,
)
from anygate.protocols.json_spans import Buffer
from anygate.protocols.openai_chat.measure import measure, measure_flat

LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")
MAX_CHOICES = 128


_Limit = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_LIMIT)]


class _Options(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class _Usual(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A request as most are: turns, switches and numbers. Besides the turns its texts are `model` and `user`."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_MODEL)]
    messages: Any  # a list, if `measure_flat` says so
    stream: bool | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream_options: _Options | None = None
    n: Literal[1] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    user: str | None = None


def read_request(raw: Buffer) -> ChatRequest:
    """The bytes of a client's request.

    Raises:
        InvalidRequest: not JSON, not UTF-8, nested too deep, a key twice that gateway and upstream could
            read differently, or a field that we read has a wrong type.
    """
    document = load_body(raw)
    if "tools" not in document and type(raw) is bytes and len(raw) <= SMALL_BYTES:
        request = _read_usual(raw, document)
        if request is not None:
            return request
    spans = check_keys(raw, document)
    model = read_model(document)
    get = document.get
    turns = get("messages")
    if type(turns) is not list:
        raise InvalidRequest("`messages` must be a list of messages", param="messages")
    messages = cast("list[Any]", turns)
    limit_fields, limit = _limit(document)
    options = get("stream_options")
    modalities = get("modalities")
    text_bytes, media, continued = measure(document, messages)
    return ChatRequest(
        raw=raw,
        document=document,
        model=model,
        stream=read_stream(document),
        choices=_choices(document) if "n" in document else 1,
        limit=limit,
        limit_fields=limit_fields,
        include_usage=read_include_usage(options) if options is not None else False,
        audio_output=isinstance(modalities, list) and "audio" in modalities,
        text_bytes=text_bytes,
        media=media,
        continued=continued,
        opening=messages,
        spans=spans,
    )


def _read_usual(raw: bytes, document: dict[str, Any]) -> ChatRequest | None:
    """The same in a few steps, of a request as most are; None: it is another, or has to be looked at closely."""
    try:
        usual = msgspec.convert(document, _Usual)
    except msgspec.ValidationError:
        return None
    messages = usual.messages
    flat = measure_flat(messages)
    if flat is None:
        return None
    strings = len(document) + 4 * len(messages) + (1 if usual.user is None else 2)
    if usual.stream_options is not None:
        strings += len(document["stream_options"])
    if not has_only(strings, raw, document):
        return None
    newer, older = usual.max_completion_tokens, usual.max_tokens
    limit_fields: tuple[str, ...]
    if newer is None:
        limit, limit_fields = older, () if older is None else ("max_tokens",)
    elif older is None:
        limit, limit_fields = newer, ("max_completion_tokens",)
    else:
        limit, limit_fields = max(newer, older), LIMIT_FIELDS
    text_bytes, continued = flat
    return ChatRequest(
        raw=raw,
        document=document,
        model=usual.model,
        stream=usual.stream is True,
        choices=1,
        limit=limit or None,
        limit_fields=limit_fields,
        include_usage=usual.stream_options is not None and usual.stream_options.include_usage is True,
        audio_output=False,
        text_bytes=text_bytes,
        media={},
        continued=continued,
        opening=messages,
    )


def _limit(document: Mapping[str, Any]) -> tuple[tuple[str, ...], int | None]:
    """The fields in which the client limits the output, and the largest of its limits; a limit of 0 is none.

    What 0 means is the upstream's to judge (OpenAI refuses it, others take it as "no limit").
    """
    newer, older = document.get("max_completion_tokens"), document.get("max_tokens")
    if newer is None:
        if older is None:
            return (), None
        return ("max_tokens",), count_field(document, "max_tokens") or None
    if older is None:
        return ("max_completion_tokens",), count_field(document, "max_completion_tokens") or None
    return LIMIT_FIELDS, max(count_field(document, name) for name in LIMIT_FIELDS) or None


def read_include_usage(options: Any) -> bool:
    """`stream_options.include_usage`.

    Raises:
        InvalidRequest: the options are no object, or it is no truth value.
    """
    if not isinstance(options, dict):
        raise InvalidRequest("`stream_options` must be an object", param="stream_options")
    include = cast("dict[str, Any]", options).get("include_usage")
    if include is not None and not isinstance(include, bool):
        raise InvalidRequest("`stream_options.include_usage` must be true or false", param="stream_options")
    return include is True


def references(request: ChatRequest) -> list[str]:
    """Files that a request names by their id."""
    if "file" not in request.media:
        return []
    found: list[str] = []
    for message in cast("list[dict[str, Any]]", request.opening):
        content = message.get("content")
        for part in cast("list[Any]", content) if isinstance(content, list) else ():
            file = cast("dict[str, Any]", part).get("file") if isinstance(part, dict) else None
            name = cast("dict[str, Any]", file).get("file_id") if isinstance(file, dict) else None
            if isinstance(name, str) and name:
                found.append(name)
    return found


def edit_request(request: ChatRequest, edits: Edits) -> list[bytes | memoryview]:
    """The bytes for the upstream, in pieces: the client's own but for a closed list of edits."""
    if not edits.set_body and not edits.drop_body and (usual := _edit_usual(request, edits)) is not None:
        return usual
    changes: dict[str, bytes] = {}
    if edits.include_usage and not request.include_usage:
        options = request.document.get("stream_options")
        changes["stream_options"] = orjson.dumps({**(options or {}), "include_usage": True})
    if edits.limit is not None:
        kept = [name for name in request.limit_fields if name not in edits.drop_body]
        for name in kept or [edits.limit_field]:
            changes[name] = b"%d" % edits.limit
    return edit_members(request, changes, edits)


def _edit_usual(request: ChatRequest, edits: Edits) -> list[bytes | memoryview] | None:
    """The edits of most requests: another model, and new members in front of all others. None: something else is asked."""
    raw = request.raw
    if type(raw) is not bytes or len(raw) > SMALL_BYTES:
        return None
    new = b""
    if edits.include_usage and not request.include_usage:
        if "stream_options" in request.document:
            return None
        new = b'"stream_options":{"include_usage":true},'
    if edits.limit is not None:
        if request.limit_fields or edits.limit_field in request.document:
            return None
        new += b'"%b":%d,' % (edits.limit_field.encode(), edits.limit)
    start = raw.find(b"{") + 1 if new else 0
    front = [raw[:start], new] if new else []
    if edits.model == request.model:
        return [*front, raw[start:]]
    first, last = model_span(request)
    return [*front, raw[start:first], orjson.dumps(edits.model), raw[last:]]


def _choices(document: Mapping[str, Any]) -> int:
    value = document.get("n")
    if value is None:
        return 1
    if type(value) is not int or not 1 <= value <= MAX_CHOICES:
        raise InvalidRequest(f"`n` must be a whole number from 1 to {MAX_CHOICES}", param="n")
    return value
