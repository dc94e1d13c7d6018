"""Canonical answer -> a Message. Source: https://docs.claude.com/en/api/messages (2026-11-22)."""

from collections.abc import Iterator
from typing import Any

import orjson

from anygate.canonical.blocks import Block, Media, Refusal, Signature, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.chat_events import Answer, Choice, Finished
from anygate.canonical.usage import Usage
from anygate.protocols.anthropic_messages.carriers import carrier
from anygate.protocols.anthropic_messages.encode_blocks import decode_arguments
from anygate.protocols.anthropic_messages.encode_parts import (
    encode_citation,
    encode_item,
    encode_stop,
    is_foreign,
    media_as_text,
    message_id,
    shown,
)
from anygate.protocols.anthropic_messages.usage import encode_usage
from anygate.protocols.chat_codec import Reply


def encode_answer(answer: Answer, reply: Reply) -> bytes:
    """The body of a whole answer; of several choices the first, since this protocol has but one."""
    choice = answer.choices[0] if answer.choices else Choice((), Finished("end"))
    content: list[dict[str, Any]] = []
    blocks = choice.blocks
    if blocks and isinstance(blocks[-1], Text) and not blocks[-1].text:
        blocks = blocks[:-1]  # clients take the last block for what the answer says: it must not be a signature
    for number, block in enumerate(blocks):
        content += _encode_block(block, reply, number)
    called = any(isinstance(block, ToolCall) for block in choice.blocks)
    message = {
        "id": message_id(answer.id, reply),
        "type": "message",
        "role": "assistant",
        "model": answer.model or reply.model,
        "content": content,
        **encode_stop(choice.finish, called),
        "usage": encode_usage(answer.usage or Usage(input=reply.estimate)),
    }
    return orjson.dumps(message)


def _encode_block(block: Block, reply: Reply, number: int) -> Iterator[dict[str, Any]]:
    match block:
        case Text():
            yield from _signed(_encode_text(block, reply) if block.text else None, block.signature)
        case Thinking():
            yield from _encode_thinking(block)
        case ToolCall():
            given = {"input": block.arguments} if block.custom else decode_arguments(block.arguments)
            call = {"type": "tool_use", "id": block.id, "name": block.name, "input": given}
            yield from _signed(call, block.signature)
        case Media():
            words = media_as_text(block)
            yield from _signed({"type": "text", "text": words} if words else None, block.signature)
        case Refusal():
            yield {"type": "text", "text": block.text}
        case ToolResult():
            return  # an answer holds none
        case _:
            yield from encode_item(block, reply, number)


def _encode_text(block: Text, reply: Reply) -> dict[str, Any]:
    body: dict[str, Any] = {"type": "text", "text": block.text}
    citations = [encode_citation(item, reply.maker) for item in block.citations]
    kept = [item for item in citations if item is not None]
    return {**body, "citations": kept} if kept else body


def _encode_thinking(block: Thinking) -> Iterator[dict[str, Any]]:
    if not block.redacted:
        yield {"type": "thinking", "thinking": block.text, "signature": shown(block.signature)}
    elif block.signature is not None:
        yield {"type": "redacted_thinking", "data": shown(block.signature)}


def _signed(body: dict[str, Any] | None, signature: Signature | None) -> Iterator[dict[str, Any]]:
    """A block, with another provider's signature carried before it."""
    if signature is not None and signature.value and is_foreign(signature):
        yield carrier(signature, "alone" if body is None else "next")
    if body is not None:
        yield body
