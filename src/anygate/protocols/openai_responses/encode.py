"""A chat in the words of OpenAI Responses, for an upstream.

Source: https://platform.openai.com/docs/api-reference/responses/create (2026-11-22).
"""

import re
from typing import Any

from anygate.canonical.blocks import Media
from anygate.canonical.chat import Chat, CustomTool, Format, FunctionTool, NativeTool, WebSearchTool
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.chat_codec import Encoded, Target
from anygate.protocols.effort import effort_of
from anygate.protocols.json_values import as_list
from anygate.protocols.leftovers import dropped_extras
from anygate.protocols.openai_models import is_o_series, is_openai_reasoner, knows_effort_none, takes_no_reasoning
from anygate.protocols.openai_responses.carried import NAME, StateReference, options_of
from anygate.protocols.openai_responses.decode import ENCRYPTED, LOGPROBS
from anygate.protocols.openai_responses.items_out import ItemWriter
from anygate.protocols.openai_responses.request import LIMIT_FIELD
from anygate.protocols.openai_responses.tools_out import encode_choice, encode_tools
from anygate.protocols.parameter_names import client_name
from anygate.protocols.tool_names import safe_names

_NAME_CHARACTER = re.compile(r"[A-Za-z0-9_-]")
_LONGEST_NAME = 64  # the document says 128 for Responses; other upstreams of this protocol keep to 64
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
EXCLUDES = "excluded_domains"
"""The word of `Provider.traits` for upstreams whose web search can be kept off domains (xAI)."""

_SHARED = frozenset(
    {"store", "safety_identifier", "prompt_cache_retention", "prompt_cache_options", "moderation", "top_logprobs"}
)
"""Fields of Chat Completions that mean the same here."""

_UNKNOWN = (
    ("top_k", "top_k"),
    ("seed", "seed"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("logit_bias", "logit_bias"),
)


def inlines(media: Media) -> bool:
    """Must the gateway fetch it first? Never: images and files travel by URL, and what else there is not at all."""
    del media
    return False


def encode_request(chat: Chat, target: Target) -> Encoded:
    """The body for an upstream.

    An answer is not stored there unless the client of OpenAI's own protocols said so.

    Raises:
        UnsupportedContent: media, tools or blocks without a twin, or several choices; the client's field is named.
    """
    own = chat.protocol == NAME
    _refuse(chat)
    names = _tool_names(chat)
    writer = ItemWriter(chat, target, names)
    document: dict[str, Any] = {"model": target.model}
    _write_turns(chat, writer, document)
    excludes = EXCLUDES in target.traits
    tools = encode_tools(chat.tools, names, own=own, excludes=excludes)
    if tools:
        document["tools"] = tools
        _drop_tool_hints(chat, writer, excludes)
    if chat.tool_choice is not None:
        document["tool_choice"] = encode_choice(chat.tool_choice, chat.tools, names)
    if chat.parallel_tools is not None:
        document["parallel_tool_calls"] = chat.parallel_tools
    if target.limit is not None:
        document[target.limit_field or LIMIT_FIELD] = target.limit
    include = _sampling(chat, target, writer, document)
    encrypted = _reasoning(chat, target, writer, document)
    text = _text(chat)
    if text:
        document["text"] = text
    _plain_fields(chat, writer, document)
    carried = _extras(chat, document)
    include = [*as_list(document.pop("include", None)), *([ENCRYPTED] if encrypted else []), *include]
    if include:
        document["include"] = include
    if chat.stream:
        document["stream"] = True
    if not own:
        document.setdefault("store", False)
    dropped = (*writer.dropped.values(), *(() if own else dropped_extras(chat, carried)))
    return Encoded(document, dropped, {new: old for old, new in names.items()}, chat.stop)


def _refuse(chat: Chat) -> None:
    if chat.choices > 1:
        raise UnsupportedContent("This model gives one choice at a time", param=client_name(chat.protocol, "choices"))
    if any(kind != "text" for kind in chat.modalities):
        raise UnsupportedContent("This model answers with text only", param=client_name(chat.protocol, "modalities"))
    for tool in chat.tools:
        if isinstance(tool, NativeTool) and tool.protocol != NAME:
            raise UnsupportedContent(
                "A built-in tool of another provider cannot be used with this model",
                param=client_name(chat.protocol, "tools"),
            )


def _tool_names(chat: Chat) -> dict[str, str]:
    """The names that must change; those inside a namespace are told by two names and keep them."""
    named = (tool for tool in chat.tools if isinstance(tool, FunctionTool | CustomTool))
    return safe_names(
        (tool.name for tool in named if "namespace" not in options_of(tool)), _NAME_CHARACTER, _LONGEST_NAME
    )


def _write_turns(chat: Chat, writer: ItemWriter, document: dict[str, Any]) -> None:
    """`instructions` and `input`; system texts that were items stay items, and with nothing else to say become one."""
    instructions = [block for block in chat.system if "item" not in options_of(block)]
    messages = [block for block in chat.system if "item" in options_of(block)]
    if not chat.turns and not messages:
        messages, instructions = instructions, []
    if instructions:
        document["instructions"] = "\n\n".join(block.text for block in instructions)
        if any(block.cache is not None for block in instructions):
            writer.mark_dropped("cache", "the provider caches by itself")
    for block in messages:
        writer.text_item(writer.system_role, block)
    for turn in chat.turns:
        for block in turn.blocks:
            if isinstance(block, StateReference):
                document.update(block.raw)
        writer.write(turn)
    document["input"] = writer.items


def _drop_tool_hints(chat: Chat, writer: ItemWriter, excludes: bool) -> None:
    if any(isinstance(tool, FunctionTool) and tool.cache is not None for tool in chat.tools):
        writer.mark_dropped("cache", "the provider caches by itself")
    for tool in chat.tools:
        if not isinstance(tool, WebSearchTool) or options_of(tool):
            continue
        excluded = excludes and not tool.allowed_domains
        if (tool.blocked_domains and not excluded) or tool.max_uses is not None:
            writer.mark_dropped("tools", "blocked domains and the number of searches cannot be set there")


def _sampling(chat: Chat, target: Target, writer: ItemWriter, document: dict[str, Any]) -> list[str]:
    sampling = chat.sampling
    refused = chat.protocol != NAME and is_openai_reasoner(target)
    for name in ("temperature", "top_p"):
        value = getattr(sampling, name)
        if value is not None and refused:
            writer.mark_dropped(name, "the model does not take it")
        elif value is not None:
            document[name] = value
    for name, parameter in _UNKNOWN:
        value = getattr(sampling, name)
        if value is None:
            continue
        if chat.protocol == NAME:
            document[name] = value
        else:
            writer.mark_dropped(parameter, "the provider's protocol has no such field")
    if sampling.top_logprobs is not None:
        document["top_logprobs"] = sampling.top_logprobs
    return [LOGPROBS] if sampling.logprobs else []


def _reasoning(chat: Chat, target: Target, writer: ItemWriter, document: dict[str, Any]) -> bool:
    """Write `reasoning`; True when the encrypted thoughts are wanted, so that they can come back on the next turn."""
    reasoning, own = chat.reasoning, chat.protocol == NAME
    if reasoning is None:
        return False
    if not own and takes_no_reasoning(target):
        if reasoning.enabled is not False:
            writer.mark_dropped("reasoning", "the model does not reason")
        return False
    given: dict[str, Any] = {}
    if reasoning.enabled is False:
        given["effort"] = _lowest(target)
    elif reasoning.effort:
        given["effort"] = reasoning.effort
    elif reasoning.budget is not None:
        given["effort"] = effort_of(reasoning.budget)
    if reasoning.summary:
        given["summary"] = reasoning.summary
    elif reasoning.show or (reasoning.show is None and reasoning.budget is not None):
        given["summary"] = "auto"
    if given:
        document["reasoning"] = given
    thinks = bool(given) or reasoning.enabled is True or reasoning.adaptive
    return reasoning.encrypted or (not own and thinks and reasoning.enabled is not False)


def _lowest(target: Target) -> str:
    """The effort that is nearest to none."""
    if knows_effort_none(target):
        return "none"
    return "low" if is_o_series(target) else "minimal"


def _text(chat: Chat) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if chat.format is not None:
        text["format"] = _format(chat.format)
    if chat.verbosity:
        text["verbosity"] = chat.verbosity
    return text


def _format(form: Format) -> dict[str, Any]:
    if form.kind == "json":
        return {"type": "json_object"}
    encoded: dict[str, Any] = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema or {}}
    if form.description:
        encoded["description"] = form.description
    if form.strict is not None:
        encoded["strict"] = form.strict
    return encoded


def _plain_fields(chat: Chat, writer: ItemWriter, document: dict[str, Any]) -> None:
    if chat.service_tier in _TIERS or (chat.service_tier and chat.protocol == NAME):
        document["service_tier"] = chat.service_tier
    elif chat.service_tier:
        writer.mark_dropped("service_tier", "the provider has no such tier")
    if chat.user:
        document["user"] = chat.user
    if chat.metadata:
        document["metadata"] = dict(chat.metadata)
    if chat.cache_key:
        document["prompt_cache_key"] = chat.cache_key
    if chat.speech is not None:
        writer.mark_dropped("speech", "this model does not speak")
    if chat.image:
        writer.mark_dropped("image", "this model answers with text only")


def _extras(chat: Chat, document: dict[str, Any]) -> frozenset[str]:
    """Put fields back that have no canonical word; all in this protocol, of Chat Completions those that are shared."""
    if chat.protocol == NAME:
        carried = frozenset(chat.extras)
    elif chat.protocol == "openai.chat":
        carried = _SHARED.intersection(chat.extras)
    else:
        carried = frozenset[str]()
    for path in carried:
        outer, _, inner = path.partition(".")
        if inner:
            document.setdefault(outer, {})[inner] = chat.extras[path]
        else:
            document[path] = chat.extras[path]
    return carried
