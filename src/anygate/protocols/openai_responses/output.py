"""Output items of an answer -> events, item by item; and what a response says of its end.

Source: https://platform.openai.com/docs/api-reference/responses/object (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any

from anygate.canonical.blocks import Media, NativeBlock, Signature, WebSearchCall
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Cited,
    Failed,
    Finished,
    MediaDelta,
    NativeItem,
    RefusalDelta,
    Signed,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Used,
)
from anygate.protocols.chat_codec import Source
from anygate.protocols.json_values import as_object, as_objects, as_text
from anygate.protocols.openai_responses.carried import NAME
from anygate.protocols.openai_responses.items import reasoning_text, search_query
from anygate.protocols.openai_responses.parts import decode_annotation, decode_logprobs
from anygate.protocols.openai_responses.usage import decode_usage

CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items that call a client's tool, and where they hold the arguments."""


def item_events(item: Mapping[str, Any], block: int, source: Source) -> list[ChatEvent]:
    """The events of a complete item; its blocks are numbered from `block`. Nothing for an item that holds nothing."""
    kind = as_text(item.get("type"))
    match kind:
        case "message":
            return _message_events(item, block)
        case "reasoning":
            return _reasoning_events(item, block, source)
        case "function_call" | "custom_tool_call":
            arguments = as_text(item.get(CALLS[kind]))
            deltas: list[ChatEvent] = [ArgumentsDelta(block, arguments)] if arguments else []
            return [call_start(item, block, source), *deltas, BlockEnded(block)]
        case _:
            return native_events(item, block)


def call_start(item: Mapping[str, Any], block: int, source: Source) -> BlockStarted:
    """How a call's block begins."""
    name = as_text(item.get("name"))
    call_id = as_text(item.get("call_id")) or as_text(item.get("id"))
    custom = item.get("type") == "custom_tool_call"
    return BlockStarted(block, "tool", 0, call_id, source.names.get(name, name), custom)


def signed(item: Mapping[str, Any], block: int, source: Source) -> list[ChatEvent]:
    """The signature of a reasoning item, if it brings one."""
    encrypted = as_text(item.get("encrypted_content"))
    return [Signed(block, Signature(encrypted, source.maker))] if encrypted else []


def part_events(part: Mapping[str, Any], block: int) -> list[ChatEvent]:
    """The events of a complete part of a message."""
    if part.get("type") == "refusal":
        refusal = as_text(part.get("refusal"))
        if not refusal:
            return []
        return [BlockStarted(block, "refusal"), RefusalDelta(block, refusal), BlockEnded(block)]
    text = as_text(part.get("text"))
    if not text:
        return []
    delta = TextDelta(block, text, 0, decode_logprobs(part.get("logprobs")))
    return [BlockStarted(block, "text"), delta, *cited(part, block), BlockEnded(block)]


def cited(part: Mapping[str, Any], block: int, already: int = 0) -> list[ChatEvent]:
    """The citations of a text, without the first ones that were told `already`."""
    return [Cited(block, decode_annotation(raw)) for raw in as_objects(part.get("annotations"))[already:]]


def native_events(item: Mapping[str, Any], block: int) -> list[ChatEvent]:
    """Items of the provider's own tools: a picture is media, a web search a search, all else stays as it is."""
    kind = as_text(item.get("type"))
    result = as_text(item.get("result"))
    if kind == "image_generation_call" and result:
        image = Media(
            "image", f"image/{as_text(item.get('output_format')) or 'png'}", result, id=as_text(item.get("id"))
        )
        return [BlockStarted(block, "media"), MediaDelta(block, image), BlockEnded(block)]
    if kind == "web_search_call":
        native = WebSearchCall(as_text(item.get("id")), search_query(item), NAME, item)
    else:
        code = as_text(item.get("code")) if kind == "code_interpreter_call" else ""
        native = NativeBlock(NAME, item, f"```python\n{code}\n```" if code else "")
    return [BlockStarted(block, "native"), NativeItem(block, native), BlockEnded(block)]


def end_events(response: Mapping[str, Any], *, called: bool, refused: bool) -> list[ChatEvent]:
    """How a response ended, and what it consumed.

    Args:
        response: with `status`, `incomplete_details`, `error`, `output` and `usage`.
        called: it holds a call of a client's tool.
        refused: it holds a refusal.
    """
    usage = as_object(response.get("usage"))
    used: list[ChatEvent] = [Used(decode_usage(usage, response.get("output")))] if usage else []
    status = as_text(response.get("status"))
    if status in ("failed", "cancelled"):
        return [*used, failure(response.get("error"), f"The response is {status}")]
    return [Finished(*_reason(response, status, called=called, refused=refused)), *used]


def failure(error: Any, otherwise: str) -> Failed:
    """An error in an answer or stream, whatever its shape."""
    if isinstance(error, str) and error:
        return Failed(error)
    told = as_object(error)
    kind = as_text(told.get("code")) or as_text(told.get("type"))
    return Failed(as_text(told.get("message")) or kind or otherwise, kind)


def _reason(
    response: Mapping[str, Any], status: str, *, called: bool, refused: bool
) -> tuple[StopReason, int, str, str]:
    if status == "incomplete":
        detail = as_text(as_object(response.get("incomplete_details")).get("reason"))
        match detail:
            case "max_output_tokens":
                return "length", 0, "", ""
            case "content_filter":
                return "filtered", 0, "", ""
            case _:
                return "other", 0, "", detail
    if status in ("queued", "in_progress"):  # it runs in the background
        return "other", 0, "", status
    if called:
        return "tool_call", 0, "", ""
    return "refusal" if refused else "end", 0, "", ""


def _message_events(item: Mapping[str, Any], block: int) -> list[ChatEvent]:
    events: list[ChatEvent] = []
    for part in as_objects(item.get("content")):
        added = part_events(part, block)
        events += added
        block += 1 if added else 0
    return events


def _reasoning_events(item: Mapping[str, Any], block: int, source: Source) -> list[ChatEvent]:
    text = reasoning_text(item)
    body: list[ChatEvent] = [ThinkingDelta(block, text)] if text else []
    body += signed(item, block, source)
    if not body:
        return []
    return [BlockStarted(block, "thinking", 0, as_text(item.get("id"))), *body, BlockEnded(block)]
