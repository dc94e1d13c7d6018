"""Images, documents and search results of the protocol -> canonical media.

Sources: https://platform.claude.com/docs/en/build-with-claude/vision, .../pdf-support, .../citations, .../search-results,
.../files (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast

from anygate.canonical.blocks import Media, NativeBlock
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.anthropic_messages.fields import Raw, as_object, cache_mark, leftovers, optional_text, text
from anygate.protocols.anthropic_messages.words import PROTOCOL_NAME

_IMAGE = frozenset({"type", "source", "cache_control"})
_DOCUMENT = frozenset({"type", "source", "title", "cache_control"})


def decode_image(raw: Raw, path: str) -> tuple[Media, Raw]:
    """An `image` block, and its unread fields.

    Raises:
        InvalidRequest: a field is missing or of a wrong type, or the source is of no known kind.
    """
    source = as_object(raw.get("source"), f"{path}.source")
    kind = source.get("type")
    cache = cache_mark(raw, path)
    where = f"{path}.source"
    left = leftovers(raw, _IMAGE)
    if kind == "base64":
        mime = optional_text(source, "media_type", where)
        return Media("image", mime, data=text(source, "data", where), cache=cache), left
    if kind == "url":
        return Media("image", url=text(source, "url", where), cache=cache), left
    if kind == "file":
        return Media("image", file_id=text(source, "file_id", where), cache=cache), left
    raise InvalidRequest(f"`{where}.type` must be base64, url or file", param=f"{where}.type")


def decode_document(raw: Raw, path: str) -> tuple[Media | NativeBlock, Raw]:
    """A `document` block; what it says beyond its source and title stays in the protocol's own options.

    Raises:
        InvalidRequest: a field is missing or of a wrong type, or the source is of no known kind.
    """
    where = f"{path}.source"
    source = as_object(raw.get("source"), where)
    options = leftovers(raw, _DOCUMENT)
    kind = source.get("type")
    mime = data = url = file_id = words = ""
    if kind == "base64":
        mime, data = optional_text(source, "media_type", where), text(source, "data", where)
    elif kind == "url":
        url = text(source, "url", where)
    elif kind == "file":
        file_id = text(source, "file_id", where)
    elif kind == "text":
        mime, words = "text/plain", text(source, "data", where)
    elif kind == "content":
        found = text_of(source.get("content"))
        if found is None:  # pictures among the text
            return NativeBlock(PROTOCOL_NAME, raw), {}
        mime, words = "text/plain", found
        options["source"] = source
    else:
        raise InvalidRequest(f"`{where}.type` must be base64, url, file, text or content", param=f"{where}.type")
    return Media(
        "file",
        mime,
        data,
        url,
        file_id,
        words,
        optional_text(raw, "title", path),
        cache=cache_mark(raw, path),
        options={PROTOCOL_NAME: options} if options else {},
    ), {}


def decode_search_result(raw: Raw, path: str) -> tuple[Media | NativeBlock, Raw]:
    """A `search_result` block: a text with its source, for other protocols; the block itself for this one.

    Raises:
        InvalidRequest: a field is missing or of a wrong type.
    """
    title, source = text(raw, "title", path), text(raw, "source", path)
    words = text_of(raw.get("content"))
    if words is None:
        return NativeBlock(PROTOCOL_NAME, raw), {}
    return Media(
        "file",
        "text/plain",
        text=f"{source}\n\n{words}",
        name=title,
        cache=cache_mark(raw, path),
        options={PROTOCOL_NAME: {"block": raw}},
    ), {}


def text_of(content: Any) -> str | None:
    """The text of a string or of text blocks; None where there is anything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    words: list[str] = []
    for block in cast("list[Any]", content):
        found = cast("Mapping[str, Any]", block).get("text") if isinstance(block, dict) else None
        if not isinstance(found, str):
            return None
        words.append(found)
    return "\n\n".join(words)
