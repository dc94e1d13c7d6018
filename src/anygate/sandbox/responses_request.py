"""Is this a valid Responses request? Errors are worded and coded as OpenAI words and codes them.

Source: https://platform.openai.com/docs/api-reference/responses/create, the official OpenAPI document
(`CreateResponse`) and answers of the real API (2026-11-22).
"""

import re
from typing import Any, Final

from anygate.sandbox.json_values import Json, as_list, as_object, is_list, is_object
from anygate.sandbox.openai_checks import (
    BOOLEAN,
    OBJECT,
    STRING,
    Check,
    check_known,
    check_metadata,
    each,
    number,
    one_of,
    wanted,
)
from anygate.sandbox.openai_errors import missing, wrong_type, wrong_value
from anygate.sandbox.openai_request import hides_reasoning
from anygate.sandbox.refusal import Refused
from anygate.sandbox.responses_schema import schema_fault
from anygate.sandbox.schema_instance import strictness_fault
from anygate.sandbox.vector_stores_search import check_filter

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
INCLUDES: Final = (
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
    "message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs",
    "reasoning.encrypted_content", "message.output_text.logprobs",
)  # fmt: skip
SEARCH_TOOLS: Final = ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11")
TOOLS: Final = (
    "function", "custom", "file_search", *SEARCH_TOOLS, "image_generation", "code_interpreter", "mcp", "local_shell",
    "shell", "apply_patch", "computer", "computer_use_preview", "tool_search", "namespace", "x_search",
)  # fmt: skip
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_NO_EFFORT: Final = re.compile(r"gpt-(4|3\.5)")


def _check_reasoning(param: str, value: Any) -> None:
    OBJECT(param, value)
    if value.get("effort") is not None:
        one_of(*EFFORTS)(f"{param}.effort", value["effort"])
    for name in ("summary", "generate_summary"):
        if value.get(name) is not None:
            one_of("auto", "concise", "detailed")(f"{param}.{name}", value[name])


def _check_text(param: str, value: Any) -> None:
    OBJECT(param, value)
    if value.get("verbosity") is not None:
        one_of("low", "medium", "high")(f"{param}.verbosity", value["verbosity"])
    form = value.get("format")
    if form is None:
        return
    OBJECT(f"{param}.format", form)
    kind = wanted(form, "type", f"{param}.format", str, "a string")
    one_of("text", "json_object", "json_schema")(f"{param}.format.type", kind)
    if kind == "json_schema":
        name = wanted(form, "name", f"{param}.format", str, "a string")
        schema = wanted(form, "schema", f"{param}.format", dict, "an object")
        fault = schema_fault(schema) or (strictness_fault(schema) if form.get("strict") is True else "")
        if fault:
            message = f"Invalid schema for response_format '{name}': {fault}"
            raise Refused(400, "invalid_json_schema", message, param=f"{param}.format.schema")


def _check_tool(param: str, value: Any) -> None:
    OBJECT(param, value)
    kind = wanted(value, "type", param, str, "a string")
    if kind not in TOOLS:
        raise wrong_value(f"{param}.type", kind, TOOLS)
    if kind in ("function", "custom"):
        name = wanted(value, "name", param, str, "a string")
        if _NAME.fullmatch(name) is None:
            message = (
                f"Invalid '{param}.name': string does not match pattern. Expected a string that matches the pattern "
                "'^[a-zA-Z0-9_-]+$'."
            )
            raise Refused(400, "invalid_value", message, param=f"{param}.name")
        parameters = value.get("parameters")
        if parameters is not None:
            OBJECT(f"{param}.parameters", parameters)
        strict = value.get("strict") is True
        fault = schema_fault(as_object(parameters)) or (strictness_fault(as_object(parameters)) if strict else "")
        if fault:
            message = f"Invalid schema for function '{name}': {fault}"
            raise Refused(400, "invalid_function_parameters", message, param=f"{param}.parameters")
    if kind == "file_search":
        stores = wanted(value, "vector_store_ids", param, list, "an array of strings")
        each(STRING)(f"{param}.vector_store_ids", stores)
        if value.get("filters") is not None:
            check_filter(f"{param}.filters", value["filters"])
        number(1, 50, whole=True)(f"{param}.max_num_results", value.get("max_num_results") or 20)
        threshold = as_object(value.get("ranking_options")).get("score_threshold") or 0
        number(0, 1, whole=False)(f"{param}.ranking_options.score_threshold", threshold)
    if kind == "image_generation":
        number(0, 3, whole=True)(f"{param}.partial_images", value.get("partial_images") or 0)
        one_of("auto", "1024x1024", "1024x1536", "1536x1024")(f"{param}.size", value.get("size") or "auto")


def _check_input(param: str, value: Any) -> None:
    if not isinstance(value, str) and not is_list(value):
        raise wrong_type(param, "one of an array of objects or a string", value)


def _check_conversation(param: str, value: Any) -> None:
    name = value if isinstance(value, str) else as_object(value).get("id")
    raise Refused(404, None, f"Conversation with id '{name}' not found.", param=param)


_CHECKS: Final[dict[str, Check]] = {
    "model": STRING,
    "input": _check_input,
    "instructions": STRING,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "store": BOOLEAN,
    "background": BOOLEAN,
    "previous_response_id": STRING,
    "conversation": _check_conversation,
    "include": each(one_of(*INCLUDES)),
    "reasoning": _check_reasoning,
    "text": _check_text,
    "tools": each(_check_tool),
    "parallel_tool_calls": BOOLEAN,
    "max_output_tokens": number(16, None, whole=True),
    "max_tool_calls": number(1, None, whole=True),
    "temperature": number(0, 2, whole=False),
    "top_p": number(0, 1, whole=False),
    "top_logprobs": number(0, 20, whole=True),
    "truncation": one_of("auto", "disabled"),
    "service_tier": STRING,
    "metadata": check_metadata,
    "user": STRING,
    "safety_identifier": STRING,
    "prompt_cache_key": STRING,
    "prompt_cache_retention": one_of("in_memory", "in-memory", "24h"),
    "prompt_cache_options": OBJECT,
    "prompt": OBJECT,
    "context_management": each(OBJECT),
    "moderation": OBJECT,
}
_KNOWN: Final = frozenset(
    {*_CHECKS, "tool_choice", "access_programs", "background_options", "client_metadata", "generate"}
)


def check_request(request: Json, model: str, *, strict: bool) -> None:
    """Check a request for `model`, but for the items of its input.

    Args:
        request: as it came.
        model: that the request names.
        strict: OpenAI itself refuses fields that it does not know; others who speak its protocol have more.

    Raises:
        Refused: with OpenAI's status, code and parameter.
    """
    if not model:
        raise missing("model")
    if strict:
        check_known(request, _KNOWN)
    for name, value in request.items():
        if value is not None and (check := _CHECKS.get(name)) is not None:
            check(name, value)
    if all(request.get(name) is None for name in ("input", "previous_response_id", "prompt", "conversation")):
        message = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation' must be provided."
        raise Refused(400, "missing_required_parameter", message, param="input")
    if request.get("stream_options") is not None and not request.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refused(400, None, message, param="stream_options")
    _check_choice(request)
    if strict:
        _check_model(request, model)


def _check_model(request: Json, model: str) -> None:
    """What OpenAI's reasoning models do not take, and what only they take."""
    if hides_reasoning(model):
        for name in ("temperature", "top_p"):
            if request.get(name) not in (None, 1):
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                raise Refused(400, None, message, param=name)
    elif _NO_EFFORT.match(model) and as_object(request.get("reasoning")).get("effort") not in (None, "none"):
        message = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
        raise Refused(400, "unsupported_parameter", message, param="reasoning.effort")
    elif _NO_EFFORT.match(model) and "reasoning.encrypted_content" in as_list(request.get("include")):
        raise Refused(400, None, "Encrypted content is not supported with this model.", param="include")


def _check_choice(request: Json) -> None:
    choice, tools = request.get("tool_choice"), [as_object(tool) for tool in as_list(request.get("tools"))]
    if choice is None:
        return
    if isinstance(choice, str):
        one_of("none", "auto", "required")("tool_choice", choice)
        if choice == "required" and not tools:
            message = "Tool choice 'required' must be specified with 'tools' parameter."
            raise Refused(400, None, message, param="tool_choice")
        return
    if not is_object(choice):
        raise wrong_type("tool_choice", "one of a string or an object", choice)
    kind = wanted(choice, "type", "tool_choice", str, "a string")
    if kind == "allowed_tools":
        wanted(choice, "tools", "tool_choice", list, "an array of objects")
        one_of("auto", "required")("tool_choice.mode", choice.get("mode", "auto"))
        return
    name = wanted(choice, "name", "tool_choice", str, "a string") if kind in ("function", "custom") else None
    if not any(tool.get("type") == kind and name in (None, tool.get("name")) for tool in tools):
        message = f"Tool choice '{name or kind}' not found in 'tools' parameter."
        raise Refused(400, None, message, param="tool_choice")
