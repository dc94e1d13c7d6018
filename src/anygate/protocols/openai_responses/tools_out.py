"""Tools and the choice among them, for an upstream or as an answer repeats them.

Source: https://platform.openai.com/docs/api-reference/responses/create, `tools` and `tool_choice` (2026-11-22).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from anygate.canonical.chat import CustomTool, FunctionTool, NativeTool, Tool, ToolChoice, WebSearchTool
from anygate.protocols.json_values import as_object
from anygate.protocols.openai_responses.carried import options_of

_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}


def encode_tools(
    tools: Sequence[Tool], names: Mapping[str, str], *, own: bool, excludes: bool = False
) -> list[dict[str, Any]]:
    """The `tools` member.

    Args:
        tools: none of another protocol's NativeTool.
        names: the client's -> the upstream's, of those that change.
        own: they came in this protocol: namespaces and native tools are put together again, and nothing is filled in.
        excludes: a web search takes `excluded_domains`, as at xAI.
    """
    encoded: list[dict[str, Any]] = []
    space: Mapping[str, Any] | None = None
    for tool in tools:
        options = options_of(tool)
        if options.get("found"):
            continue
        raw = encode_tool(tool, names, own=own, excludes=excludes)
        if "namespace" not in options:
            encoded.append(raw)
            space = None
        elif options["namespace"] is space:
            encoded[-1]["tools"].append(raw)
        else:
            space = options["namespace"]
            encoded.append({**options["namespace"], "tools": [raw]})
    return encoded


def encode_tool(tool: Tool, names: Mapping[str, str], *, own: bool, excludes: bool = False) -> dict[str, Any]:
    """One tool; what stands in a namespace gets its short name again."""
    options = options_of(tool)
    rest = as_object(options.get("tool"))
    match tool:
        case NativeTool():
            return dict(tool.raw)
        case WebSearchTool():
            return dict(rest) if rest else _web_search(tool, excludes)
        case CustomTool():
            return _custom(tool, _name(tool.name, options, names)) | rest
        case FunctionTool():
            if "native" in options:
                return dict(options["native"])
            return _function(tool, _name(tool.name, options, names), own=own) | rest


def _custom(tool: CustomTool, name: str) -> dict[str, Any]:
    raw: dict[str, Any] = {"type": "custom", "name": name}
    if tool.description:
        raw["description"] = tool.description
    if tool.format is not None:
        raw["format"] = _format(tool.format)
    return raw


def _function(tool: FunctionTool, name: str, *, own: bool) -> dict[str, Any]:
    raw: dict[str, Any] = {"type": "function", "name": name}
    if tool.description:
        raw["description"] = tool.description
    if tool.schema is not None or not own:
        raw["parameters"] = tool.schema if tool.schema is not None else _NO_ARGUMENTS
    if tool.strict is not None or not own:
        raw["strict"] = tool.strict or False  # without a word Responses would be strict where it can
    return raw


def encode_choice(choice: ToolChoice, tools: Sequence[Tool], names: Mapping[str, str]) -> Any:
    """The `tool_choice` member."""
    by_name = {tool.name: tool for tool in tools if isinstance(tool, FunctionTool | CustomTool)}

    def named(name: str) -> dict[str, Any]:
        tool = by_name.get(name)
        options = options_of(tool)
        spaced = {"namespace": as_object(options["namespace"]).get("name")} if "namespace" in options else {}
        kind = "custom" if isinstance(tool, CustomTool) else "function"
        return {"type": kind, "name": _name(name, options, names), **spaced}

    if choice.mode == "one":
        return named(choice.names[0])
    if choice.mode == "subset":
        mode = "required" if choice.must else "auto"
        return {"type": "allowed_tools", "mode": mode, "tools": [named(name) for name in choice.names]}
    return choice.mode


def _name(name: str, options: Mapping[str, Any], names: Mapping[str, str]) -> str:
    return options.get("name") or names.get(name, name)


def _format(given: Mapping[str, Any]) -> dict[str, Any]:
    """A grammar; Chat Completions wraps it in an object of its own."""
    inner = given.get("grammar")
    return {"type": "grammar", **as_object(inner)} if isinstance(inner, dict) else dict(given)


def _web_search(tool: WebSearchTool, excludes: bool) -> dict[str, Any]:
    raw: dict[str, Any] = {"type": "web_search"}
    if tool.context_size:
        raw["search_context_size"] = tool.context_size
    if tool.allowed_domains:
        raw["filters"] = {"allowed_domains": list(tool.allowed_domains)}
    elif tool.blocked_domains and excludes:  # one or the other (https://docs.x.ai/docs/guides/tools/search-tools)
        raw["filters"] = {"excluded_domains": list(tool.blocked_domains)}
    if tool.location:
        raw["user_location"] = {"type": "approximate", **tool.location}
    return raw
