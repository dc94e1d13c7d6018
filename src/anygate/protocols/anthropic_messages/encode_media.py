"""Canonical media -> images and documents of the protocol.

Sources: https://platform.claude.com/docs/en/build-with-claude/vision (jpeg, png, gif and webp; base64, https URL or file),
.../pdf-support, .../citations, .../files (2026-11-22).
"""

import base64
import binascii
from typing import Any

from anygate.canonical.blocks import CacheMark, Media
from anygate.protocols.anthropic_messages.draft import Draft
from anygate.protocols.anthropic_messages.words import PROTOCOL_NAME
from anygate.protocols.media_type import mime_of, sniff, split_data_uri

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF = "application/pdf"
_TEXTUAL = frozenset({"application/json", "application/xml", "application/x-yaml", "application/javascript"})


def inlines(media: Media) -> bool:
    """Must this be fetched before it can be sent? Anthropic fetches images and PDF documents from https addresses alone."""
    if not media.url or media.data or media.url[:5].lower() == "data:":
        return False
    if media.kind == "image":
        return media.url[:8].lower() != "https://"
    if media.kind != "file":
        return False
    return media.url[:8].lower() != "https://" or _PDF not in (media.mime, mime_of(media.url))


def encode_cache(mark: CacheMark | None) -> dict[str, Any]:
    """`cache_control`, where there is a mark."""
    if mark is None:
        return {}
    return {"cache_control": {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}}


def encode_media(media: Media, draft: Draft) -> dict[str, Any]:
    """An `image` or `document` block.

    Raises:
        UnsupportedContent: sound or film; a picture of another format; a file of another account; an address that was not
            fetched though it had to be.
    """
    split = split_data_uri(media.url) if media.url and not media.data else None
    mime, data = split if split is not None else (media.mime.partition(";")[0].strip().lower(), media.data)
    if media.kind == "image":
        source = _image_source(media, mime, data, draft)
        return {"type": "image", "source": source, **encode_cache(media.cache)}
    if media.kind != "file":
        raise draft.refuse("media", f"Claude takes no {media.kind}")
    options = media.options.get(PROTOCOL_NAME, {})
    if "block" in options:  # a search result
        return {**{name: value for name, value in options["block"].items() if value is not None}}
    block: dict[str, Any] = {"type": "document", "source": _document_source(media, mime, data, draft)}
    if media.name:
        block["title"] = media.name
    return {**block, **options, **encode_cache(media.cache)}


def _image_source(media: Media, mime: str, data: str, draft: Draft) -> dict[str, Any]:
    if media.detail and media.detail != "auto":
        draft.drop("media", "Claude knows no level of detail for images")
    if data:
        if not draft.own:
            mime = sniff(data) or mime  # the bytes are checked against the type
            if mime not in _IMAGES:
                raise draft.refuse(
                    "media", f"Claude takes images as jpeg, png, gif or webp, not as {mime or 'unknown'}"
                )
        return {"type": "base64", "media_type": mime, "data": data}
    return _by_reference(media, draft)


def _document_source(media: Media, mime: str, data: str, draft: Draft) -> dict[str, Any]:
    if media.text:
        return {"type": "text", "media_type": "text/plain", "data": media.text}
    if not data:
        return _by_reference(media, draft)
    if draft.own:
        return {"type": "base64", "media_type": mime, "data": data}
    mime = sniff(data) or mime or mime_of(media.name)
    if mime == _PDF:
        return {"type": "base64", "media_type": _PDF, "data": data}
    words = _text_of(data) if mime.startswith("text/") or mime in _TEXTUAL else None
    if words is None:
        raise draft.refuse("media", f"Claude takes documents as PDF or text, not as {mime or 'an unknown type'}")
    return {"type": "text", "media_type": "text/plain", "data": words}


def _by_reference(media: Media, draft: Draft) -> dict[str, Any]:
    if media.file_id:
        if not draft.own:
            raise draft.refuse("media", "a file's id is known to its own provider only")
        return {"type": "file", "file_id": media.file_id}
    if not media.url:
        raise draft.refuse("media", f"the {media.kind} is empty")
    if inlines(media) and not draft.own:
        raise draft.refuse("media", f"the address of the {media.kind} cannot be handed to Claude")
    return {"type": "url", "url": media.url}


def _text_of(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
