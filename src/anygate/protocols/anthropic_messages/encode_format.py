"""The form of an answer -> `output_config.format`, a forced tool, or words in the prompt.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (2026-11-22): objects must be closed.
"""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from anygate.canonical.blocks import Json
from anygate.canonical.chat import Format
from anygate.protocols.anthropic_messages.draft import Draft
from anygate.protocols.anthropic_messages.words import AS_TEXT, FORCED_FORMAT_TOOL

_ASK = "Answer with one JSON object and nothing else."
_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")


def encode_format(form: Format, document: dict[str, Any], draft: Draft) -> None:
    """Write the form into a document whose messages, tools and thinking are there already."""
    if form.kind == "schema" and form.schema is not None and (draft.own or draft.can.formats):
        schema = form.schema if draft.own else closed(form.schema)
        output = draft.restore("output_config.format", {"type": "json_schema", "schema": schema})
        document.setdefault("output_config", {})["format"] = output
        return
    forced = form.kind == "schema" and form.schema is not None and not document.get("tools") and not draft.can.formats
    if forced and document.get("thinking", {}).get("type", "disabled") == "disabled":
        _force(form, document, draft)
        return
    words = _ASK if form.schema is None else f"{_ASK} Its JSON Schema: {orjson.dumps(form.schema).decode()}"
    document["system"] = [*document.get("system", ()), {"type": "text", "text": words}]
    draft.drop("format", "asked for in the prompt and not enforced")


def _force(form: Format, document: dict[str, Any], draft: Draft) -> None:
    schema = form.schema or {}
    name = FORCED_FORMAT_TOOL
    tool: dict[str, Any] = {"name": name, "description": form.description or "Give the answer in this form."}
    tool["input_schema"] = schema if schema.get("type") == "object" else {**schema, "type": "object"}
    document["tools"] = [tool]
    document["tool_choice"] = {"type": "tool", "name": name, "disable_parallel_tool_use": True}
    draft.answer_names[name] = AS_TEXT


def closed(schema: Json) -> dict[str, Any]:
    """The schema with `additionalProperties: false` wherever an object does not say."""
    body = dict(schema)
    for name in _MAPS:
        inner = body.get(name)
        if isinstance(inner, Mapping):
            body[name] = {key: _closed(value) for key, value in cast("Json", inner).items()}
    for name in _LISTS:
        inner = body.get(name)
        if isinstance(inner, list):
            body[name] = [_closed(value) for value in cast("list[Any]", inner)]
    if "items" in body:
        body["items"] = _closed(body["items"])
    if body.get("type") == "object" or "properties" in body:
        body.setdefault("additionalProperties", False)
    return body


def _closed(value: Any) -> Any:
    return closed(cast("Json", value)) if isinstance(value, Mapping) else value
