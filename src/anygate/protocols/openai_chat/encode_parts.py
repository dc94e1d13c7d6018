"""Canonical text and media -> content parts of a Chat Completions message.

Source: https://platform.openai.com/docs/api-reference/chat/create (2026-11-22).
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from anygate.canonical.blocks import CacheMark, Json, Media, Text
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.json_values import Object
from anygate.protocols.media_type import data_uri, extension_of, sniff
from anygate.protocols.openai_chat.dialect import NAME, has
from anygate.protocols.openai_chat.writing import Writing
from anygate.protocols.parameter_names import client_name

_OPENAI_SOUNDS = ("wav", "mp3")


def inlines(media: Media) -> bool:
    """Whether media known by URL must be fetched first: only images and films are taken by URL."""
    return bool(media.url) and not media.data and media.kind in ("audio", "file")


def encode_content(blocks: Iterable[Text | Media], writing: Writing) -> str | list[Object]:
    """Parts, or plain text where there is nothing else.

    Raises:
        UnsupportedContent: the upstream's protocol has no part for a medium.
    """
    parts = [
        encode_part(block, writing)
        for block in blocks
        if writing.is_own or not (isinstance(block, Text) and not block.text)
    ]
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def encode_part(block: Text | Media, writing: Writing) -> Object:
    """One part.

    Raises:
        UnsupportedContent: the upstream's protocol has no part for it.
    """
    part: Object = {"type": "text", "text": block.text} if isinstance(block, Text) else _media(block, writing)
    mark_cache(part, block.cache, writing)
    return part


def mark_cache(holder: Object, mark: CacheMark | None, writing: Writing) -> None:
    """A cache mark on a part or tool, in the upstream's spelling."""
    if mark is None:
        return
    if writing.is_own or has(writing.target, "cache_control"):
        holder["cache_control"] = {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}
    elif has(writing.target, "openai_models") and holder.get("type") != "function":
        holder["prompt_cache_breakpoint"] = {"mode": "explicit"}
    else:
        writing.drop("cache", "the provider has no cache marks")


def _media(media: Media, writing: Writing) -> Object:
    options: Json = media.options.get(NAME, {}) if writing.is_own else {}
    if media.options.keys() - {NAME}:
        writing.drop("media", "options of a part that the provider does not know")
    if media.text and not media.data:
        return {"type": "text", "text": f"{media.name}\n\n{media.text}" if media.name else media.text}
    if not writing.is_own:
        _check(media, writing)
    match options.get("type", media.kind):
        case "image" | "image_url":
            inner: Object = {"url": _url(media)}
            if media.detail and (writing.is_own or media.detail in ("auto", "low", "high")):
                inner["detail"] = media.detail
            part = _plain_or_object("image_url", inner, plain=bool(options.get("plain")))
        case "audio" | "input_audio":
            part = _audio(media, str(options.get("format", "")), writing)
        case "video" | "video_url" | "document_url" | "audio_url" as kind:
            field = "video_url" if kind == "video" else str(kind)
            part = _plain_or_object(field, {"url": _url(media)}, plain=bool(options.get("plain")))
        case _:
            part = _file(media, bare=bool(options.get("bare")), writing=writing)
    if "inner" in options and isinstance(part[part["type"]], dict):
        part[part["type"]].update(options["inner"])
    part.update(options.get("outer", {}))
    return part


def _check(media: Media, writing: Writing) -> None:
    """Refuse what the upstream can not get at.

    Raises:
        UnsupportedContent: always with the reason.
    """
    if media.file_id:
        raise _refused(writing, "a file of another provider's account")
    if media.url and not media.data and not _is_web(media.url):
        raise _refused(writing, "a URL that is not on the web")
    if media.kind == "video" and not has(writing.target, "video_url"):
        raise _refused(writing, "video")


def _plain_or_object(field: str, inner: Object, *, plain: bool) -> Object:
    return {"type": field, field: inner["url"] if plain else inner}


def _audio(media: Media, form: str, writing: Writing) -> Object:
    if not media.data:
        raise _refused(writing, "sound by URL")
    form = form or extension_of(media.mime or sniff(media.data)) or "wav"
    if has(writing.target, "openai_models") and not writing.is_own and form not in _OPENAI_SOUNDS:
        raise _refused(writing, f"sound in the format {form}")
    return {"type": "input_audio", "input_audio": {"data": media.data, "format": form}}


def _file(media: Media, *, bare: bool, writing: Writing) -> Object:
    if media.file_id:
        inner: Object = {"file_id": media.file_id}
        if media.name:
            inner["filename"] = media.name
        return {"type": "file", "file": inner}
    if has(writing.target, "document_url") and not writing.is_own:
        return {"type": "document_url", "document_url": _url(media)}
    if not media.data and not writing.is_own:
        raise _refused(writing, "a document by URL")
    data = media.data if bare else _url(media)
    name = media.name or ("" if writing.is_own else f"document.{extension_of(media.mime) or 'pdf'}")
    return {"type": "file", "file": {"filename": name, "file_data": data} if name else {"file_data": data}}


def _url(media: Media) -> str:
    return data_uri(media.mime or sniff(media.data), media.data) if media.data else media.url


def _is_web(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https")


def _refused(writing: Writing, what: str) -> UnsupportedContent:
    param = client_name(writing.chat.protocol, "media")
    return UnsupportedContent(f"The provider of this model does not take {what}", param=param)
