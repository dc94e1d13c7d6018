"""A client's Responses request in canonical words.

Source: https://platform.openai.com/docs/api-reference/responses/create (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast, get_args

from anygate.canonical.blocks import Text
from anygate.canonical.chat import Chat, Effort, Format, Reasoning, Sampling, Turn
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.json_values import as_list, as_object, as_text
from anygate.protocols.openai_responses.carried import NAME, StateReference
from anygate.protocols.openai_responses.tools import Toolbox, decode_choice
from anygate.protocols.openai_responses.turns import TurnReader

STATE_FIELDS = ("previous_response_id", "conversation", "prompt")
"""Fields that stand for content which the upstream keeps."""

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

_READ = frozenset(
    {
        "model",
        "input",
        "instructions",
        "tools",
        "parallel_tool_calls",
        "max_output_tokens",
        "metadata",
        "service_tier",
        "prompt_cache_key",
        "user",
        "stream",
        *STATE_FIELDS,
    }
)
_EFFORTS = frozenset(get_args(Effort)) - {""}


def decode_request(request: ChatRequest) -> Chat:
    """The request of a client.

    What the upstream keeps of the history (`previous_response_id`, `conversation`, `prompt`) becomes a StateReference,
    which only this protocol can carry.

    Raises:
        InvalidRequest: a field or an item cannot be read; it is named.
    """
    document = request.document
    box = Toolbox()
    box.add_all(document.get("tools"), param="tools")
    reader = TurnReader(box)
    reader.read(request.opening)
    instructions = _text(document, "instructions")
    system = ([Text(instructions)] if instructions else []) + reader.system
    extras = {name: value for name, value in document.items() if name not in _READ and value is not None}
    extras.pop("max_output_tokens", None)
    include = _include(extras)
    user = _text(document, "user")
    if not user and isinstance(extras.get("safety_identifier"), str):
        user = extras.pop("safety_identifier")
    choice = decode_choice(extras.get("tool_choice"), box)
    if choice is not None:
        del extras["tool_choice"]
    form, verbosity = _text_options(extras)
    parallel = document.get("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        raise InvalidRequest("`parallel_tool_calls` must be true or false", param="parallel_tool_calls")
    reasoning = _reasoning(extras, ENCRYPTED in include)
    sampling = Sampling(
        temperature=_number(extras, "temperature"),
        top_p=_number(extras, "top_p"),
        presence_penalty=_number(extras, "presence_penalty"),
        frequency_penalty=_number(extras, "frequency_penalty"),
        logprobs=LOGPROBS in include,
        top_logprobs=_count(extras, "top_logprobs"),
    )
    return Chat(
        protocol=NAME,
        model=request.model,
        turns=_state(document) + tuple(reader.turns),
        system=tuple(system),
        tools=tuple(box.tools),
        tool_choice=choice,
        parallel_tools=parallel,
        output_limit=request.limit,
        sampling=sampling,
        format=form,
        reasoning=reasoning,
        verbosity=verbosity,
        service_tier=_text(document, "service_tier"),
        user=user,
        metadata=_object(document, "metadata"),
        cache_key=_text(document, "prompt_cache_key"),
        stream=request.stream,
        include_usage=True,
        extras=extras,
    )


def _state(document: Mapping[str, Any]) -> tuple[Turn, ...]:
    kept = {name: document[name] for name in STATE_FIELDS if document.get(name) is not None}
    return (Turn("user", (StateReference(NAME, kept),)),) if kept else ()


def _include(extras: dict[str, Any]) -> frozenset[str]:
    """Take the entries of `include` that we have words for; the others stay among the extras."""
    given = extras.pop("include", None)
    if given is None:
        return frozenset()
    if not isinstance(given, list):
        raise InvalidRequest("`include` must be a list", param="include")
    entries = as_list(given)
    others = [entry for entry in entries if entry not in (ENCRYPTED, LOGPROBS)]
    if others:
        extras["include"] = others
    return frozenset(entry for entry in entries if entry in (ENCRYPTED, LOGPROBS))


def _text_options(extras: dict[str, Any]) -> tuple[Format | None, str]:
    """Take `text`: the form of the answer and its verbosity; what else stands there goes back by its full name."""
    text = _object(extras, "text")
    extras.pop("text", None)
    form: Format | None = None
    for name, value in text.items():
        if name == "format" and isinstance(value, dict | None):
            form = _format(as_object(value), extras)
        elif name != "verbosity" and value is not None:
            extras[f"text.{name}"] = value
    return form, _text(text, "verbosity", "text.verbosity")


def _format(given: Mapping[str, Any], extras: dict[str, Any]) -> Format | None:
    match given.get("type"):
        case None | "text":
            return None
        case "json_object":
            return Format("json")
        case "json_schema":
            schema, strict = given.get("schema"), given.get("strict")
            if not isinstance(schema, dict):
                raise InvalidRequest("`text.format.schema` must be a JSON schema", param="text.format.schema")
            return Format(
                "schema",
                as_object(schema),  # pyright: ignore[reportUnknownArgumentType] any object
                as_text(given.get("name")),
                as_text(given.get("description")),
                strict if isinstance(strict, bool) else None,
            )
        case _:
            extras["text.format"] = given
            return None


def _reasoning(extras: dict[str, Any], encrypted: bool) -> Reasoning | None:
    """Take `reasoning`; what else stands there goes back by its full name."""
    given = _object(extras, "reasoning")
    extras.pop("reasoning", None)
    effort: Effort = ""
    summary = ""
    enabled: bool | None = None
    for name, value in given.items():
        if value is None:
            continue
        if name == "effort" and value == "none":
            enabled = False
        elif name == "effort" and isinstance(value, str) and value in _EFFORTS:
            enabled, effort = True, cast("Effort", value)
        elif name in ("summary", "generate_summary") and isinstance(value, str):  # the latter is its old name
            summary = summary or value
        else:
            extras[f"reasoning.{name}"] = value
    if not (encrypted or effort or summary or enabled is False):
        return None
    return Reasoning(enabled, effort, show=True if summary else None, summary=summary, encrypted=encrypted)


def _text(document: Mapping[str, Any], name: str, path: str = "") -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(f"`{path or name}` must be a text", param=path or name)
    return value


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidRequest(f"`{name}` must be an object", param=name)
    return as_object(value)


def _number(extras: dict[str, Any], name: str) -> float | None:
    value = extras.pop(name, None)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise InvalidRequest(f"`{name}` must be a number", param=name)


def _count(extras: dict[str, Any], name: str) -> int | None:
    value = extras.pop(name, None)
    if value is None or type(value) is int:
        return value
    raise InvalidRequest(f"`{name}` must be a whole number", param=name)
