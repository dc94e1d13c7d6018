"""Canonical blocks and tools with what only this protocol says of them: item ids, phases, namespaces.

Any other codec sees the plain block; this one finds the rest in `options` again, under the protocol's name, the way
`Media.options` holds it. A block without such a rest is made as the plain kind.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from anygate.canonical.blocks import Json, NativeBlock, Refusal, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.chat import CustomTool, FunctionTool, WebSearchTool

NAME = "openai.responses"


class TextItem(Text, frozen=True, tag="text"):
    """A text; `item`: of the message that it begins, `part`: of its content part."""

    options: Mapping[str, Json] = {}


class RefusalItem(Refusal, frozen=True, tag="refusal"):
    """A refusal that begins a message; `item` as in TextItem."""

    options: Mapping[str, Json] = {}


class ThinkingItem(Thinking, frozen=True, tag="thinking"):
    """A reasoning item; `item`: the native one, where text and id do not say all."""

    options: Mapping[str, Json] = {}


class CallItem(ToolCall, frozen=True, tag="tool_call"):
    """A tool call; `item`: the native one, where name and arguments do not say all."""

    options: Mapping[str, Json] = {}


class ResultItem(ToolResult, frozen=True, tag="tool_result"):
    """A tool's result; `item`: the native one, where the blocks do not say all."""

    options: Mapping[str, Json] = {}


class NativePart(NativeBlock, frozen=True, tag="native"):
    """A content part, not an item, that only this protocol has."""

    options: Mapping[str, Json] = {}


class StateReference(NativeBlock, frozen=True, tag="native"):
    """History that the upstream keeps: `raw` holds request fields such as `previous_response_id`.

    A block, so that a protocol without such a store refuses the request instead of answering half a conversation.
    """


class FunctionItem(FunctionTool, frozen=True, tag="function"):
    """A function tool; `tool`: further fields, `namespace`: of the namespace tool that it lies in, `native`: the tool
    it stands for, `found`: it came in an item, not in `tools`.
    """

    options: Mapping[str, Json] = {}


class CustomItem(CustomTool, frozen=True, tag="custom"):
    """A custom tool; the keys of FunctionItem."""

    options: Mapping[str, Json] = {}


class SearchItem(WebSearchTool, frozen=True, tag="web_search"):
    """Web search; `tool`: the native tool."""

    options: Mapping[str, Json] = {}


T = TypeVar("T", bound=msgspec.Struct)

_RICHER: Mapping[type, Callable[..., object]] = {
    Text: TextItem,
    Refusal: RefusalItem,
    Thinking: ThinkingItem,
    ToolCall: CallItem,
    ToolResult: ResultItem,
    FunctionTool: FunctionItem,
    CustomTool: CustomItem,
    WebSearchTool: SearchItem,
}


def options_of(block: object) -> Mapping[str, Any]:
    """What only this protocol says of a block or tool; {} for one of another protocol."""
    options: Mapping[str, Json] = getattr(block, "options", {})
    return options.get(NAME, {})


def with_options(block: T, more: Mapping[str, Any]) -> T:
    """The block with more of its own; itself where there is nothing more to say."""
    if not more:
        return block
    merged = {NAME: {**options_of(block), **more}}
    richer = _RICHER.get(type(block))
    if richer is None:
        return msgspec.structs.replace(block, options=merged)
    fields = {name: getattr(block, name) for name in block.__struct_fields__}
    return cast("T", richer(**fields, options=merged))
