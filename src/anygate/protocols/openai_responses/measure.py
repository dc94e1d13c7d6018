"""How much input a Responses request brings: bytes of text and media parts, counted for the hold and for routing."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import utf8_size

_MEDIA_KINDS = {
    "input_image": "image",
    "computer_screenshot": "image",
    "image_generation_call": "image",
    "input_file": "file",
    "input_audio": "audio",
    "input_video": "video",
}
_NO_INPUT = frozenset({"type", "role", "id", "status", "phase", "annotations", "logprobs"})
_TEXTS = ("instructions", "tools", "text", "prompt")
_MODEL_ITEMS = frozenset(
    {"function_call", "custom_tool_call", "reasoning", "web_search_call", "file_search_call", "compaction"}
)


def measure(document: Mapping[str, Any], items: Sequence[Any]) -> tuple[int, dict[str, int], bool]:
    """UTF-8 bytes of everything that becomes input, media parts by kind, and whether the model has spoken.

    Raises:
        InvalidRequest: an entry of `input` is no object.
    """
    media: dict[str, int] = {}
    continued = bool(document.get("previous_response_id") or document.get("conversation"))
    total = 0
    for item in items:
        if not isinstance(item, dict):
            raise InvalidRequest("every entry of `input` must be an object", param="input")
        item = cast("dict[str, Any]", item)
        kind = item.get("type")
        continued = continued or item.get("role") == "assistant" or (isinstance(kind, str) and kind in _MODEL_ITEMS)
        total += _bytes_of(item, media)
    for name in _TEXTS:
        value = document.get(name)
        if isinstance(value, str):
            total += utf8_size(value)
        elif value is not None:
            total += len(orjson.dumps(value))
    return total, media, continued


def _bytes_of(item: Mapping[str, Any], media: dict[str, int]) -> int:
    total = 0
    waiting: list[Any] = [item]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            total += utf8_size(value)
        elif isinstance(value, list):
            waiting += cast("list[Any]", value)
        elif isinstance(value, dict):
            value = cast("dict[str, Any]", value)
            kind = value.get("type")
            if isinstance(kind, str) and kind in _MEDIA_KINDS:
                media[_MEDIA_KINDS[kind]] = media.get(_MEDIA_KINDS[kind], 0) + 1
            else:
                waiting += [inner for name, inner in value.items() if name not in _NO_INPUT]
    return total
