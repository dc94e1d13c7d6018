"""How much a frame delivered, for bills that no usage settles: UTF-8 bytes of all that was generated."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from anygate.protocols.json_values import as_objects

_MEDIA = frozenset({"inlineData", "fileData"})
_SIDE = frozenset({"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"})


def parts_of(frame: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of all candidates, whatever else is wrong with the frame."""
    for candidate in as_objects(frame.get("candidates")):
        content = candidate.get("content")
        if isinstance(content, dict):
            yield from as_objects(cast("dict[str, Any]", content).get("parts"))


def text_of_frame(frame: Mapping[str, Any]) -> tuple[int, bool]:
    """UTF-8 bytes of generated text, and whether anything was generated at all (media is no text)."""
    try:  # the usual frame: one candidate with one text
        (candidate,) = frame["candidates"]
        (usual,) = candidate["content"]["parts"]
        if len(usual) == 1 and type(text := usual["text"]) is str:
            size = text_size(text)
            return size, size > 0
    except (KeyError, TypeError, ValueError):
        pass
    total, anything = 0, False
    for part in parts_of(frame):
        if len(part) == 1 and type(text := part.get("text")) is str:
            total += text_size(text)  # the usual part
            continue
        for name, value in part.items():
            if name == "text":
                total += text_size(value) if isinstance(value, str) else 0
            elif name in _MEDIA:
                anything = anything or bool(value)
            elif name not in _SIDE and isinstance(value, dict) and value:
                total += len(orjson.dumps(value))
    return total, anything or total > 0


def text_size(text: str) -> int:
    """UTF-8 bytes of a text; a lone surrogate counts as the question mark that stands for it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
