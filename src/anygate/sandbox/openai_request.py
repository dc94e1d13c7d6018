"""Is this a valid Chat Completions request? Errors are worded and coded as OpenAI words and codes them.

Source: the official OpenAPI document (`CreateChatCompletionRequest`) and answers of the real API. Fields that the
document does not know pass: upstreams that speak this protocol have many of their own.
"""

import re
from typing import Any, Final

from anygate.sandbox.json_values import Json, as_list, as_object, is_list, is_object
from anygate.sandbox.openai_checks import BOOLEAN, OBJECT, STRING, Check, number
from anygate.sandbox.openai_errors import empty_array, missing, wrong_type, wrong_value
from anygate.sandbox.openai_messages import check_messages
from anygate.sandbox.refusal import Refused
from anygate.sandbox.schema_instance import strictness_fault

_HIDDEN_REASONER = re.compile(r"(o1|o3|o4|gpt-5)(?![a-z0-9])(?!.*-chat)")
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def hides_reasoning(model: str) -> bool:
    """Is this one of OpenAI's reasoning models, which think unseen and refuse some parameters?"""
    return _HIDDEN_REASONER.match(model) is not None


def _one_of(*names: str) -> Check:
    def check(param: str, value: Any) -> None:
        if not isinstance(value, str):
            raise wrong_type(param, "a string", value)
        if value not in names:
            raise wrong_value(param, value, names)

    return check


def _check_stop(param: str, value: Any) -> None:
    if isinstance(value, str):
        return
    if not is_list(value) or not all(isinstance(item, str) for item in value):
        raise wrong_type(param, "one of an array of strings or a string", value)
    if len(value) > 4:
        message = (
            f"Invalid '{param}': array too long. Expected an array with maximum length 4, "
            f"but got an array with length {len(value)} instead."
        )
        raise Refused(400, "array_above_max_length", message, param=param)


def _check_modalities(param: str, value: Any) -> None:
    if not is_list(value):
        raise wrong_type(param, "an array of strings", value)
    for index, item in enumerate(value):
        if item not in ("text", "audio", "image"):  # image: what image models behind this protocol take
            raise wrong_value(f"{param}[{index}]", item, ("text", "audio"))


def _check_function(param: str, value: Any, *, strict: bool) -> None:
    function = as_object(value)
    if "name" not in function:
        raise missing(f"{param}.name")
    name = function["name"]
    if not isinstance(name, str) or _FUNCTION_NAME.fullmatch(name) is None:
        message = f"Invalid '{param}.name': string does not match pattern. Expected a string that matches the pattern "
        raise Refused(400, "invalid_value", message + "'^[a-zA-Z0-9_-]+$'.", param=f"{param}.name")
    parameters = function.get("parameters")
    if parameters is not None and not is_object(parameters):
        raise wrong_type(f"{param}.parameters", "an object", parameters)
    if strict and (fault := strictness_fault(as_object(parameters))):
        message = f"Invalid schema for function '{name}': {fault}"
        raise Refused(400, "invalid_function_parameters", message, param=f"{param}.parameters")


def _check_tools(param: str, value: Any) -> None:
    if not is_list(value):
        raise wrong_type(param, "an array of objects", value)
    if not value:
        raise empty_array(param)
    for index, item in enumerate(value):
        place, tool = f"{param}[{index}]", as_object(item)
        kind = tool.get("type")
        if kind is None:
            raise missing(f"{place}.type")
        if kind not in ("function", "custom"):
            raise wrong_value(f"{place}.type", kind, ("function", "custom"))
        if not isinstance(tool.get(kind), dict):
            raise missing(f"{place}.{kind}")
        strict = kind == "function" and as_object(tool[kind]).get("strict") is True
        _check_function(f"{place}.{kind}", tool[kind], strict=strict)


def _check_functions(param: str, value: Any) -> None:
    if not is_list(value):
        raise wrong_type(param, "an array of objects", value)
    for index, item in enumerate(value):
        _check_function(f"{param}[{index}]", item, strict=False)


def _check_response_format(param: str, value: Any) -> None:
    if not is_object(value):
        raise wrong_type(param, "an object", value)
    kind = value.get("type")
    if kind is None:
        raise missing(f"{param}.type")
    if kind not in ("text", "json_object", "json_schema"):
        raise wrong_value(f"{param}.type", kind, ("json_object", "json_schema", "text"))
    if kind != "json_schema":
        return
    if not isinstance(value.get("json_schema"), dict):
        raise missing(f"{param}.json_schema")
    wanted = as_object(value["json_schema"])
    if not isinstance(wanted.get("name"), str):
        raise missing(f"{param}.json_schema.name")
    if not isinstance(wanted.get("schema"), dict):
        raise missing(f"{param}.json_schema.schema")
    if wanted.get("strict") is True and (fault := strictness_fault(as_object(wanted["schema"]))):
        message = f"Invalid schema for response_format '{wanted['name']}': {fault}"
        raise Refused(400, None, message, param=param)


def _check_audio(param: str, value: Any) -> None:
    if not is_object(value):
        raise wrong_type(param, "an object", value)
    for name in ("voice", "format"):
        if name not in value:
            raise missing(f"{param}.{name}")
    _one_of("wav", "aac", "mp3", "flac", "opus", "pcm16")(f"{param}.format", value["format"])


_CHECKS: Final[dict[str, Check]] = {
    "model": STRING,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "temperature": number(0, 2, whole=False),
    "top_p": number(0, 1, whole=False),
    "frequency_penalty": number(-2, 2, whole=False),
    "presence_penalty": number(-2, 2, whole=False),
    "n": number(1, 128, whole=True),
    "max_tokens": number(1, None, whole=True),
    "max_completion_tokens": number(1, None, whole=True),
    "seed": number(-(2**63), 2**63, whole=True),
    "logprobs": BOOLEAN,
    "top_logprobs": number(0, 20, whole=True),
    "logit_bias": OBJECT,
    "metadata": OBJECT,
    "store": BOOLEAN,
    "service_tier": STRING,
    "user": STRING,
    "prompt_cache_key": STRING,
    "parallel_tool_calls": BOOLEAN,
    "reasoning_effort": _one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "verbosity": _one_of("low", "medium", "high"),
    "stop": _check_stop,
    "modalities": _check_modalities,
    "audio": _check_audio,
    "tools": _check_tools,
    "functions": _check_functions,
    "response_format": _check_response_format,
    "web_search_options": OBJECT,
}


def _check_reasoner(request: Json) -> None:
    if request.get("max_tokens") is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise Refused(400, "unsupported_parameter", message, param="max_tokens")
    if request.get("stop") is not None:
        message = "Unsupported parameter: 'stop' is not supported with this model."
        raise Refused(400, "unsupported_parameter", message, param="stop")
    if request.get("temperature") not in (None, 1):
        message = (
            f"Unsupported value: 'temperature' does not support {request['temperature']} with this model. "
            "Only the default (1) value is supported."
        )
        raise Refused(400, "unsupported_value", message, param="temperature")


def _check_together(request: Json) -> None:
    """Rules between fields."""
    if request.get("max_tokens") is not None and request.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise Refused(400, "invalid_parameter_combination", message, param="max_tokens")
    if request.get("stream_options") is not None and not request.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refused(400, None, message, param="stream_options")
    if request.get("top_logprobs") is not None and not request.get("logprobs"):
        message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise Refused(400, None, message, param="top_logprobs")
    if request.get("tool_choice") not in (None, "none") and not request.get("tools"):
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise Refused(400, None, message, param="tool_choice")
    if "audio" in as_list(request.get("modalities")):
        if request.get("audio") is None:
            raise missing("audio")
        form = as_object(request["audio"])["format"]
        allowed = ("pcm16",) if request.get("stream") else ("wav", "mp3", "pcm16")
        if form not in allowed:
            message = f"Unsupported value: 'audio.format' does not support '{form}'"
            raise Refused(
                400, "unsupported_value", f"{message} here. Use {' or '.join(allowed)}.", param="audio.format"
            )


def _check_tool_choice(request: Json) -> None:
    choice = request.get("tool_choice")
    if choice is None:
        return
    if isinstance(choice, str):
        _one_of("none", "auto", "required")("tool_choice", choice)
        return
    if not is_object(choice):
        raise wrong_type("tool_choice", "one of a string or an object", choice)
    kind = choice.get("type")
    _one_of("function", "custom", "allowed_tools")("tool_choice.type", kind)
    if kind == "allowed_tools":
        return
    name = as_object(choice.get(str(kind))).get("name")
    if not isinstance(name, str):
        raise missing(f"tool_choice.{kind}.name")
    tools = [as_object(tool) for tool in as_list(request.get("tools"))]
    if name not in [as_object(tool.get(str(kind))).get("name") for tool in tools]:
        message = f"Invalid value for 'tool_choice': no tool named '{name}' was specified in the 'tools' parameter."
        raise Refused(400, None, message, param="tool_choice")


def check_request(request: Json, model: str, *, tool_images: bool = False) -> None:
    """Check a request for `model`. `tool_images`: as for `check_messages`.

    Raises:
        Refused: with OpenAI's status, code and parameter.
    """
    if not model:
        raise Refused(400, None, "you must provide a model parameter")
    if "messages" not in request:
        raise missing("messages")
    for name, value in request.items():
        if value is not None and (check := _CHECKS.get(name)) is not None:
            check(name, value)
    check_messages(request["messages"], tool_images=tool_images)
    _check_together(request)
    _check_tool_choice(request)
    if hides_reasoning(model):
        _check_reasoner(request)
