"""Canonical tools -> `tools`, `tool_choice` and `web_search_options` of a Chat Completions request.

Source: https://platform.openai.com/docs/guides/function-calling; OpenRouter's `plugins`
https://openrouter.ai/docs/features/web-search (2026-11-22).
"""

import re

import orjson

from anygate.canonical.chat import Chat, CustomTool, FunctionTool, NativeTool, Tool, ToolChoice, WebSearchTool
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.json_values import Object
from anygate.protocols.offered_search import LEFT_OUT, may_be_left_out
from anygate.protocols.openai_chat.dialect import NAME, has, searches
from anygate.protocols.openai_chat.encode_parts import mark_cache
from anygate.protocols.openai_chat.live_search import stands_for_live_search
from anygate.protocols.openai_chat.writing import Writing
from anygate.protocols.openai_models import is_o_series
from anygate.protocols.tool_names import names_in, safe_names

_ALLOWED = re.compile(r"[A-Za-z0-9_-]")
_LONGEST = 64
CUSTOM_INPUT = "input"
"""The one property of a function that stands for a tool of free text."""


def upstream_names(chat: Chat) -> dict[str, str]:
    """The client's tool names -> names that upstreams take, of those that differ; a client of this protocol keeps its own."""
    return {} if chat.protocol == NAME else safe_names(names_in(chat), _ALLOWED, _LONGEST)


def wraps_custom(writing: Writing) -> bool:
    """Whether tools of free text travel as functions with one string property."""
    return not writing.is_own and not has(writing.target, "openai_models")


def wrapped_input(text: str) -> str:
    """Free text as the arguments of such a function."""
    return orjson.dumps({CUSTOM_INPUT: text}).decode()


def encode_tools(writing: Writing, document: Object) -> None:
    """Write the tools into the document.

    Raises:
        UnsupportedContent: the upstream has no such tool.
    """
    tools = [body for tool in writing.chat.tools if (body := _tool(tool, writing, document)) is not None]
    if tools:
        document["tools"] = tools
    if not tools and not writing.is_own:
        return
    if writing.chat.tool_choice is not None:
        document["tool_choice"] = _choice(writing.chat.tool_choice, writing)
    if writing.chat.parallel_tools is not None and is_o_series(writing.target) and not writing.is_own:
        writing.drop("parallel_tools", "the model does not take it")
    elif writing.chat.parallel_tools is not None:
        document["parallel_tool_calls"] = writing.chat.parallel_tools


def _tool(tool: Tool, writing: Writing, document: Object) -> Object | None:
    """An entry of `tools`; None where the tool stands elsewhere or is not offered."""
    if writing.is_own and stands_for_live_search(writing.chat, tool):
        return None  # its field goes back as it came
    match tool:
        case FunctionTool():
            return None if _left_out(tool.name, writing) else _function(tool, writing)
        case CustomTool():
            return None if _left_out(tool.name, writing) else _custom(tool, writing)
        case WebSearchTool():
            _search(tool, writing, document)
            return None
        case NativeTool():
            if tool.protocol != NAME or not writing.is_own:
                raise _refused(writing, str(tool.raw.get("type") or next(iter(tool.raw), "a built-in tool")))
            return dict(tool.raw)


def _left_out(name: str, writing: Writing) -> bool:
    """A choice among some tools, for an upstream that cannot say so: the others are not offered."""
    choice = writing.chat.tool_choice
    return choice is not None and choice.mode == "subset" and not _says_subset(writing) and name not in choice.names


def _says_subset(writing: Writing) -> bool:
    return writing.is_own or has(writing.target, "openai_models")


def _function(tool: FunctionTool, writing: Writing) -> Object:
    function: Object = {"name": writing.tool_name(tool.name)}
    if tool.description:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    body: Object = {"type": "function", "function": function}
    mark_cache(body, tool.cache, writing)
    return body


def _custom(tool: CustomTool, writing: Writing) -> Object:
    inner: Object = {"name": writing.tool_name(tool.name)}
    if tool.description:
        inner["description"] = tool.description
    if not wraps_custom(writing):
        if tool.format is not None:
            inner["format"] = _nested_grammar(tool.format)
        return {"type": "custom", "custom": inner}
    if tool.format is not None and tool.format.get("type") == "grammar":
        writing.drop("tools", "the provider keeps to no grammar")
    inner["parameters"] = {
        "type": "object",
        "properties": {CUSTOM_INPUT: {"type": "string"}},
        "required": [CUSTOM_INPUT],
        "additionalProperties": False,
    }
    return {"type": "function", "function": inner}


def _nested_grammar(form: object) -> Object:
    """OpenAI's grammar, which Responses writes flat and Chat Completions one level down."""
    body: Object = dict(form) if isinstance(form, dict) else {}  # pyright: ignore[reportUnknownArgumentType]
    if body.get("type") == "grammar" and "grammar" not in body:
        inner = {name: body[name] for name in ("definition", "syntax") if name in body}
        return {"type": "grammar", "grammar": inner}
    return body


def _choice(choice: ToolChoice, writing: Writing) -> object:
    match choice.mode:
        case "auto" | "none" | "required":
            return choice.mode
        case "one":
            return _named(choice.names[0], writing) if choice.names else "required"
        case "subset":
            mode = "required" if choice.must else "auto"
            if not _says_subset(writing):
                return mode
            allowed = {"mode": mode, "tools": [_named(name, writing) for name in choice.names]}
            return {"type": "allowed_tools", "allowed_tools": allowed}


def _named(name: str, writing: Writing) -> Object:
    custom = any(isinstance(tool, CustomTool) and tool.name == name for tool in writing.chat.tools)
    kind = "custom" if custom and not wraps_custom(writing) else "function"
    return {"type": kind, kind: {"name": writing.tool_name(name)}}


def _search(tool: WebSearchTool, writing: Writing, document: Object) -> None:
    if not writing.is_own and not searches(writing.target):
        if may_be_left_out(writing.chat):  # a plugin would search in every request, and be charged
            writing.drop("tools", LEFT_OUT)
        elif has(writing.target, "web_plugin"):
            document["plugins"] = [{"id": "web"}]
        else:
            raise _refused(writing, "web search")
        return
    options: Object = {}
    if tool.context_size:
        options["search_context_size"] = tool.context_size
    if tool.location:
        options["user_location"] = {"type": "approximate", "approximate": tool.location}
    document["web_search_options"] = options
    if tool.allowed_domains or tool.blocked_domains:
        writing.drop("tools", "a web search cannot be kept to domains")
    if tool.max_uses is not None:
        writing.drop("tools", "the number of web searches cannot be limited")


def _refused(writing: Writing, what: str) -> UnsupportedContent:
    return UnsupportedContent(f"The provider of this model has no tool {what}", param=writing.param("tools"))
