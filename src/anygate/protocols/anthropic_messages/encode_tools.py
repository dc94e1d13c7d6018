"""Canonical tools and the choice among them -> `tools` and `tool_choice`.

Sources: https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools, .../web-search-tool,
.../build-with-claude/structured-outputs (2026-11-22).
"""

from typing import Any

from anygate.canonical.blocks import Json, ToolCall
from anygate.canonical.chat import CustomTool, FunctionTool, NativeTool, Tool, ToolChoice, WebSearchTool
from anygate.protocols.anthropic_messages.draft import Draft
from anygate.protocols.anthropic_messages.encode_media import encode_cache
from anygate.protocols.anthropic_messages.words import AS_CUSTOM, PROTOCOL_NAME, WEB_SEARCH_TOOL

NO_ARGUMENTS: Json = {"type": "object", "properties": {}}
_FREE_TEXT: Json = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
_MOST_SEARCHES = {"low": 1, "medium": 5, "high": 10}
"""OpenAI's size of the search context -> how often Claude may search: its own measure of how much is read."""
_TYPES = {"auto": "auto", "none": "none", "required": "any"}


def encode_tools(draft: Draft) -> list[dict[str, Any]]:
    """The tools; those of a subset alone, where the client allows no others.

    Raises:
        UnsupportedContent: a tool that only another protocol has.
    """
    choice = draft.chat.tool_choice
    allowed = frozenset(choice.names) if choice is not None and choice.mode == "subset" else None
    tools: list[dict[str, Any]] = []
    for number, tool in enumerate(draft.chat.tools):
        if allowed is None or not isinstance(tool, FunctionTool | CustomTool) or tool.name in allowed:
            tools.append(draft.restore(f"tools.{number}", _encode_tool(tool, draft)))
    return tools


def stand_ins(draft: Draft) -> list[dict[str, Any]]:
    """Declarations for the calls of a history whose request declares no tools: they are asked for all the same."""
    calls = [block for turn in draft.chat.turns for block in turn.blocks if isinstance(block, ToolCall)]
    names = dict.fromkeys(draft.names.get(call.name, call.name) for call in calls)
    return [{"name": name, "input_schema": NO_ARGUMENTS} for name in names]


def encode_tool_choice(draft: Draft) -> dict[str, Any] | None:
    """The choice, with the limit to one call at a time; None: not said."""
    choice, parallel = draft.chat.tool_choice, draft.chat.parallel_tools
    if choice is None and (parallel is None or (parallel and not draft.own)):
        return None
    body = _encode_choice(choice or ToolChoice("auto"), draft)
    if parallel is False and body["type"] != "none":
        body["disable_parallel_tool_use"] = True
    elif parallel and draft.own:
        body["disable_parallel_tool_use"] = False
    return draft.restore("tool_choice", body)


def _encode_choice(choice: ToolChoice, draft: Draft) -> dict[str, Any]:
    if choice.mode == "one" and choice.names:
        name = choice.names[0]
        return {"type": "tool", "name": draft.names.get(name, name)}
    if choice.mode == "subset":
        return {"type": "any" if choice.must else "auto"}
    return {"type": _TYPES.get(choice.mode, "auto")}


def _encode_tool(tool: Tool, draft: Draft) -> dict[str, Any]:
    match tool:
        case FunctionTool():
            return _encode_function(tool, draft)
        case CustomTool():
            return _encode_custom(tool, draft)
        case WebSearchTool():
            return _encode_search(tool, draft)
        case NativeTool():
            if tool.protocol != PROTOCOL_NAME:
                raise draft.refuse("tools", f"the tool {tool.raw.get('type')} is known to its own provider only")
            return dict(tool.raw)


def _encode_function(tool: FunctionTool, draft: Draft) -> dict[str, Any]:
    schema = tool.schema
    if not draft.own:
        schema = (
            NO_ARGUMENTS if not schema else schema if schema.get("type") == "object" else {**schema, "type": "object"}
        )
    body: dict[str, Any] = {"name": draft.names.get(tool.name, tool.name)}
    if tool.description:
        body["description"] = tool.description
    if schema is not None:
        body["input_schema"] = schema
    if draft.own and tool.strict is not None:
        body["strict"] = tool.strict
    elif tool.strict and draft.can.formats:
        body["strict"] = True
    elif tool.strict:
        draft.drop("tools", "the model does not enforce schemas of tools")
    return {**body, **encode_cache(tool.cache)}


def _encode_custom(tool: CustomTool, draft: Draft) -> dict[str, Any]:
    """A tool that takes free text, as one whose only argument is a string."""
    name = draft.names.get(tool.name, tool.name)
    draft.answer_names[name] = AS_CUSTOM + tool.name
    if tool.format is not None and tool.format.get("type") != "text":
        draft.drop("tools", "the model does not enforce grammars of tools")
    described = {"description": tool.description} if tool.description else {}
    return {"name": name, **described, "input_schema": _FREE_TEXT}


def _encode_search(tool: WebSearchTool, draft: Draft) -> dict[str, Any]:
    body: dict[str, Any] = {"type": WEB_SEARCH_TOOL, "name": "web_search"}
    most = tool.max_uses if tool.max_uses is not None else _MOST_SEARCHES.get(tool.context_size)
    if most is not None:
        body["max_uses"] = most
    if tool.allowed_domains:
        body["allowed_domains"] = list(tool.allowed_domains)
    if tool.blocked_domains:
        if tool.allowed_domains and not draft.own:
            draft.drop("tools", "blocked domains beside allowed ones")
        else:
            body["blocked_domains"] = list(tool.blocked_domains)
    if tool.location:
        body["user_location"] = {"type": "approximate", **tool.location}
    if tool.context_size and (tool.max_uses is not None or tool.context_size not in _MOST_SEARCHES):
        draft.drop("tools", "Claude knows no size of the search context")
    return body
