"""Tools and the choice among them, from a client's request.

Source: https://platform.openai.com/docs/api-reference/responses/create, `tools` and `tool_choice` (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any

from anygate.canonical.chat import CustomTool, FunctionTool, NativeTool, Tool, ToolChoice, WebSearchTool
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import as_list, as_object, as_objects, as_text, object_or_none
from anygate.protocols.openai_responses.carried import NAME, with_options
from anygate.protocols.openai_responses.client_tools import CLIENT_TOOLS, runs_on_client

_FUNCTION_FIELDS = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM_FIELDS = frozenset({"type", "name", "description", "format"})
_LOCATION = ("country", "city", "region", "timezone")


class Toolbox:
    """The tools of a request, with one name each: those inside a namespace get its name in front.

    Attributes:
        tools: in order; those that came in items last.
    """

    def __init__(self) -> None:
        self.tools: list[Tool] = []
        self._names: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def add_all(self, given: Any, *, param: str, found: bool = False) -> None:
        """Take a list of tools.

        Raises:
            InvalidRequest: it is no list of objects, or a tool has no name.
        """
        if given is None:
            return
        if not isinstance(given, list) or len(as_objects(given)) != len(as_list(given)):
            raise InvalidRequest(f"`{param}` must be a list of tools", param=param)
        plain = (as_text(raw.get("name")) for raw in as_objects(given) if raw.get("type") != "namespace")
        self._taken.update(name for name in plain if name)
        for raw in as_objects(given):
            self._add(raw, param, {"found": True} if found else {})

    def name_of(self, namespace: str, name: str) -> str:
        """The one name of a tool that the client calls by two."""
        return self._names.get((namespace, name), name)

    def _add(self, raw: Mapping[str, Any], param: str, note: Mapping[str, Any]) -> None:
        kind = as_text(raw.get("type")) or "function"
        if kind == "namespace":
            space = {name: value for name, value in raw.items() if name != "tools"}
            for inner in as_objects(raw.get("tools")):
                self._add_named(inner, param, {**note, "namespace": space})
        elif kind in ("function", "custom"):
            self._add_named(raw, param, note)
        elif kind.startswith("web_search"):
            self.tools.append(_web_search(raw, note))
        elif kind in CLIENT_TOOLS and runs_on_client(raw):
            tool = CLIENT_TOOLS[kind]
            schema = raw.get("parameters")
            function = FunctionTool(
                self._one_name("", tool.name),
                as_text(raw.get("description")) or tool.description,
                as_object(schema) if isinstance(schema, dict) else tool.schema,
            )
            self.tools.append(with_options(function, {**note, "native": raw}))
        else:
            self.tools.append(NativeTool(NAME, raw))

    def _add_named(self, raw: Mapping[str, Any], param: str, note: Mapping[str, Any]) -> None:
        given = as_text(raw.get("name"))
        if not given:
            raise InvalidRequest(f"every tool in `{param}` must have a name", param=param)
        space = as_text(as_object(note.get("namespace")).get("name"))
        name = self._one_name(space, given)
        description = as_text(raw.get("description"))
        known = _CUSTOM_FIELDS if raw.get("type") == "custom" else _FUNCTION_FIELDS
        rest = {field: value for field, value in raw.items() if field not in known and value is not None}
        more: dict[str, Any] = {**note, **({"tool": rest} if rest else {}), **({"name": given} if space else {})}
        if raw.get("type") == "custom":
            form = raw.get("format")
            custom = CustomTool(name, description, object_or_none(form))
            self.tools.append(with_options(custom, more))
            return
        schema, strict = raw.get("parameters"), raw.get("strict")
        function = FunctionTool(
            name,
            description,
            object_or_none(schema),
            strict if isinstance(strict, bool) else None,
        )
        self.tools.append(with_options(function, more))

    def _one_name(self, space: str, name: str) -> str:
        """A name that no other tool has; a tool given twice under one name stays twice, as the client said it."""
        if not space:
            return name
        joined = space + name if space.endswith("__") else f"{space}__{name}"
        candidate, count = joined, 2
        while candidate in self._taken:
            candidate, count = f"{joined}_{count}", count + 1
        self._taken.add(candidate)
        self._names[space, name] = candidate
        return candidate


def decode_choice(given: Any, box: Toolbox) -> ToolChoice | None:
    """`tool_choice`; None for one that names a built-in tool or is not known."""
    match given:
        case "auto" | "none" | "required":
            return ToolChoice(given)
        case {"type": "function" | "custom", "name": str()}:
            return ToolChoice("one", (box.name_of(as_text(as_object(given).get("namespace")), given["name"]),))
        case {"type": "allowed_tools"}:
            choice = as_object(given)
            tools = as_list(choice.get("tools"))
            names = [
                box.name_of(as_text(tool.get("namespace")), as_text(tool.get("name")))
                for tool in as_objects(tools)
                if tool.get("type") in ("function", "custom")
            ]
            if len(names) != len(tools) or not all(names):
                return None
            return ToolChoice("subset", tuple(names), choice.get("mode") == "required")
        case _:
            return None


def _web_search(raw: Mapping[str, Any], note: Mapping[str, Any]) -> Tool:
    filters = as_object(raw.get("filters"))
    location = as_object(raw.get("user_location"))
    blocked = filters.get("blocked_domains") or filters.get("excluded_domains")  # xAI says excluded
    tool = WebSearchTool(
        context_size=as_text(raw.get("search_context_size")),
        allowed_domains=_strings(filters.get("allowed_domains") or raw.get("allowed_domains")),
        blocked_domains=_strings(blocked or raw.get("excluded_domains")),
        location={name: location[name] for name in _LOCATION if isinstance(location.get(name), str)},
    )
    return with_options(tool, {**note, "tool": raw})


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(entry for entry in as_list(value) if isinstance(entry, str))
