"""Parts that only Gemini has: code that it ran, searches and other tools that it called on its own servers.

Source: https://ai.google.dev/api/caching#Part (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast

from anygate.canonical.blocks import NativeBlock, WebSearchCall
from anygate.protocols.google_gemini.names import PROTOCOL_NAME

_SIDE = frozenset({"thought", "thoughtSignature", "partMetadata"})


def native_item(part: Mapping[str, Any]) -> NativeBlock | WebSearchCall | None:
    """A part that has no canonical words; None where there is nothing in it."""
    if not any(value for name, value in part.items() if name not in _SIDE):
        return None
    call = part.get("toolCall")
    if isinstance(call, dict):
        call = cast("dict[str, Any]", call)
        if call.get("toolType") == "GOOGLE_SEARCH_WEB":
            query = next(iter(queries_of(part)), "")
            return WebSearchCall(_text(call, "id"), query, PROTOCOL_NAME, {"part": part})
    return NativeBlock(PROTOCOL_NAME, part, _shown(part))


def queries_of(part: Mapping[str, Any]) -> list[str]:
    """What a search part looked for."""
    call = part.get("toolCall")
    args = cast("dict[str, Any]", call).get("args") if isinstance(call, dict) else None
    queries = cast("dict[str, Any]", args).get("queries") if isinstance(args, dict) else None
    return (
        [query for query in cast("list[Any]", queries) if isinstance(query, str)] if isinstance(queries, list) else []
    )


def _shown(part: Mapping[str, Any]) -> str:
    """Code and its output as a reader of another protocol may see them."""
    code, result = part.get("executableCode"), part.get("codeExecutionResult")
    if isinstance(code, dict):
        code = cast("dict[str, Any]", code)
        return _fenced(_text(code, "language").lower(), _text(code, "code"))
    if isinstance(result, dict):
        output = _text(cast("dict[str, Any]", result), "output")
        return _fenced("", output) if output else ""
    text = part.get("text")
    return text if isinstance(text, str) else ""


def _fenced(language: str, text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    end = "" if text.endswith("\n") else "\n"
    return f"\n{fence}{language}\n{text}{end}{fence}\n"


def _text(owner: Mapping[str, Any], name: str) -> str:
    value = owner.get(name)
    return value if isinstance(value, str) else ""
