"""Legacy Completions, the request: what the gateway reads of it, and the edits it may make to its bytes.

Source: https://platform.openai.com/docs/api-reference/completions/create (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.chat_codec import Edits
from anygate.protocols.chat_request import ChatRequest, count_field, decode_object, read_model, read_stream
from anygate.protocols.json_spans import Buffer
from anygate.protocols.openai_chat.request import MAX_CHOICES, edit_request, read_include_usage

DEFAULT_LIMIT = 16
"""Output tokens of a request that names no limit."""

_BYTES_OF_TOKEN = 2  # input tokens are bounded by half of the bytes, so a token that is given by its number is two


def read_request(raw: Buffer) -> ChatRequest:
    """The bytes of a client's request.

    `choices` is what the upstream generates: best_of (at least n) completions for each prompt.

    Raises:
        InvalidRequest: not JSON, not UTF-8, nested too deep, a key twice that gateway and upstream could
            read differently, or a field that we read has a wrong type.
    """
    document, spans = decode_object(raw)
    model = read_model(document)
    prompts, text_bytes = measure_prompt(document.get("prompt"))
    suffix = document.get("suffix")
    limit_fields, limit = ((), DEFAULT_LIMIT)
    if document.get("max_tokens") is not None:
        limit_fields, limit = (
            ("max_tokens",),
            max(count_field(document, "max_tokens"), 1),
        )  # 0: the prompt alone is scored
    options = document.get("stream_options")
    return ChatRequest(
        raw=raw,
        document=document,
        model=model,
        stream=read_stream(document),
        choices=prompts * max(_count(document, "n"), _count(document, "best_of")),
        limit=limit,
        limit_fields=limit_fields,
        include_usage=read_include_usage(options) if options is not None else False,
        audio_output=False,
        text_bytes=text_bytes + (len(suffix.encode()) if isinstance(suffix, str) else 0),
        media={},
        continued=False,
        opening=[document.get("prompt")],
        spans=spans,
    )


def measure_prompt(prompt: Any) -> tuple[int, int]:
    """How many prompts there are, and their bytes: a text, texts, the numbers of tokens, or lists of these.

    Raises:
        InvalidRequest: it is none of them.
    """
    if prompt is None:
        return 1, 0  # the upstream begins a document of its own
    if isinstance(prompt, str):
        return 1, len(prompt.encode())
    entries = cast("list[Any]", prompt) if isinstance(prompt, list) else []
    if entries and all(isinstance(entry, str) for entry in entries):
        return len(entries), sum(len(entry.encode()) for entry in entries)
    if entries and all(type(entry) is int for entry in entries):
        return 1, _BYTES_OF_TOKEN * len(entries)
    if entries and all(_are_tokens(entry) for entry in entries):
        return len(entries), _BYTES_OF_TOKEN * sum(map(len, entries))
    raise InvalidRequest("`prompt` must be a string, a list of strings or lists of token numbers", param="prompt")


def _are_tokens(entry: Any) -> bool:
    return isinstance(entry, list) and all(type(token) is int for token in cast("list[Any]", entry))


def _count(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    if value is None or (value == 0 and name == "best_of" and type(value) is int):
        return 1
    if type(value) is not int or not 1 <= value <= MAX_CHOICES:
        raise InvalidRequest(f"`{name}` must be a whole number from 1 to {MAX_CHOICES}", param=name)
    return value


def edit(request: ChatRequest, edits: Edits) -> list[bytes | memoryview]:
    """The bytes for the upstream, in pieces; a limit goes to `max_tokens`, the only field that there is for it."""
    return edit_request(request, msgspec.structs.replace(edits, limit_field="max_tokens"))
