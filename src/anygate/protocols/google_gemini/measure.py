"""How much input a request brings: bytes of text and media parts, counted for the hold and for routing."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.google_gemini.wire import camel, listed, message
from anygate.protocols.json_values import utf8_size
from anygate.protocols.media_type import kind_of

_TEXTS = ("tools", "toolConfig", "requests", "content", "generateContentRequest")
_SCHEMAS = ("responseSchema", "responseJsonSchema", "responseFormat")
_BLOBS = ("inlineData", "fileData")


def measure(top: Mapping[str, Any], contents: Sequence[Any]) -> tuple[int, dict[str, int], bool]:
    """UTF-8 bytes of everything that becomes input, media parts by kind, and whether a model has spoken.

    Args:
        top: the request, its names in camelCase.
        contents: its turns.

    Raises:
        InvalidRequest: a turn or a part is no object, or holds a field in both spellings.
    """
    total = 0
    media: dict[str, int] = {}
    continued = False
    for index, content in enumerate(contents):
        turn = message(content, f"contents[{index}]")
        continued = continued or turn.get("role") == "model"
        total += _measure_parts(turn, f"contents[{index}]", media)
    system = top.get("systemInstruction")
    if system is not None:
        total += _measure_parts(message(system, "systemInstruction"), "systemInstruction", media)
    for name in _TEXTS:
        if name in top:
            total += _json_bytes(top[name], media)
    config = top.get("generationConfig")
    if isinstance(config, dict):
        for name, value in cast("dict[str, Any]", config).items():
            if camel(name) in _SCHEMAS:
                total += _json_bytes(value, media)
    return total, media, continued


def _measure_parts(turn: Mapping[str, Any], place: str, media: dict[str, int]) -> int:
    total = 0
    for index, item in enumerate(listed(turn.get("parts"), f"{place}.parts")):
        if not isinstance(item, dict):
            raise InvalidRequest(f"`{place}.parts[{index}]` must be an object", param=f"{place}.parts[{index}]")
        for name, value in cast("dict[str, Any]", item).items():
            if isinstance(value, str):
                total += utf8_size(value) if name == "text" else 0  # a signature is no text
            elif isinstance(value, dict):
                total += _measure_value(camel(name), cast("dict[str, Any]", value), media)
    return total


def _measure_value(name: str, value: dict[str, Any], media: dict[str, int]) -> int:
    if name in _BLOBS:
        mime = value.get("mimeType", value.get("mime_type"))
        kind = kind_of(mime) if isinstance(mime, str) else "file"
        media[kind] = media.get(kind, 0) + 1
        return 0
    return _json_bytes(value, media)


def _json_bytes(value: Any, media: dict[str, int]) -> int:
    """Bytes of a value as JSON; media inside it (images of a function's answer) are counted as media."""
    if not isinstance(value, dict | list):
        return len(orjson.dumps(value))
    total = 2
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += cast("list[Any]", item)
            total += 1
        elif isinstance(item, dict):
            for name, inner in cast("dict[str, Any]", item).items():
                total += utf8_size(name) + 4
                if isinstance(inner, dict) and camel(name) in _BLOBS:
                    _measure_value(camel(name), cast("dict[str, Any]", inner), media)
                else:
                    waiting.append(inner)
        else:
            total += utf8_size(item) + 2 if isinstance(item, str) else 5
    return total
