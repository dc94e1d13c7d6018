"""A Chat Completions request in canonical words.

Source: https://platform.openai.com/docs/api-reference/chat/create (2026-11-22). What has no canonical word is kept in
`Chat.extras` under its own name.
"""

from typing import Any, cast

from anygate.canonical.chat import Chat, Format, Sampling, Speech
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.json_values import Object, as_list, as_object, as_text
from anygate.protocols.openai_chat.decode_messages import Messages
from anygate.protocols.openai_chat.decode_tools import decode_choice, decode_tools
from anygate.protocols.openai_chat.dialect import NAME
from anygate.protocols.openai_chat.fields import (
    wanted_flag,
    wanted_list,
    wanted_number,
    wanted_object,
    wanted_text,
    wanted_whole,
)
from anygate.protocols.openai_chat.live_search import FIELD as LIVE_SEARCH
from anygate.protocols.openai_chat.live_search import decode_live_search
from anygate.protocols.openai_chat.reasoning import FIELDS as REASONING_FIELDS
from anygate.protocols.openai_chat.reasoning import decode_reasoning

LEGACY_NOTE = "functions"
"""A null under this name in `Chat.extras` says that the client asked with `functions`: it is answered so."""

_UNDERSTOOD = REASONING_FIELDS | {
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "image_config",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "response_format",
    "safety_identifier",
    LIVE_SEARCH,
    "seed",
    "service_tier",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
}


def decode_request(request: ChatRequest) -> Chat:
    """The client's request.

    Raises:
        InvalidRequest: a field that translation must understand has a wrong type or shape.
    """
    document = request.document
    messages = Messages(cast("list[Any]", document["messages"]))
    reasoning, extras = decode_reasoning(document)
    extras |= {name: value for name, value in document.items() if name not in _UNDERSTOOD and value is not None}
    extras |= messages.extras
    live_search, unsaid = decode_live_search(document)
    extras |= unsaid
    if live_search and document.get("web_search_options") is not None:
        extras["web_search_options"] = document["web_search_options"]
    options = {
        name: value for name, value in as_object(document.get("stream_options")).items() if name != "include_usage"
    }
    if options:
        extras["stream_options"] = options
    if document.get("functions") is not None:
        extras[LEGACY_NOTE] = None
    form = _format(document, extras)
    user = wanted_text(document, "user", "user")
    known_as = wanted_text(document, "safety_identifier", "safety_identifier")
    if user and known_as:
        extras["safety_identifier"] = known_as
    return Chat(
        protocol=NAME,
        model=request.model,
        turns=tuple(messages.turns),
        system=tuple(messages.system),
        tools=(*decode_tools(document, search=not live_search), *live_search),
        tool_choice=decode_choice(document),
        parallel_tools=wanted_flag(document, "parallel_tool_calls"),
        output_limit=request.limit,
        stop=_stop(document),
        choices=request.choices,
        sampling=_sampling(document),
        format=form,
        reasoning=reasoning,
        verbosity=wanted_text(document, "verbosity", "verbosity"),
        modalities=tuple(str(kind) for kind in wanted_list(document, "modalities", "modalities")),
        speech=_speech(document),
        image=wanted_object(document, "image_config", "image_config"),
        service_tier=wanted_text(document, "service_tier", "service_tier"),
        user=user or known_as,
        metadata=wanted_object(document, "metadata", "metadata"),
        cache_key=request.cache_key,
        stream=request.stream,
        include_usage=request.include_usage,
        extras=extras,
    )


def _stop(document: Object) -> tuple[str, ...]:
    value = document.get("stop")
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    sequences = as_list(value)
    if not isinstance(value, list) or not all(isinstance(sequence, str) for sequence in sequences):
        raise InvalidRequest("`stop` must be a string or a list of strings", param="stop")
    return tuple(sequence for sequence in sequences if sequence)


def _sampling(document: Object) -> Sampling:
    bias = wanted_object(document, "logit_bias", "logit_bias")
    return Sampling(
        temperature=wanted_number(document, "temperature"),
        top_p=wanted_number(document, "top_p"),
        top_k=wanted_whole(document, "top_k"),
        seed=wanted_whole(document, "seed"),
        presence_penalty=wanted_number(document, "presence_penalty"),
        frequency_penalty=wanted_number(document, "frequency_penalty"),
        logit_bias=bias or None,
        logprobs=wanted_flag(document, "logprobs") is True,
        top_logprobs=wanted_whole(document, "top_logprobs"),
    )


def _format(document: Object, extras: Object) -> Format | None:
    """`response_format`; a kind that nobody documented goes to `extras`."""
    body = wanted_object(document, "response_format", "response_format")
    match body.get("type"):
        case None | "text":
            if body and "type" not in body:
                extras["response_format"] = body
            return None
        case "json_object":
            return Format("json")
        case "json_schema":
            inner = wanted_object(body, "json_schema", "response_format.json_schema")
            schema = inner.get("schema")
            strict = inner.get("strict")
            return Format(
                "schema",
                as_object(schema) if schema is not None else None,
                as_text(inner.get("name")),
                as_text(inner.get("description")),
                strict if isinstance(strict, bool) else None,
            )
        case _:
            extras["response_format"] = body
            return None


def _speech(document: Object) -> Speech | None:
    """`audio` {voice, format}; a voice of one's own is an object."""
    if document.get("audio") is None:
        return None
    body = wanted_object(document, "audio", "audio")
    voice = body.get("voice")
    plain = isinstance(voice, str) and body.keys() <= {"voice", "format"}
    return Speech(as_text(voice), as_text(body.get("format")), "" if plain else NAME, {} if plain else body)
