"""A canonical chat as a Chat Completions request for an upstream.

Sources: https://platform.openai.com/docs/api-reference/chat/create and .../guides/reasoning (2026-11-22), recorded refusals.
"""

import re
from typing import Any

from anygate.canonical.chat import Chat, Format
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.chat_codec import Encoded, Target
from anygate.protocols.json_values import Object, as_object
from anygate.protocols.leftovers import dropped_extras
from anygate.protocols.openai_chat.dialect import NAME, has, searches
from anygate.protocols.openai_chat.encode_messages import encode_messages
from anygate.protocols.openai_chat.encode_tools import encode_tools, upstream_names
from anygate.protocols.openai_chat.reasoning import encode_reasoning
from anygate.protocols.openai_chat.writing import Writing
from anygate.protocols.openai_models import is_openai_reasoner

_MOST_STOPS = 4
_MESSAGE_FIELD = re.compile(r"messages\[(-\d+)\]\.(.+)")
_NOT_NAME = re.compile(r"[^A-Za-z0-9_-]")
_TIERS = ("auto", "default", "flex", "priority")
_ON_DEMAND_TIERS = {"auto": "auto", "flex": "flex", "default": "on_demand"}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def encode_request(chat: Chat, target: Target) -> Encoded:
    """The request's body.

    Raises:
        UnsupportedContent: content, a tool or a form of answer that the upstream's protocol does not have.
    """
    names = upstream_names(chat)
    writing = Writing(chat, target, names)
    document: Object = {"model": target.model, "messages": encode_messages(writing)}
    encode_tools(writing, document)
    _limits(writing, document)
    stop = _stop(writing, document)
    _sampling(writing, document)
    reasoning, dropped = encode_reasoning(chat, target)
    document |= reasoning
    if chat.format is not None:
        document["response_format"] = _format(chat.format)
    _modalities(writing, document)
    _about(writing, document)
    if chat.stream:
        document["stream"] = True
        if not has(target, "no_stream_options"):
            document["stream_options"] = {"include_usage": True}
    if writing.is_own:
        _put_back(chat, document)
    else:
        dropped += dropped_extras(chat)
    return Encoded(document, (*writing.dropped, *dropped), {name: own for own, name in names.items()}, stop)


def _limits(writing: Writing, document: Object) -> None:
    limit, target = writing.target.limit, writing.target
    if limit is not None:
        field = "max_completion_tokens" if is_openai_reasoner(target) else target.limit_field or "max_tokens"
        document[field] = limit
    if writing.chat.choices != 1:
        document["n"] = writing.chat.choices


def _stop(writing: Writing, document: Object) -> tuple[str, ...]:
    """Write the sequences; those that the upstream does not take are returned, for the gateway to watch for."""
    stop = writing.chat.stop
    if not stop:
        return ()
    if is_openai_reasoner(writing.target):
        return stop
    most = _MOST_STOPS if has(writing.target, "openai_models") else len(stop)
    document["stop"] = list(stop[:most])
    return stop[most:]


def _sampling(writing: Writing, document: Object) -> None:
    """Parameters of sampling; OpenAI's reasoning and search models refuse them all."""
    sampling, target = writing.chat.sampling, writing.target
    reasons = is_openai_reasoner(target)
    refused = reasons or (has(target, "openai_models") and searches(target))
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "logit_bias"):
        value = getattr(sampling, name)
        if value is None:
            continue
        if refused and not (reasons and name == "seed"):
            writing.drop(name, "the model does not take it")
        else:
            document[name] = value
    if sampling.top_k is not None:
        if writing.is_own or has(target, "top_k"):
            document["top_k"] = sampling.top_k
        else:
            writing.drop("top_k", "the provider does not take it")
    if sampling.logprobs and refused:
        writing.drop("logprobs", "the model gives none")
    elif sampling.logprobs:
        document["logprobs"] = True
        if sampling.top_logprobs is not None:
            document["top_logprobs"] = sampling.top_logprobs


def _format(form: Format) -> Object:
    if form.kind == "json":
        return {"type": "json_object"}
    inner: Object = {"name": _NOT_NAME.sub("_", form.name)[:64] or "answer"}
    if form.description:
        inner["description"] = form.description
    if form.schema is not None:
        inner["schema"] = form.schema
    if form.strict is not None:
        inner["strict"] = form.strict
    return {"type": "json_schema", "json_schema": inner}


def _modalities(writing: Writing, document: Object) -> None:
    """Forms of the answer other than text.

    Raises:
        UnsupportedContent: OpenAI's chat draws no images.
    """
    chat, target = writing.chat, writing.target
    if "image" in chat.modalities and has(target, "openai_models") and not writing.is_own:
        raise UnsupportedContent("The provider of this model gives no images here", param=writing.param("modalities"))
    if chat.modalities:
        kinds = list(chat.modalities)
        if not writing.is_own and "audio" in kinds and "text" not in kinds:
            kinds.insert(0, "text")  # refused alone
        document["modalities"] = kinds
    speech = chat.speech
    if speech is not None and speech.protocol == NAME and speech.raw:
        document["audio"] = dict(speech.raw)
    elif speech is not None or "audio" in chat.modalities:
        voice, form = (speech.voice, speech.format) if speech is not None else ("", "")
        document["audio"] = {"voice": voice or "alloy", "format": form or ("pcm16" if chat.stream else "wav")}
        if speech is not None and speech.raw:
            writing.drop("speech", "the provider knows but a voice and a format")
    if chat.image:
        if writing.is_own or has(target, "reasoning_object"):  # OpenRouter's field
            document["image_config"] = {_CAMEL.sub("_", name).lower(): value for name, value in chat.image.items()}
        else:
            writing.drop("image", "the provider does not take it")


def _about(writing: Writing, document: Object) -> None:
    """Hints that are no part of the conversation."""
    chat = writing.chat
    knows = writing.is_own or has(writing.target, "openai_models")
    for field, attribute, value in (
        ("verbosity", "verbosity", chat.verbosity),
        ("prompt_cache_key", "cache_key", chat.cache_key),
        ("user", "user", chat.user),
    ):
        if value and knows:
            document[field] = value
        elif value:
            writing.drop(attribute, "the provider does not take it")
    if chat.metadata and writing.is_own:
        document["metadata"] = dict(chat.metadata)
    elif chat.metadata:
        writing.drop("metadata", "the provider takes it with stored answers only")
    tier = _tier(writing)
    if tier:
        document["service_tier"] = tier
    elif chat.service_tier:
        writing.drop("service_tier", "the provider does not take it")


def _tier(writing: Writing) -> str:
    """The upstream's word for the tier; "" where it has none."""
    tier = "default" if writing.chat.service_tier == "standard_only" else writing.chat.service_tier
    if has(writing.target, "on_demand_tier"):
        return _ON_DEMAND_TIERS.get(tier, tier if writing.is_own and tier not in _TIERS else "")
    return tier if writing.is_own or (has(writing.target, "openai_models") and tier in _TIERS) else ""


def _put_back(chat: Chat, document: Object) -> None:
    """Fields without canonical words, where they stood."""
    messages: list[Any] = document["messages"]
    for name, value in chat.extras.items():
        place = _MESSAGE_FIELD.fullmatch(name)
        if value is None:
            continue
        if place is not None:
            index = int(place[1])
            if messages:  # a message that says nothing may have been left out, with what stood in it
                messages[index if -index <= len(messages) else 0][place[2]] = value
        elif name == "stream_options":
            document[name] = as_object(document.get(name)) | value
        elif "." in name:
            outer, *inner = name.split(".")
            if outer not in chat.extras:
                document[outer] = _inside(document.get(outer), inner, value)
        else:
            document[name] = value


def _inside(holder: object, path: list[str], value: Any) -> Object:
    """The object with a value put in under the names of the path."""
    name, *rest = path
    body = as_object(holder)
    return body | {name: _inside(body.get(name), rest, value) if rest else value}
