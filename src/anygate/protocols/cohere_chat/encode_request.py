"""A canonical chat as a Cohere request for an upstream.

Sources: https://docs.cohere.com/reference/chat, https://docs.cohere.com/docs/structured-outputs,
https://docs.cohere.com/docs/reasoning (2026-11-22).
"""

import re
from typing import Any

from anygate.canonical.chat import Chat, Format
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.chat_codec import Encoded, Target
from anygate.protocols.cohere_chat.encode_messages import encode_messages
from anygate.protocols.cohere_chat.encode_tools import encode_tools, upstream_names
from anygate.protocols.cohere_chat.writing import Writing
from anygate.protocols.effort import budget_of
from anygate.protocols.json_values import Object
from anygate.protocols.leftovers import dropped_extras

_MOST_STOPS = 5
_MOST_TOP_K = 500
_LARGEST_SEED = (1 << 64) - 1
_THINKS = re.compile(r"reasoning|command-a-plus")
_OWN = frozenset({"documents", "citation_options", "safety_mode", "priority"})
"""Cohere's own fields, which a client of another protocol may send beside that protocol's."""


def encode_request(chat: Chat, target: Target) -> Encoded:
    """The request's body.

    Raises:
        UnsupportedContent: content, a tool or a form of answer that Cohere's protocol does not have.
    """
    names = upstream_names(chat)
    writing = Writing(chat, target, names)
    _refuse(writing)
    document: Object = {"model": target.model, "messages": encode_messages(writing)}
    encode_tools(writing, document)
    if target.limit is not None:
        document["max_tokens"] = target.limit
    if chat.stop:
        document["stop_sequences"] = list(chat.stop[:_MOST_STOPS])
    _sampling(writing, document)
    if chat.format is not None:
        document["response_format"] = _format(chat.format)
    _reasoning(writing, document)
    _hints(writing)
    for name in _OWN & chat.extras.keys():
        if chat.extras[name] is not None:
            document[name] = chat.extras[name]
    if chat.stream:
        document["stream"] = True
    dropped = (*writing.dropped, *dropped_extras(chat, _OWN))
    return Encoded(document, dropped, {name: own for own, name in names.items()}, chat.stop[_MOST_STOPS:])


def _refuse(writing: Writing) -> None:
    """What changes the answer itself and cannot be had.

    Raises:
        UnsupportedContent: several answers, or other forms than text.
    """
    chat = writing.chat
    if chat.choices != 1:
        raise UnsupportedContent("The provider of this model gives one answer", param=writing.param("choices"))
    for kind in chat.modalities:
        if kind.lower() != "text":
            raise UnsupportedContent(f"The provider of this model gives no {kind}", param=writing.param("modalities"))
    if chat.speech is not None:
        raise UnsupportedContent("The provider of this model does not speak", param=writing.param("speech"))


def _sampling(writing: Writing, document: Object) -> None:
    sampling = writing.chat.sampling
    _bounded(writing, document, "temperature", "temperature", sampling.temperature, 0, 1)
    _bounded(writing, document, "top_p", "p", sampling.top_p, 0.01, 0.99)
    _bounded(writing, document, "top_k", "k", sampling.top_k, 0, _MOST_TOP_K)
    for name in ("presence_penalty", "frequency_penalty"):
        _bounded(writing, document, name, name, getattr(sampling, name), 0, 1)
    if sampling.seed is not None and 0 <= sampling.seed <= _LARGEST_SEED:
        document["seed"] = sampling.seed
    elif sampling.seed is not None:
        writing.drop("seed", "the provider takes none below 0")
    if sampling.logit_bias:
        writing.drop("logit_bias", "the provider does not take it")
    if sampling.logprobs:
        document["logprobs"] = True
    if sampling.top_logprobs:
        writing.drop("top_logprobs", "the provider tells those of the chosen tokens only")


def _bounded(
    writing: Writing, document: Object, attribute: str, field: str, value: float | None, least: float, most: float
) -> None:
    """A figure inside the provider's bounds; the nearest one where the client's is outside, and the client is told."""
    if value is None:
        return
    document[field] = min(max(value, least), most)
    if document[field] != value:
        writing.drop(attribute, f"the provider takes {least} to {most}; it was sent as {document[field]}")


def _format(form: Format) -> Object:
    body: Object = {"type": "json_object"}
    if form.schema is not None:
        body["json_schema"] = form.schema
    return body


def _reasoning(writing: Writing, document: Object) -> None:
    """How much to think, for the models that do."""
    asked = writing.chat.reasoning
    if asked is None:
        return
    wanted = asked.enabled is True or asked.adaptive or bool(asked.effort) or asked.budget is not None
    if _THINKS.search(writing.target.model) is None:
        if wanted and asked.enabled is not False:
            writing.drop("reasoning", "the model does not think")
        return
    if asked.enabled is False:
        document["thinking"] = {"type": "disabled"}
    elif wanted:
        thinking: dict[str, Any] = {"type": "enabled"}
        budget = asked.budget or (budget_of(asked.effort) if asked.effort else 0)
        if budget > 0:
            limit = writing.target.limit
            thinking["token_budget"] = budget if limit is None else max(1, min(budget, limit))
        document["thinking"] = thinking


def _hints(writing: Writing) -> None:
    """Hints that Cohere has no field for."""
    chat = writing.chat
    for attribute in ("verbosity", "cache_key", "user", "metadata", "image"):
        if getattr(chat, attribute):
            writing.drop(attribute, "the provider does not take it")
    if chat.service_tier not in ("", "auto", "default", "standard_only"):
        writing.drop("service_tier", "the provider has no tiers")
