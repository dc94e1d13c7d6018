"""Canonical blocks of a history -> content blocks for an upstream. Source: https://docs.claude.com/en/api/messages (2026-11-22)."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from anygate.canonical.blocks import (
    Block,
    Media,
    NativeBlock,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.protocols.anthropic_messages.draft import Draft
from anygate.protocols.anthropic_messages.encode_media import encode_cache, encode_media
from anygate.protocols.anthropic_messages.words import PROTOCOL_NAME
from anygate.protocols.signature_tag import untag


def encode_block(block: Block, draft: Draft) -> Iterator[dict[str, Any]]:
    """The content blocks that a canonical block makes: usually one, none where it says nothing here.

    Raises:
        UnsupportedContent: it has no twin in this protocol.
    """
    match block:
        case Text():
            if block.text if draft.own else block.text.strip():
                yield encode_text(block, draft)
        case Media():
            yield encode_media(block, draft)
        case Thinking():
            yield from _encode_thinking(block, draft)
        case ToolCall():
            yield _encode_call(block, draft)
        case ToolResult():
            yield _encode_result(block, draft)
        case Refusal():
            yield from encode_block(Text(block.text), draft)
        case WebSearchCall():
            yield from _encode_search(block, draft)
        case NativeBlock():
            yield from _encode_native(block, draft)


def encode_text(block: Text, draft: Draft) -> dict[str, Any]:
    """A `text` block; citations of another protocol, and those that no upstream of this one has made, stay behind."""
    body: dict[str, Any] = {"type": "text", "text": block.text}
    if block.citations:
        kept = [dict(item.raw) for item in block.citations if item.protocol == PROTOCOL_NAME and _genuine(item.raw)]
        if kept:
            body["citations"] = kept
        if len(kept) < len(block.citations):
            draft.drop("turns", "citations of another provider in the history")
    return {**body, **encode_cache(block.cache)}


def decode_arguments(text: str) -> dict[str, Any]:
    """A call's arguments as the object that this protocol wants; what is none (cut off, a list) is wrapped as `_raw`."""
    if not text.strip():
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"_raw": text}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"_raw": text}


def _encode_call(block: ToolCall, draft: Draft) -> dict[str, Any]:
    call = {
        "type": "tool_use",
        "id": draft.ids.get(block.id, block.id),
        "name": draft.names.get(block.name, block.name),
        "input": {"input": block.arguments} if block.custom else decode_arguments(block.arguments),
    }
    return {**call, **encode_cache(block.cache)}


def _encode_thinking(block: Thinking, draft: Draft) -> Iterator[dict[str, Any]]:
    signature = block.signature
    if signature is None or not draft.sendable(signature):
        return  # thoughts without their maker's proof are refused; without them the model thinks anew
    if block.redacted:
        yield {"type": "redacted_thinking", "data": signature.value}
    else:
        yield {"type": "thinking", "thinking": block.text, "signature": signature.value}


def _encode_result(block: ToolResult, draft: Draft) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for part in block.blocks:
        if isinstance(part, Media):
            content.append(encode_media(part, draft))
        elif part.text.strip() or draft.own:
            content.append(encode_text(part, draft))
    body: dict[str, Any] = {"type": "tool_result", "tool_use_id": draft.ids.get(block.call_id, block.call_id)}
    if content:
        body["content"] = content
    if block.is_error:
        body["is_error"] = True
    return {**body, **encode_cache(block.cache)}


def _encode_search(block: WebSearchCall, draft: Draft) -> Iterator[dict[str, Any]]:
    pieces: list[Mapping[str, Any]] = block.raw.get("blocks", []) if block.protocol == PROTOCOL_NAME else []
    if not pieces or not all(_genuine(piece) for piece in pieces):
        draft.drop("turns", "a web search of another provider in the history")
        return
    for piece in pieces:
        yield {name: value for name, value in piece.items() if value is not None}


def _encode_native(block: NativeBlock, draft: Draft) -> Iterator[dict[str, Any]]:
    if block.protocol == PROTOCOL_NAME:
        yield dict(block.raw)
    elif block.text:
        yield {"type": "text", "text": block.text}
    else:
        kind = block.raw.get("type")
        raise draft.refuse("turns", f"content of the type {kind} is known to its own provider only")


def _genuine(raw: Mapping[str, Any]) -> bool:
    """Was this made by an upstream of this protocol? What the gateway made of others' searches carries their tag."""
    marks = (raw.get("encrypted_index"), raw.get("id"), raw.get("tool_use_id"))
    return not any(isinstance(mark, str) and (untag(mark).maker or mark.startswith(FOREIGN_ID)) for mark in marks)


FOREIGN_ID = "srvtoolu_anygate"
"""How the ids of searches begin that the gateway shows for those of other providers."""
