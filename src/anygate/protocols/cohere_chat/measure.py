"""How much input a request brings: bytes of text and images, counted for the hold and for routing."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import utf8_size

_TEXTS = frozenset({"tools", "documents", "response_format"})


def measure(document: Mapping[str, Any], messages: Sequence[Any]) -> tuple[int, dict[str, int], bool]:
    """UTF-8 bytes of everything that becomes input, media parts by kind, and whether an assistant has spoken.

    Raises:
        InvalidRequest: an entry of `messages` is no object.
    """
    total, images, continued = 0, 0, False
    for message in messages:
        if not isinstance(message, dict):
            raise InvalidRequest("every entry of `messages` must be an object", param="messages")
        for name, value in cast("dict[str, Any]", message).items():
            if name == "role":
                continued = continued or value == "assistant"
            elif name == "content" and isinstance(value, list):
                for part in cast("list[Any]", value):
                    if isinstance(part, dict) and cast("dict[str, Any]", part).get("type") == "image_url":
                        images += 1
                    else:
                        total += _size(part)
            else:
                total += _size(value)
    total += sum(_size(document[name]) for name in _TEXTS.intersection(document))
    return total, {"image": images} if images else {}, continued


def _size(value: Any) -> int:
    if isinstance(value, str):
        return utf8_size(value)
    return 0 if value is None else len(orjson.dumps(value))
