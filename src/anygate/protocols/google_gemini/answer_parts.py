"""Blocks of an answer -> the parts that a Gemini client reads.

Source: https://ai.google.dev/api/caching#Part (2026-11-22).
"""

from typing import Any

import orjson

from anygate.canonical.blocks import Media, Signature
from anygate.protocols.chat_codec import Reply
from anygate.protocols.google_gemini.decode_parts import parse_object
from anygate.protocols.google_gemini.names import MAKER, is_made
from anygate.protocols.media_type import split_data_uri
from anygate.protocols.signature_tag import tag

Part = dict[str, Any]


def shown_signature(signature: Signature) -> str:
    """Google's own as it is, any other tagged."""
    return signature.value if signature.maker in ("", MAKER) else tag(signature)


def signed(part: Part, signature: Signature | None) -> Part:
    """The part with its signature, if there is one."""
    if signature is not None and signature.value:
        part["thoughtSignature"] = shown_signature(signature)
    return part


def shows_thoughts(reply: Reply) -> bool:
    """Unsigned thoughts are shown only to those who ask for them, as Google does."""
    return reply.chat.reasoning is not None and reply.chat.reasoning.show is True


def call_part(call_id: str, name: str, arguments: str, *, custom: bool) -> Part:
    """A `functionCall`, whole. Arguments that are no object (cut off by a limit) stand in `_raw`."""
    args: Any
    if custom:
        args = {"input": arguments}
    elif not arguments.strip():
        args = {}
    elif parse_object(arguments) is None:
        args = {"_raw": arguments}
    else:  # as it came, its numbers in every digit; but line breaks between its words would end an event of a stream
        args = orjson.Fragment(arguments.replace("\n", " ").replace("\r", " "))
    body: Part = {"name": name, "args": args}
    return {"functionCall": body if is_made(call_id) or not call_id else {"id": call_id, **body}}


def media_part(media: Media) -> Part | None:
    """Generated media; of sound that came as words alone, these."""
    inline = split_data_uri(media.url) if media.url and not media.data else None
    mime, data = inline if inline is not None else (media.mime, media.data)
    if data:
        return {"inlineData": {"mimeType": mime or "application/octet-stream", "data": data}}
    if media.url:
        return {"fileData": {"mimeType": mime, "fileUri": media.url} if mime else {"fileUri": media.url}}
    return {"text": media.transcript} if media.transcript else None
