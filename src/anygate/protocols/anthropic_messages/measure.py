"""How much input a Messages request brings: bytes of text and media parts, counted for the hold and for routing."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import utf8_size

_TEXTS = ("tools", "output_config", "output_format")
_NO_TEXT = frozenset({"type", "id", "tool_use_id", "signature", "data", "cache_control"})
_TOOLS_PROMPT_BYTES = 2048
"""What the provider itself tells a model about the use of tools, some 500 tokens, once for all tools: see
https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview (2026-11-22) and recorded counts."""

_THINKING_PROMPT_BYTES = 64
"""The same of thinking, some 30 tokens (recorded counts)."""

_MEDIA = {"image": "image", "document": "file", "container_upload": "file"}
_TEXT_SOURCES = ("text", "content")  # what is asked for need not be hashable


def measure(document: Mapping[str, Any], messages: Sequence[Any]) -> tuple[int, dict[str, int], bool]:
    """UTF-8 bytes of everything that becomes input, media parts by kind, and whether an assistant has spoken.

    Raises:
        InvalidRequest: an entry of `messages` is no object.
    """
    media: dict[str, int] = {}
    total = _measure_content(document.get("system"), media)
    continued = False
    for message in messages:
        if not isinstance(message, dict):
            raise InvalidRequest("every entry of `messages` must be an object", param="messages")
        message = cast("dict[str, Any]", message)
        content = message.get("content")
        if type(content) is str:
            total += len(content) if content.isascii() else len(content.encode())  # the usual turn
        else:
            total += _measure_content(content, media)
        if message.get("role") == "assistant":
            continued = True
    for name in _TEXTS:
        value = document.get(name)
        if value is not None:
            total += len(orjson.dumps(value))
    if document.get("tools"):
        total += _TOOLS_PROMPT_BYTES
    if document.get("thinking"):
        total += _THINKING_PROMPT_BYTES
    return total, media, continued


def _measure_content(content: Any, media: dict[str, int]) -> int:
    """A string, or a list of blocks; whatever else it is counts as the JSON that it is."""
    if isinstance(content, str):
        return utf8_size(content)
    if not isinstance(content, list):
        return 0 if content is None else len(orjson.dumps(content))
    return sum(_measure_block(block, media) for block in cast("list[Any]", content))


def _measure_block(block: Any, media: dict[str, int]) -> int:
    if not isinstance(block, dict):
        return _measure_content(block, media)
    block = cast("dict[str, Any]", block)
    total = 0
    kind = block.get("type")
    if isinstance(kind, str) and kind in _MEDIA:
        source = block.get("source")
        source = cast("dict[str, Any]", source) if isinstance(source, dict) else {}
        if source.get("type") in _TEXT_SOURCES:
            total += _measure_content(source.get("data"), media) + _measure_content(source.get("content"), media)
        else:
            media[_MEDIA[kind]] = media.get(_MEDIA[kind], 0) + 1
    for name, value in block.items():
        if name == "content":
            total += _measure_content(value, media)
        elif name not in _NO_TEXT and not (name == "source" and isinstance(value, dict)) and value is not None:
            total += utf8_size(value) if isinstance(value, str) else len(orjson.dumps(value))
    return total
