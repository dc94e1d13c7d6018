"""A complete plain answer -> canonical events. Source: https://docs.claude.com/en/api/messages (2026-11-22)."""

from collections.abc import Mapping
from typing import Any, cast

from anygate.canonical.blocks import Block, Text, ToolCall, ToolResult
from anygate.canonical.chat_events import Answer, ChatEvent, Choice, Failed, Finished
from anygate.canonical.errors import InvalidRequest, ProtocolViolation
from anygate.protocols.anthropic_messages.decode_blocks import decode_content
from anygate.protocols.anthropic_messages.errors import shape_error, status_of
from anygate.protocols.anthropic_messages.fields import as_list
from anygate.protocols.anthropic_messages.lenient import read_object
from anygate.protocols.anthropic_messages.usage import decode_usage
from anygate.protocols.anthropic_messages.words import AS_TEXT, STOP_REASONS
from anygate.protocols.chat_codec import Source
from anygate.protocols.fold import unfold


def decode_answer(body: bytes, source: Source) -> list[ChatEvent]:
    """The events that fold to the answer; `Failed` alone for an error in spite of its status.

    Raises:
        ProtocolViolation: it is no message, or a block in it is not what it says.
    """
    document = read_object(body)
    if document is None:
        raise ProtocolViolation("the upstream's answer is no JSON object")
    if document.get("type") == "error" or ("error" in document and "content" not in document):
        return [decode_failure(document)]
    try:
        blocks = decode_content(as_list(document.get("content"), "content"), "content", source).blocks
    except InvalidRequest as error:
        raise ProtocolViolation(f"the upstream's answer cannot be understood: {error.message}") from None
    if any(isinstance(block, ToolResult) for block in blocks):
        raise ProtocolViolation("the upstream's answer holds a result of a tool that it cannot have called")
    usage = document.get("usage")
    used = decode_usage(cast("dict[str, Any]", usage)) if isinstance(usage, dict) else None
    choice = Choice(tuple(blocks), decode_finish(document, forced_format(source) and _no_calls(blocks)))
    return unfold(Answer(_text(document, "id"), _text(document, "model"), 0, (choice,), used))


def decode_failure(body: Mapping[str, Any]) -> Failed:
    """An error object, of an answer or of an `error` event."""
    error = shape_error(body.get("error")) or {}
    kind = _text(error, "type")
    return Failed(_text(error, "message") or "the upstream answered with an error", kind, status_of(kind))


def decode_finish(body: Mapping[str, Any], calls_are_text: bool) -> Finished:
    """Why a message ended. What is not documented counts as "other".

    Args:
        body: a message, or the delta that ends its stream.
        calls_are_text: the only call was the answer itself (see `words.FORCED_FORMAT_TOOL`).
    """
    word = body.get("stop_reason")
    reason = STOP_REASONS.get(word, "other") if isinstance(word, str) else "end"
    if reason == "tool_call" and calls_are_text:
        reason = "end"
    details = body.get("stop_details")
    details = cast("dict[str, Any]", details) if isinstance(details, dict) else {}
    return Finished(
        reason,
        stop_sequence=_text(body, "stop_sequence"),
        detail=_text(details, "explanation") or _text(details, "category"),
    )


def forced_format(source: Source) -> bool:
    """Was a tool forced on the model only to bring its answer into a form?"""
    return AS_TEXT in source.names.values()


def _no_calls(blocks: list[Block]) -> bool:
    return any(isinstance(block, Text) for block in blocks) and not any(isinstance(block, ToolCall) for block in blocks)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""
