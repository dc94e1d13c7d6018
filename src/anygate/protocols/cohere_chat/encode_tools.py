"""Canonical tools -> `tools`, `tool_choice` and `strict_tools`.

Source: https://docs.cohere.com/docs/tool-use-overview and .../structured-outputs#structured-outputs-tools (2026-11-22).
"""

import re
from collections.abc import Sequence

import orjson

from anygate.canonical.blocks import ToolCall
from anygate.canonical.chat import Chat, CustomTool, FunctionTool, NativeTool, Tool, ToolChoice, WebSearchTool
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.cohere_chat.writing import Writing
from anygate.protocols.json_values import Object, as_list
from anygate.protocols.offered_search import LEFT_OUT, may_be_left_out
from anygate.protocols.tool_names import names_in, safe_names

_ALLOWED = re.compile(r"[A-Za-z0-9_]")
_LONGEST = 128
_INPUT = "input"
"""The one property of a function that stands for a tool of free text."""


def upstream_names(chat: Chat) -> dict[str, str]:
    """The client's tool names -> names that Cohere takes, of those that differ."""
    return safe_names(names_in(chat), _ALLOWED, _LONGEST)


def encode_call(call: ToolCall, writing: Writing) -> Object:
    """An earlier call, for an assistant's message."""
    arguments = orjson.dumps({_INPUT: call.arguments}).decode() if call.custom else call.arguments or "{}"
    function = {"name": writing.tool_name(call.name), "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def encode_tools(writing: Writing, document: Object) -> None:
    """Write the tools into the document.

    Raises:
        UnsupportedContent: a tool that Cohere does not have, or a choice of none that is there.
    """
    chat = writing.chat
    offered = _chosen(chat.tool_choice)
    given = [_as_function(tool, writing) for tool in chat.tools]
    functions = [tool for tool in given if tool is not None and (not offered or tool.name in offered)]
    if offered and not functions:
        raise UnsupportedContent("The choice names no tool that is offered", param=writing.param("tool_choice"))
    if not functions:
        return
    document["tools"] = [_function(tool, writing) for tool in functions]
    _strict(functions, writing, document)
    if chat.tool_choice is not None:
        _choose(chat.tool_choice, document)
    if chat.parallel_tools is False:
        writing.drop("parallel_tools", "the provider does not take it")


def _strict(tools: Sequence[FunctionTool], writing: Writing, document: Object) -> None:
    """Cohere keeps to the schemas of all tools or of none, and each must have a required parameter."""
    if not any(tool.strict for tool in tools):
        return
    if all(tool.strict and as_list((tool.schema or {}).get("required")) for tool in tools):
        document["strict_tools"] = True
    else:
        writing.drop("tools", "the provider keeps to the schemas of all tools or of none")


def _chosen(choice: ToolChoice | None) -> tuple[str, ...]:
    """The tools that may be called, where only some may: Cohere cannot say so, so no others are offered."""
    return choice.names if choice is not None and choice.mode in ("one", "subset") else ()


def _choose(choice: ToolChoice, document: Object) -> None:
    if choice.mode == "none":
        document["tool_choice"] = "NONE"
    elif choice.mode in ("required", "one") or (choice.mode == "subset" and choice.must):
        document["tool_choice"] = "REQUIRED"


def _function(tool: FunctionTool, writing: Writing) -> Object:
    writing.no_cache_mark(tool.cache)
    function: Object = {"name": writing.tool_name(tool.name)}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema if tool.schema is not None else {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _as_function(tool: Tool, writing: Writing) -> FunctionTool | None:
    """A tool as a function; one of free text has one string parameter. None: it is not offered.

    Raises:
        UnsupportedContent: it is a tool that only some providers have.
    """
    match tool:
        case FunctionTool():
            return tool
        case CustomTool():
            if tool.format is not None and tool.format.get("type") == "grammar":
                writing.drop("tools", "the provider keeps to no grammar")
            schema = {"type": "object", "properties": {_INPUT: {"type": "string"}}, "required": [_INPUT]}
            return FunctionTool(tool.name, tool.description, schema)
        case WebSearchTool():
            if not may_be_left_out(writing.chat):
                raise _refused(writing, "web search")
            writing.drop("tools", LEFT_OUT)
            return None
        case NativeTool():
            raise _refused(writing, str(tool.raw.get("type") or next(iter(tool.raw), "a built-in tool")))


def _refused(writing: Writing, what: str) -> UnsupportedContent:
    return UnsupportedContent(f"The provider of this model has no tool {what}", param=writing.param("tools"))
