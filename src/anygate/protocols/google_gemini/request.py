"""Gemini generateContent, the request: what the gateway reads of it, and the edits it may make to its bytes.

Model and streaming stand in the path; limits stand one level down, in `generationConfig`.
Source: https://ai.google.dev/api/generate-content (2026-11-22).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from anygate.canonical.errors import InvalidRequest
from anygate.protocols import json_spans
from anygate.protocols.body_edits import edit_members
from anygate.protocols.chat_codec import Edits
from anygate.protocols.chat_request import ChatRequest, decode_object, first_repeated, read_model
from anygate.protocols.google_gemini.measure import measure
from anygate.protocols.google_gemini.wire import camel, listed, message, whole
from anygate.protocols.json_spans import Buffer, Edit, Member

MAX_CHOICES = 128
CONFIG = "generationConfig"
LIMIT = "maxOutputTokens"
GENERATE = frozenset({"generateContent", "streamGenerateContent"})
_TAGGED = re.compile(rb'"thought_?[sS]ignature"\s*:\s*"YW55Z2F0Z')
_READ = (LIMIT, "max_output_tokens", "candidateCount", "candidate_count", "responseModalities", "response_modalities")


def read_request(raw: Buffer, parameters: Mapping[str, str]) -> ChatRequest:
    """A client's request.

    Args:
        raw: the body.
        parameters: `model` and `method` of the path (`method`: what follows the colon), `alt` of the query.

    Raises:
        InvalidRequest: not JSON, not UTF-8, nested too deep, a field twice or in both spellings, or a field that we
            read has a wrong type.
    """
    document, spans = decode_object(raw)
    model = read_model(parameters)
    method = parameters.get("method", "generateContent")
    top = message(document, "")
    contents = listed(top.get("contents"), "contents")
    if not contents and method in GENERATE:
        raise InvalidRequest("`contents` must be a list of turns", param="contents")
    config = message(top.get(CONFIG, {}), CONFIG)
    if config:
        spans = _refuse_repeats(raw, document, spans)
    limit = whole(config, LIMIT, CONFIG)
    if limit is not None and limit < 0:
        raise InvalidRequest(f"`{CONFIG}.{LIMIT}` must not be below 0", param=f"{CONFIG}.{LIMIT}")
    stream = method == "streamGenerateContent"
    text_bytes, media, continued = measure(top, contents)
    modalities = config.get("responseModalities")
    return ChatRequest(
        raw=raw,
        document=document,
        model=model,
        stream=stream,
        choices=_choices(config),
        limit=limit or None,
        limit_fields=(f"{CONFIG}.{LIMIT}",) if limit is not None else (),
        include_usage=True,
        audio_output=isinstance(modalities, list) and any(_is_audio(item) for item in cast("list[Any]", modalities)),
        text_bytes=text_bytes,
        media=media,
        continued=continued,
        opening=contents,
        stream_form="array" if stream and parameters.get("alt") != "sse" else "",
        spans=spans,
    )


def holds_foreign_history(request: ChatRequest) -> bool:
    """Does the history hold what the gateway made of another provider's answer (tagged signatures)?

    Google refuses such parts; sent through `decode_request` and `encode_request` instead of natively they are left out.
    """
    return _TAGGED.search(request.raw) is not None


def _is_audio(modality: Any) -> bool:
    return isinstance(modality, str) and modality.upper() == "AUDIO"


def _choices(config: Mapping[str, Any]) -> int:
    count = whole(config, "candidateCount", CONFIG)
    if count is None:
        return 1
    if not 1 <= count <= MAX_CHOICES:
        param = f"{CONFIG}.candidateCount"
        raise InvalidRequest(f"`{param}` must be a whole number from 1 to {MAX_CHOICES}", param=param)
    return count


def _refuse_repeats(raw: Buffer, document: Mapping[str, Any], spans: list[Member] | None) -> list[Member] | None:
    """No field of `generationConfig` may stand there twice: the parsed object no longer tells."""
    if spans is None and isinstance(raw, bytes) and all(raw.count(b'"%b"' % name.encode()) <= 1 for name in _READ):
        return None  # short, without escapes (see decode_object), and none of what we read is there twice
    if spans is None:
        spans = json_spans.members(raw)
    config = next(span for span in spans if camel(span.name) == CONFIG and document[span.name] is not None)
    names = [camel(member.name) for member in json_spans.members(raw, config.value_start)]
    name = first_repeated(names)
    if name is not None:
        raise InvalidRequest(f"`{CONFIG}.{name}` is given twice", param=f"{CONFIG}.{name}")
    return spans


def edit_request(request: ChatRequest, edits: Edits) -> list[bytes | memoryview]:
    """The bytes for the upstream, in pieces: the client's own but for a closed list of edits.

    Names in `set_body` and `drop_body` meet the client's fields in either spelling. A `model` in the body repeats the path;
    where the upstream's name differs it leaves.
    """
    document = request.document
    spelled = {camel(name): name for name in document}
    drop = [spelled.get(camel(name), name) for name in edits.drop_body]
    changes: dict[str, bytes] = {}
    if edits.model != request.model:
        if "model" in document:
            drop.append("model")
        changes |= _renamed(document, edits.model)
    if edits.limit is not None:
        name = spelled.get(CONFIG, CONFIG)
        changes[name] = _limited(request, name, edits.limit)
    sets = {spelled.get(camel(name), name): value for name, value in edits.set_body.items()}
    return edit_members(request, changes, Edits(request.model, set_body=sets, drop_body=drop))


def _limited(request: ChatRequest, name: str, limit: int) -> bytes:
    """The text of `generationConfig` with the output limit in it; all other bytes of it stay."""
    held = request.document.get(name)
    if not held:
        return b'{"%b":%d}' % (LIMIT.encode(), limit)
    raw = request.raw
    if request.spans is None:
        request.spans = json_spans.members(raw)
    span = next(member for member in request.spans if member.name == name)
    inner = json_spans.members(raw, span.value_start)
    text = raw[span.value_start : span.value_end]
    place = next((member for member in inner if camel(member.name) == LIMIT), None)
    if place is None:
        start = text.find(b"{") + 1
        edit = Edit(start, start, b'"%b":%d,' % (LIMIT.encode(), limit))
    else:
        edit = Edit(place.value_start - span.value_start, place.value_end - span.value_start, b"%d" % limit)
    return b"".join(json_spans.apply(text, [edit]))


def _renamed(document: Mapping[str, Any], model: str) -> dict[str, bytes]:
    """Requests inside the request (countTokens, batchEmbedContents) name the model again."""
    changes: dict[str, bytes] = {}
    for name, value in document.items():
        inner: Sequence[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
        if camel(name) not in ("requests", "generateContentRequest"):
            continue
        if not any(isinstance(item, dict) and "model" in item for item in inner):
            continue
        changed = [{**item, "model": f"models/{model}"} if _named(item) else item for item in inner]
        changes[name] = orjson.dumps(changed if isinstance(value, list) else changed[0])
    return changes


def _named(item: Any) -> bool:
    return isinstance(item, dict) and "model" in item
