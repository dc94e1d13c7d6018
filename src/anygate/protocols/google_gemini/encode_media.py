"""Media -> `inlineData` and `fileData`.

Source: https://ai.google.dev/gemini-api/docs/file-input-methods and .../video-understanding (2026-11-22).
"""

import base64
from typing import Any
from urllib.parse import urlsplit

from anygate.canonical.blocks import Media
from anygate.protocols.google_gemini.losses import Losses
from anygate.protocols.google_gemini.names import PROTOCOL_NAME
from anygate.protocols.media_type import mime_of, sniff, split_data_uri

Part = dict[str, Any]
_FILMS = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be"})


def inlines(media: Media) -> bool:
    """Must the file behind this URL be fetched first? Google itself reads only its own files and YouTube."""
    return not media.data and _remote(media.url) and not _is_film(media.url)


def encode_media(media: Media, losses: Losses) -> Part:
    """The part; of generated sound that only its transcript is left of, the text.

    Raises:
        UnsupportedContent: it has no form that Google takes.
    """
    if media.detail in ("low", "high") and not losses.own:
        losses.drop("media", "the detail of images cannot be chosen")
    if any(name != PROTOCOL_NAME for name in media.options):
        losses.drop("media", "options of documents are not sent")
    if media.name and not losses.own:
        losses.drop("media", "names of files are not sent")
    part = _source(media, losses)
    side = media.options.get(PROTOCOL_NAME, {})
    return {**part, **side} if side else part


def _source(media: Media, losses: Losses) -> Part:
    inline = split_data_uri(media.url) if media.url and not media.data else None
    mime, data = inline if inline is not None else (media.mime, media.data)
    if data:
        mime = mime or sniff(data) or mime_of(media.name)
        if not mime and not losses.own:
            raise losses.refusal(
                "media", f"The type of the {media.kind} cannot be told; name it (a media type such as image/png)"
            )
        return {"inlineData": _blob(mime, "data", data, media.name if losses.own else "")}
    if media.text:
        return {"inlineData": _blob("text/plain", "data", base64.b64encode(media.text.encode()).decode(), "")}
    url = media.url or (media.file_id if losses.own else "")
    if url and (losses.own or _is_film(url)):
        return {"fileData": _blob(media.mime, "fileUri", url, media.name if losses.own else "")}
    if media.transcript:
        return {"text": media.transcript}
    if media.file_id:
        raise losses.refusal("media", "A file id belongs to one provider; send the file itself")
    if media.id:
        raise losses.refusal("media", "Generated sound cannot be named by its id here; send it itself")
    raise losses.refusal("media", f"The {media.kind} cannot be sent by this URL; send its data")


def _blob(mime: str, name: str, value: str, title: str) -> Part:
    blob: Part = {"mimeType": mime} if mime else {}
    blob[name] = value
    return blob | {"displayName": title} if title else blob


def _remote(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _is_film(url: str) -> bool:
    try:
        return _remote(url) and urlsplit(url).hostname in _FILMS
    except ValueError:
        return False
