"""OpenAI Chat Completions, the plain answer: usage and delivered text read off bytes that travel untouched.

Source: https://platform.openai.com/docs/api-reference/chat/object (2026-11-20).
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Observed
from anygate.protocols.json_values import object_or_none
from anygate.protocols.lenient_json import UNREADABLE, last_object, load, load_object, unwrap_object
from anygate.protocols.openai_chat.text import text_of_choices
from anygate.protocols.openai_chat.usage import Figures, classes, decode_usage


class _Usual(msgspec.Struct, gc=False):
    """The parts of a plain answer that money needs, as most have them; everything else is skipped unread."""

    usage: Figures | None = None
    error: Any = None


class _Head(msgspec.Struct):
    """The same of an answer that has them otherwise."""

    usage: dict[str, Any] | None = None
    error: Any = None
    choices: msgspec.Raw = msgspec.Raw(b"[]")
    x_groq: Any = None


_decode_usual = msgspec.json.Decoder(_Usual).decode
_decode_head = msgspec.json.Decoder(_Head).decode


def observe_answer(body: bytes) -> Observed | None:
    """A complete plain answer, or None if it is no JSON object.

    A JSON answer wrapped in base64, as some cloud gateways hand on, is unwrapped to be observed; such a wrapped one passes
    even where its text was cut off.
    """
    try:
        usual = _decode_usual(body)
    except UNREADABLE:
        return _observe_closely(body)
    figures = usual.usage
    if figures is None or not (figures.prompt_tokens or figures.completion_tokens or figures.total_tokens):
        return _observe_closely(body)
    return Observed(classes(figures), 0, as_error(usual.error) if usual.error else None)


def _observe_closely(body: bytes) -> Observed | None:
    try:
        head = _decode_head(body)
    except UNREADABLE:
        document = load_object(body)
        if document is None:
            inner = unwrap_object(body)
            return Observed(observe_tail(inner), 0) if inner is not None else None
        usage = usage_of(object_or_none(document.get("usage")), document.get("x_groq"))
        choices = document.get("choices")
        error = document.get("error")
    else:
        usage, error = usage_of(head.usage, head.x_groq), head.error
        choices = load(bytes(head.choices)) if usage is None else None
    if usage is not None:
        return Observed(usage, 0, as_error(error))
    return Observed(None, text_of_choices(choices, "message"), as_error(error))


def observe_tail(tail: bytes) -> Usage | None:
    """The usage in the last bytes of a plain answer too large to be kept (audio, images): it stands near the end."""
    usage = last_object(tail, "usage")
    return decode_usage(usage) if usage is not None else None


def decode_error(body: bytes) -> Mapping[str, Any] | None:
    """The `error` object of a refusal (or the whole body where it has none), or None where the body is no object."""
    document = load_object(body)
    if document is None:
        return None
    error = document.get("error", document)
    return {"message": error} if isinstance(error, str) else object_or_none(error)


def usage_of(usage: Mapping[str, Any] | None, x_groq: Any) -> Usage | None:
    """The usage that an answer or a chunk reports; Groq's streams have it in `x_groq`."""
    if not usage and isinstance(x_groq, dict):
        usage = object_or_none(cast("dict[str, Any]", x_groq).get("usage"))
    if not usage:
        return None
    return decode_usage(usage)


def as_error(error: Any) -> Mapping[str, Any] | None:
    """An `error` field as an object; what is empty (null, "", {}, false) says that there was none."""
    if not error:
        return None
    return cast("dict[str, Any]", error) if isinstance(error, dict) else {"message": str(error)}
