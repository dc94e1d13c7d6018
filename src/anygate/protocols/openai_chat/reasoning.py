"""How reasoning is asked for, in the dialects of Chat Completions.

Sources: `reasoning_effort` https://platform.openai.com/docs/guides/reasoning; `reasoning` {effort, max_tokens, enabled,
exclude} https://openrouter.ai/docs/use-cases/reasoning-tokens; `thinking` {type} https://docs.z.ai/guides/capabilities/thinking;
`enable_thinking`, `thinking_budget` https://help.aliyun.com/zh/model-studio/deep-thinking; `google.thinking_config`
{thinking_budget, thinking_level, include_thoughts} https://ai.google.dev/gemini-api/docs/openai, also inside a literal
`extra_body`, which OpenAI's SDKs would have unwrapped (2026-11-22).
"""

from typing import Any, cast, get_args

from anygate.canonical.chat import Chat, Effort, Reasoning
from anygate.protocols.chat_codec import Dropped, Target
from anygate.protocols.effort import budget_of, effort_of
from anygate.protocols.json_values import Object
from anygate.protocols.openai_chat.dialect import has
from anygate.protocols.openai_chat.fields import as_count
from anygate.protocols.openai_models import is_o_series, knows_effort_none, takes_no_reasoning
from anygate.protocols.parameter_names import client_name

FIELDS = frozenset(
    {"reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget", "google", "extra_body"}
)
_NESTED = ("reasoning", "thinking", "google", "google.thinking_config", "extra_body")
"""Objects whose members are settings of their own; all of them may lie in `extra_body`."""
_GOOGLE = "google.thinking_config."
_EFFORTS = frozenset(get_args(Effort)) - {""}


def decode_reasoning(document: Object) -> tuple[Reasoning | None, Object]:
    """What is wanted, and the members that have no canonical word ("thinking.clear_thinking")."""
    extras: Object = {}
    enabled: bool | None = None
    effort: Effort = ""
    budget: int | None = None
    show: bool | None = None
    settings = _settings(document)
    for name, value in settings:
        match name, value:
            case ("reasoning_effort" | "reasoning.effort", "none") | ("thinking.type", "disabled"):
                enabled = False
            case ("reasoning_effort" | "reasoning.effort", str()) if value in _EFFORTS:
                effort = cast("Effort", value)
            case ("reasoning.max_tokens" | "thinking.budget_tokens" | "thinking_budget", int()) if as_count(value):
                budget = value
            case ("reasoning.enabled" | "enable_thinking", bool()):
                enabled = value
            case ("thinking.type", "enabled") | ("adaptive", _):
                enabled = True
            case ("reasoning.exclude", bool()):
                show = not value
            case _:
                extras[name] = value
    if effort and enabled is None:
        enabled = True
    if enabled is None and budget is None and show is None:
        return None, extras
    return Reasoning(enabled, effort, budget, ("adaptive", True) in settings, show), extras


def _settings(document: Object) -> list[tuple[str, Any]]:
    """Every setting by its full name; a null says nothing."""
    found: list[tuple[str, Any]] = []
    waiting = [(name, document[name]) for name in sorted(FIELDS & document.keys(), reverse=True)]
    while waiting:
        name, value = waiting.pop()
        if name.removeprefix("extra_body.") in _NESTED and isinstance(value, dict):
            waiting += [(f"{name}.{inner}", item) for inner, item in cast("Object", value).items()]
        elif name.removeprefix("extra_body.").startswith(_GOOGLE):
            found += _google_setting(name, value)
        elif value is not None:
            found.append((name, value))
    return found


def _google_setting(name: str, value: Any) -> list[tuple[str, Any]]:
    """One of Google's settings in the words of the others; "adaptive": the model decides. Itself where it has no twin."""
    match name.rpartition(".")[2], value:
        case _, None:
            return []
        case "thinking_budget", int() if type(value) is int and (value in (-1, 0) or as_count(value)):
            if value == 0:
                return [("thinking.type", "disabled")]
            return [("adaptive", True)] if value < 0 else [("enable_thinking", True), ("thinking_budget", value)]
        case "thinking_level", str() if value.lower() in _EFFORTS:
            return [("reasoning_effort", value.lower())]
        case "include_thoughts", bool():
            return [("reasoning.exclude", not value)]
        case _:
            return [(name, value)]


def encode_reasoning(chat: Chat, target: Target) -> tuple[Object, tuple[Dropped, ...]]:
    """The members for an upstream of this dialect, and what could not be said."""
    wanted = chat.reasoning
    if wanted is None:
        return {}, ()
    if has(target, "reasoning_object"):
        return _as_object(wanted), ()
    if has(target, "thinking_object"):
        return _as_thinking(wanted), ()
    if has(target, "enable_thinking"):
        body: Object = {} if wanted.enabled is None else {"enable_thinking": wanted.enabled}
        if wanted.enabled is not False and (wanted.budget or wanted.effort):
            body["thinking_budget"] = wanted.budget or budget_of(wanted.effort)
        return body, ()
    return _as_effort(chat, wanted, target)


def _as_effort(chat: Chat, wanted: Reasoning, target: Target) -> tuple[Object, tuple[Dropped, ...]]:
    """OpenAI's own field. Its models show no thoughts in this protocol."""
    parameter = client_name(chat.protocol, "reasoning")
    effort = wanted.effort or (effort_of(wanted.budget) if wanted.budget else "")
    if takes_no_reasoning(target):
        asked = wanted.enabled is not False and bool(effort)
        return {}, (Dropped(parameter, "the model does not reason"),) if asked else ()
    if wanted.enabled is False:
        lowest = "low" if is_o_series(target) else "minimal"
        return {"reasoning_effort": "none" if knows_effort_none(target) else lowest}, ()
    hidden = wanted.show and has(target, "openai_models")
    dropped = (Dropped(parameter, "the provider does not show what the model thought"),) if hidden else ()
    return ({"reasoning_effort": effort} if effort else {}), dropped


def _as_object(wanted: Reasoning) -> Object:
    body: Object = {}
    if wanted.enabled is False:
        body["effort"] = "none"
    elif wanted.budget is not None:
        body["max_tokens"] = wanted.budget
    elif wanted.effort:
        body["effort"] = wanted.effort
    elif wanted.enabled:
        body["enabled"] = True
    if wanted.show is False:
        body["exclude"] = True
    return {"reasoning": body} if body else {}


def _as_thinking(wanted: Reasoning) -> Object:
    """The switch; the effort beside it, which upstreams without levels leave unread."""
    body: Object = {} if wanted.enabled is None else {"thinking": {"type": "enabled" if wanted.enabled else "disabled"}}
    if wanted.effort and wanted.enabled is not False:
        body["reasoning_effort"] = wanted.effort
    return body
