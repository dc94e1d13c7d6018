"""Is this a valid Messages request? Top-level fields and the rules between them.

Sources: the types of the official SDK (anthropic 2.12 for Python), `CreateMessageParams` and `CountMessageTokensParams` of the API's OpenAPI document,
https://docs.claude.com/en/api/messages (2026-11-02), and error answers of the real API.
"""

from collections.abc import Mapping
from typing import Any, Final

from anygate.sandbox.anthropic_blocks import TEXT
from anygate.sandbox.anthropic_checks import (
    CACHE_CONTROL,
    Check,
    any_value,
    boolean,
    fields,
    list_of,
    named,
    nullable,
    number,
    schema,
    string,
    tagged,
)
from anygate.sandbox.anthropic_errors import extra, invalid, missing, wrong_type
from anygate.sandbox.anthropic_models import Abilities, abilities_of
from anygate.sandbox.anthropic_seal import seal_of
from anygate.sandbox.anthropic_tools import check_tool_choice, check_tools
from anygate.sandbox.anthropic_turns import check_turns, turns_of
from anygate.sandbox.json_values import Json, as_list, as_object, as_text, is_list
from anygate.sandbox.refusal import Refused
from anygate.sandbox.speaker import Ask

VERSIONS: Final = ("2023-01-01", "2023-06-01", "2026-10-21")
MOST_BREAKPOINTS: Final = 4
_SEE: Final = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"


def _system(place: str, value: object) -> None:
    if not isinstance(value, str):
        if not is_list(value):
            raise wrong_type(place, "a valid string or list")
        list_of(TEXT)(place, value)


_DISPLAY: Final = nullable(named("summarized", "omitted"))
_THINKING: Final = tagged(
    {
        "adaptive": fields({"type": string}, {"display": _DISPLAY}),
        "between_tools": fields({"type": string}, {}),
        "disabled": fields({"type": string}, {}),
        "enabled": fields({"type": string, "budget_tokens": number(1024, whole=True)}, {"display": _DISPLAY}),
    }
)
_FORMAT: Final = tagged({"json_schema": fields({"type": string, "schema": schema}, {})})
_OUTPUT: Final = fields(
    {}, {"effort": nullable(named("low", "medium", "high", "xhigh", "max")), "format": nullable(_FORMAT)}
)
_COUNTED: Final[Mapping[str, Check]] = {
    "messages": any_value,  # judged turn by turn
    "model": string,
    "cache_control": CACHE_CONTROL,
    "output_config": _OUTPUT,
    "system": _system,
    "thinking": _THINKING,
    "tool_choice": any_value,  # judged with the tools
    "tools": any_value,
}
_CREATED: Final[Mapping[str, Check]] = {
    **_COUNTED,
    "max_tokens": number(0, whole=True),
    "container": any_value,
    "diagnostics": nullable(fields({}, {"previous_message_id": nullable(string)})),
    "inference_geo": nullable(string),
    "metadata": fields({}, {"user_id": nullable(string)}),
    "service_tier": named("auto", "standard_only"),
    "stop_sequences": list_of(string),
    "speed": nullable(named("standard", "fast")),
    "stream": boolean,
    "temperature": number(0, 1),
    "top_k": number(0, whole=True),
    "top_p": number(0, 1),
    "user_profile_id": string,
}
_WITH_BETA: Final[Mapping[str, tuple[str, Check]]] = {
    "output_format": ("structured-outputs", nullable(_FORMAT)),
    "mcp_servers": ("mcp-client", any_value),
    "context_management": ("context-management", any_value),
}


def betas_of(ask: Ask) -> str:
    """The beta names that came, in the header or, where a platform has it there, in the body."""
    listed = [as_text(item) for item in as_list(ask.request.get("anthropic_beta"))]
    return ",".join([ask.headers.get("anthropic-beta", ""), *listed])


def format_of(request: Json) -> Json:
    """What shape the answer has to have; empty: any."""
    return as_object(as_object(request.get("output_config")).get("format") or request.get("output_format"))


def thinks(request: Json) -> str:
    """`enabled`, `adaptive`, `between_tools`, or "" where thinking is off."""
    kind = as_text(as_object(request.get("thinking")).get("type"))
    return kind if kind != "disabled" else ""


def check_request(ask: Ask) -> None:
    """Check a request for an answer or, where the operation is `count_tokens`, for a count.

    Raises:
        Refused: in Anthropic's words.
    """
    counting = ask.operation == "count_tokens"
    _check_version(ask)
    if not ask.model:
        raise missing("model")
    known = _COUNTED if counting else _CREATED
    required = ("messages",) if counting else ("max_tokens", "messages")
    for name in required:
        if name not in ask.request:
            raise missing(name)
    betas = betas_of(ask)
    for name, value in ask.request.items():
        check = known.get(name) or _beta_check(name, betas) or _platform_check(name, ask)
        if check is None or (name in ("model", "stream") and _stands_in_path(name, ask)):
            raise extra(name)
        check(name, value)
    abilities = abilities_of(ask.model)
    _check_thinking(ask.request, abilities)
    _check_sampling(ask.request, abilities)
    _check_output(ask.request, abilities, ask.model)
    check_tools(ask.request.get("tools"), betas)
    check_tool_choice(ask.request, budget=thinks(ask.request) == "enabled")
    _check_breakpoints(ask.request)
    turns = turns_of(ask.request["messages"], system=abilities.system_turns)
    budget = thinks(ask.request) == "enabled"
    check_turns(turns, seal_of(ask), budget=budget, prefill=abilities.prefill)


def _check_version(ask: Ask) -> None:
    """The API's version stands in the body of a platform that carries the API, else in a header.

    Other makers who speak this protocol do not ask for the header: where the table sends none, none is asked for.
    """
    wanted = platform_version(ask)
    if wanted:
        if "anthropic_version" not in ask.request:
            raise missing("anthropic_version")
        if ask.request["anthropic_version"] != wanted:
            raise invalid(f"anthropic_version: Input should be '{wanted}'", "anthropic_version")
        return
    given = ask.headers.get("anthropic-version", "")
    endpoint = ask.provider.endpoints.get(ask.operation)
    if not given and endpoint is not None and "anthropic-version" in endpoint.headers:
        raise invalid("anthropic-version: header is required")
    if given and given not in VERSIONS:
        raise invalid(f'anthropic-version: "{given}" is not a valid version')


def platform_version(ask: Ask) -> str:
    """The `anthropic_version` that the body has to name, "" where a header names it."""
    endpoint = ask.provider.endpoints.get(ask.operation)
    return as_text(endpoint.set_body.get("anthropic_version")) if endpoint is not None else ""


def _platform_check(name: str, ask: Ask) -> Check | None:
    """Fields that a body has only where a platform carries the API."""
    return any_value if name in ("anthropic_version", "anthropic_beta") and platform_version(ask) else None


def _stands_in_path(name: str, ask: Ask) -> bool:
    """Does the path say it, so that the body may not? Of streaming only the platform that frames streams its own way."""
    endpoint = ask.provider.endpoints.get(ask.operation)
    return name in ask.values or (name == "stream" and endpoint is not None and endpoint.framing == "aws")


def _beta_check(name: str, betas: str) -> Check | None:
    beta, check = _WITH_BETA.get(name, ("", None))
    return check if beta and beta in betas else None


def _check_thinking(request: Json, abilities: Abilities) -> None:
    kind, thinking = thinks(request), as_object(request.get("thinking"))
    if not kind:
        return
    if kind == "adaptive" and not abilities.adaptive:
        raise invalid("adaptive thinking is not supported on this model", "thinking")
    if kind == "enabled":
        if not abilities.budget:
            message = (
                '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
                '"output_config.effort" to control thinking behavior.'
            )
            raise invalid(message, "thinking")
        if request.get("max_tokens", 1 << 40) <= thinking["budget_tokens"]:
            message = f"`max_tokens` must be greater than `thinking.budget_tokens`. {_SEE}"
            raise invalid(message, "max_tokens")
    if request.get("temperature", 1) != 1:
        message = f"`temperature` may only be set to 1 when thinking is enabled or in adaptive mode. {_SEE}"
        raise invalid(message, "temperature")
    if request.get("top_p", 1) < 0.95:
        message = f"`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled. {_SEE}"
        raise invalid(message, "top_p")
    if "top_k" in request:
        raise invalid(f"`top_k` must be unset when thinking is enabled. {_SEE}", "top_k")


def _check_sampling(request: Json, abilities: Abilities) -> None:
    limit = abilities.max_output
    if limit and (asked := request.get("max_tokens", 0)) > limit:
        message = f"max_tokens: {asked} > {limit}, which is the maximum allowed number of output tokens for this model"
        raise invalid(message, "max_tokens")
    if not abilities.samples:
        taken: tuple[tuple[str, Any], ...] = (("temperature", 1), ("top_p", 0.99))
        for name, least in taken:
            if name in request and request[name] < least:
                raise invalid(f"`{name}` is deprecated for this model.", name)
        if "top_k" in request:
            raise invalid("`top_k` is deprecated for this model.", "top_k")
    elif abilities.max_output and "temperature" in request and "top_p" in request and abilities.efforts:
        message = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        raise invalid(message, "top_p")
    for index, mark in enumerate(as_list(request.get("stop_sequences"))):
        if not mark.strip():
            raise invalid("stop_sequences: each stop sequence must contain non-whitespace", f"stop_sequences.{index}")


def _check_output(request: Json, abilities: Abilities, model: str) -> None:
    effort = as_object(request.get("output_config")).get("effort")
    if effort is not None and effort not in abilities.efforts:
        if not abilities.efforts:
            raise invalid("This model does not support the effort parameter.", "output_config.effort")
        listed = ", ".join(abilities.efforts)
        message = f"This model does not support effort level '{effort}'. Supported levels: {listed}."
        raise invalid(message, "output_config.effort")
    if format_of(request) and not abilities.structured:
        raise invalid(f"'{model}' does not support output format.", "output_config.format")


def _check_breakpoints(request: Json) -> None:
    """At most four marks, and none with a longer life behind one with a shorter."""
    lives: list[str] = []
    blocks = [*as_list(request.get("tools")), *as_list(request.get("system"))]
    for message in as_list(request.get("messages")):
        blocks += as_list(as_object(message).get("content"))
    for block in blocks:
        mark = as_object(block).get("cache_control")
        if mark is not None:
            lives.append(as_text(as_object(mark).get("ttl")) or "5m")
    if request.get("cache_control") is not None:
        lives.append(as_text(as_object(request["cache_control"]).get("ttl")) or "5m")
    if len(lives) > MOST_BREAKPOINTS:
        message = f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {len(lives)}."
        raise Refused(400, None, message)
    if "1h" in lives[lives.index("5m") :] if "5m" in lives else False:
        message = (
            "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are "
            "processed in the following order: `tools`, `system`, `messages`."
        )
        raise invalid(message)
