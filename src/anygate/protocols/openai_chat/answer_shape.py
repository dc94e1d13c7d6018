"""The JSON of answers and chunks, read once and leniently: no shape of an upstream's bytes raises.

Source: https://platform.openai.com/docs/api-reference/chat/object and .../streaming (2026-11-22); `citations`,
`search_results` https://docs.perplexity.ai, `x_groq` https://console.groq.com/docs, `stop_reason` vLLM, `images`
https://openrouter.ai/docs/features/multimodal/image-generation.
"""

import json
from typing import Any, cast

import msgspec

from anygate.canonical.blocks import TokenLogprob
from anygate.protocols.json_values import Object, as_list, as_object, as_objects, as_text
from anygate.protocols.lenient_json import UNREADABLE, load_object


class Delta(msgspec.Struct):
    """What a message or a piece of one holds; members are looked at when they are used."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    audio: Any = None
    images: Any = None
    annotations: Any = None
    extra_content: Any = None


class ChunkChoice(msgspec.Struct):
    """A choice of an answer (`message`) or of a chunk (`delta`)."""

    index: Any = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: Any = None
    stop_reason: Any = None
    logprobs: Any = None


class Chunk(msgspec.Struct):
    """An answer or a chunk."""

    id: Any = ""
    model: Any = ""
    created: Any = 0
    choices: list[ChunkChoice] | None = None
    usage: Any = None
    error: Any = None
    x_groq: Any = None
    citations: Any = None
    search_results: Any = None


_decode = msgspec.json.Decoder(Chunk).decode


def read_chunk(payload: bytes) -> Chunk | None:
    """An answer or chunk; None where the bytes are no JSON object."""
    try:
        return _decode(payload)
    except UNREADABLE:
        return _repaired(payload)


def _repaired(payload: bytes) -> Chunk | None:
    """What can be read of an odd shape: members of wrong types are left out, lone surrogates and NaN too."""
    document = load_object(payload)
    if document is None:
        return None
    choices: list[Object] = []
    for choice in as_objects(document.get("choices")):
        kept = {name: value for name, value in choice.items() if name not in ("delta", "message")}
        kept |= {name: choice[name] for name in ("delta", "message") if isinstance(choice.get(name), dict)}
        choices.append(kept)
    if document.get("choices") is not None:
        document["choices"] = choices
    try:
        text = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.convert(json.loads(text, parse_constant=lambda _: None), Chunk)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None


def read_logprobs(value: object) -> tuple[TokenLogprob, ...]:
    """`logprobs.content` of a choice."""
    return tuple(_logprob(entry) for entry in as_objects(as_object(value).get("content")))


def _logprob(entry: Object) -> TokenLogprob:
    figure, raw = entry.get("logprob"), entry.get("bytes")
    numbers = as_list(raw)
    known = isinstance(raw, list) and all(type(number) is int and 0 <= number < 256 for number in numbers)
    return TokenLogprob(
        as_text(entry.get("token")),
        float(figure)
        if isinstance(figure, int | float) and not isinstance(figure, bool) and abs(figure) < 1e9
        else 0.0,
        tuple(cast("list[int]", numbers)) if known else None,
        tuple(_logprob(other) for other in as_objects(entry.get("top_logprobs"))),
    )
