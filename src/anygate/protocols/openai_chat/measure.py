"""How much input a chat request brings: bytes of text and media parts, counted for the hold and for routing."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import utf8_size

_TEXTS = frozenset({"tools", "functions", "response_format", "prediction"})
_MEDIA_KINDS = {
    "image_url": "image",
    "image": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "file": "file",
    "document_url": "file",
    "video_url": "video",
    "video": "video",
}


def measure_flat(messages: Any) -> tuple[int, bool] | None:
    """UTF-8 bytes of a list of turns that are nothing but a role and a text each, and whether an assistant has spoken.

    None: it is no list, or some turns are others.
    """
    if type(messages) is not list:
        return None
    total = 0
    continued = False
    try:
        for message in cast("list[Any]", messages):
            role, text = message["role"], message["content"]
            if type(role) is not str or type(text) is not str or len(message) != 2:
                return None
            total += len(text) if text.isascii() else len(text.encode())
            if role == "assistant":
                continued = True
    except (KeyError, TypeError):
        return None
    return total, continued


def measure(document: Mapping[str, Any], messages: Sequence[Any]) -> tuple[int, dict[str, int], bool]:
    """UTF-8 bytes of everything that becomes input, media parts by kind, and whether an assistant has spoken.

    Args:
        document: the request.
        messages: its turns.

    Raises:
        InvalidRequest: an entry of `messages` is no object.
    """
    media: dict[str, int] = {}
    total, continued = _measure_turns(messages, media)
    if not _TEXTS.isdisjoint(document):
        for name in _TEXTS.intersection(document):
            if document[name] is not None:
                total += len(orjson.dumps(document[name]))
    return total, media, continued


def _measure_turns(messages: Sequence[Any], media: dict[str, int]) -> tuple[int, bool]:
    total = 0
    continued = False
    for message in messages:
        if not isinstance(message, dict):
            raise InvalidRequest("every entry of `messages` must be an object", param="messages")
        message = cast("dict[str, Any]", message)
        if len(message) == 2 and type(text := message.get("content")) is str and "role" in message:
            total += len(text) if text.isascii() else len(text.encode())  # the usual turn
        else:
            total += _measure_message(message, media)
        if message.get("role") == "assistant":
            continued = True
    return total, continued


def _measure_message(message: Mapping[str, Any], media: dict[str, int]) -> int:
    total = 0
    for name, value in message.items():
        if isinstance(value, str):
            total += utf8_size(value) if name != "role" else 0
        elif name == "content" and isinstance(value, list):
            total += _measure_parts(cast("list[Any]", value), media)
        elif name == "images" and isinstance(value, list):
            media["image"] = media.get("image", 0) + len(cast("list[Any]", value))
        elif value is not None and name != "role":
            total += len(orjson.dumps(value))
    return total


def _measure_parts(parts: Sequence[Any], media: dict[str, int]) -> int:
    total = 0
    for part in parts:
        if not isinstance(part, dict):
            total += utf8_size(part) if isinstance(part, str) else 0
            continue
        part = cast("dict[str, Any]", part)
        kind = part.get("type")
        if isinstance(kind, str) and kind in _MEDIA_KINDS:
            media[_MEDIA_KINDS[kind]] = media.get(_MEDIA_KINDS[kind], 0) + 1
            continue
        for name, value in part.items():
            if isinstance(value, str):
                total += utf8_size(value) if name != "type" else 0
            elif value is not None:
                total += len(orjson.dumps(value))
    return total
