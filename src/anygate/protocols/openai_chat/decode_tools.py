"""Tools of a Chat Completions request -> canonical tools and choice.

Sources: https://platform.openai.com/docs/guides/function-calling, .../tools-web-search; the legacy `functions`
.../api-reference/chat/create#chat-create-functions (2026-11-22).
"""

from typing import Any, cast

from anygate.canonical.chat import CustomTool, FunctionTool, NativeTool, Tool, ToolChoice, WebSearchTool
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import Object, as_object, as_objects, as_text
from anygate.protocols.openai_chat.decode_parts import cache_mark
from anygate.protocols.openai_chat.dialect import NAME
from anygate.protocols.openai_chat.fields import wanted_list, wanted_object, wanted_text


def decode_tools(document: Object, *, search: bool = True) -> tuple[Tool, ...]:
    """`tools`, the legacy `functions`, and, where they alone ask for a `search`, `web_search_options`.

    Raises:
        InvalidRequest: one has a wrong type, or a function has no name.
    """
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(wanted_list(document, "tools", "tools"))]
    functions = wanted_list(document, "functions", "functions")
    tools += [_function(as_object(tool), f"functions[{index}]") for index, tool in enumerate(functions)]
    if search and document.get("web_search_options") is not None:
        tools.append(_search(wanted_object(document, "web_search_options", "web_search_options")))
    return tuple(tools)


def _tool(tool: Any, param: str) -> Tool:
    if not isinstance(tool, dict):
        raise InvalidRequest(f"`{param}` must be an object", param=param)
    tool = cast("Object", tool)
    kind = tool.get("type")
    if kind == "function" or (kind is None and isinstance(tool.get("function"), dict)):
        function = as_object(tool.get("function"))
        found = _function(function, f"{param}.function")
        return FunctionTool(found.name, found.description, found.schema, found.strict, cache_mark(tool))
    if kind == "custom":
        inner = as_object(tool.get("custom"))
        form = inner.get("format")
        return CustomTool(
            _name(inner, f"{param}.custom"),
            wanted_text(inner, "description", f"{param}.custom.description"),
            as_object(form) if form is not None else None,
        )
    if not isinstance(kind, str):
        raise InvalidRequest(f"`{param}.type` must be the kind of a tool", param=f"{param}.type")
    return NativeTool(NAME, tool)


def _function(function: Object, param: str) -> FunctionTool:
    schema = function.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise InvalidRequest(f"`{param}.parameters` must be a JSON Schema", param=f"{param}.parameters")
    strict = function.get("strict")
    return FunctionTool(
        _name(function, param),
        wanted_text(function, "description", f"{param}.description"),
        cast("Object", schema),
        strict if isinstance(strict, bool) else None,
    )


def _name(holder: Object, param: str) -> str:
    name = holder.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"`{param}.name` must be the name of a tool", param=f"{param}.name")
    return name


def _search(options: Object) -> WebSearchTool:
    location = as_object(options.get("user_location"))
    place = as_object(location.get("approximate"))
    return WebSearchTool(as_text(options.get("search_context_size")), location=place)


def decode_choice(document: Object) -> ToolChoice | None:
    """`tool_choice`, or the legacy `function_call`. "any" is Mistral's word for "required".

    Raises:
        InvalidRequest: it has no readable shape.
    """
    param = "tool_choice" if document.get("tool_choice") is not None else "function_call"
    choice = document.get(param)
    match choice:
        case None:
            return None
        case "auto":
            return ToolChoice("auto")
        case "none":
            return ToolChoice("none")
        case "required" | "any":
            return ToolChoice("required")
        case dict():
            return _named(cast("Object", choice), param)
        case _:
            raise InvalidRequest(f"`{param}` is not known", param=param)


def _named(choice: Object, param: str) -> ToolChoice:
    allowed = as_object(choice.get("allowed_tools"))
    if allowed:
        entries = as_objects(allowed.get("tools"))
        names = [_inner_name(entry) for entry in entries]
        return ToolChoice("subset", tuple(name for name in names if name), allowed.get("mode") == "required")
    name = _inner_name(choice) or as_text(choice.get("name"))
    if not name:
        raise InvalidRequest(f"`{param}` must name a tool", param=param)
    return ToolChoice("one", (name,))


def _inner_name(entry: Object) -> str:
    return as_text((as_object(entry.get("function")) or as_object(entry.get("custom"))).get("name"))
