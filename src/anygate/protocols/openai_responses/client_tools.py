"""Tools of this protocol that the client itself runs: other protocols carry them as functions.

`local_shell` and the client's `tool_search` have items of their own in place of `function_call`. Codex uses both.
Source: https://platform.openai.com/docs/guides/tools-local-shell, .../tools-tool-search (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from anygate.protocols.json_values import as_list, as_object, as_objects, as_text
from anygate.protocols.lenient_json import load
from anygate.protocols.openai_responses.json_values import dumps


class ClientTool(NamedTuple):
    """Such a tool: its function's name, and the types of the items for its call and result."""

    name: str
    description: str
    call: str
    result: str
    schema: Mapping[str, Any]


_SHELL_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "Program and arguments."},
        "working_directory": {"type": "string"},
        "timeout_ms": {"type": "integer"},
    },
    "required": ["command"],
}
_SEARCH_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"query": {"type": "string"}},
    "required": ["query"],
}
CLIENT_TOOLS: Mapping[str, ClientTool] = {
    "local_shell": ClientTool(
        "local_shell",
        "Runs a command on the user's machine and returns its output.",
        "local_shell_call",
        "local_shell_call_output",
        _SHELL_SCHEMA,
    ),
    "tool_search": ClientTool(
        "tool_search",
        "Finds further tools; those found can be called afterwards.",
        "tool_search_call",
        "tool_search_output",
        _SEARCH_SCHEMA,
    ),
}
"""By the tool's `type`."""

BY_CALL = {tool.call: tool for tool in CLIENT_TOOLS.values()}
BY_RESULT = {tool.result: tool for tool in CLIENT_TOOLS.values()}


def runs_on_client(raw: Mapping[str, Any]) -> bool:
    """Is this tool, call or result of a tool search the client's own? Without a word it is the provider's."""
    kind = as_text(raw.get("type"))
    return not kind.startswith("tool_search") or raw.get("execution") == "client"


def decode_arguments(item: Mapping[str, Any]) -> str:
    """A call's arguments as JSON text."""
    given = item.get("action") if item.get("type") == "local_shell_call" else item.get("arguments")
    arguments = {name: value for name, value in as_object(given).items() if name != "type" and value not in (None, {})}
    return dumps(arguments).decode()


def encode_call(kind: str, call_id: str, arguments: str, item_id: str, status: str) -> dict[str, Any]:
    """The native item of a call of the tool with this `type`."""
    given = as_object(load(arguments.encode("utf-8", "replace")))
    item: dict[str, Any] = {"type": CLIENT_TOOLS[kind].call, "id": item_id, "call_id": call_id, "status": status}
    if kind == "tool_search":
        return item | {"execution": "client", "arguments": given}
    action: dict[str, Any] = {
        "type": "exec",
        "command": [word for word in as_list(given.get("command")) if isinstance(word, str)],
        "env": {},
        "timeout_ms": given.get("timeout_ms") if type(given.get("timeout_ms")) is int else None,
        "working_directory": as_text(given.get("working_directory")) or None,
    }
    return item | {"action": action}


def result_text(item: Mapping[str, Any]) -> str:
    """A result in words: a shell's output as it came, of a search the names that were found."""
    if item.get("type") != "tool_search_output":
        return as_text(item.get("output"))
    names = [as_text(inner.get("name")) for tool in as_objects(item.get("tools")) for inner in _leaves(tool)]
    return "Tools found: " + (", ".join(name for name in names if name) or "none")


def _leaves(tool: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*as_objects(tool.get("tools"))] if tool.get("type") == "namespace" else [tool]
