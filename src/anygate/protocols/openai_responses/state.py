"""Responses that are kept: what stands for one in a following request, and how it is listed. Pure; the store is elsewhere.

Source: https://platform.openai.com/docs/guides/conversation-state and
https://platform.openai.com/docs/api-reference/responses/input-items (2026-11-22).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from anygate.canonical.chat import Chat
from anygate.protocols.chat_codec import ChatState, StreamEncoder
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.json_values import as_list, as_objects, as_text
from anygate.protocols.openai_responses.decode import STATE_FIELDS
from anygate.protocols.openai_responses.json_values import dumps
from anygate.protocols.openai_responses.measure import measure
from anygate.protocols.openai_responses.response_object import response_object
from anygate.protocols.openai_responses.stream_encode import ResponsesStreamEncoder

__all__ = ["STATE", "conversation_of", "echoing", "input_items", "references", "response_object", "with_history"]

_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "image_generation_call": "ig",
    "code_interpreter_call": "ci",
    "local_shell_call": "lsh",
    "local_shell_call_output": "lsho",
    "item_reference": "msg",
}
_WITH_STATUS = frozenset(
    {"message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"}
)


def conversation_of(chat_input_items: Any, output_items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The items that stand for a stored response in a request that continues it: what was asked, then what was answered.

    Args:
        chat_input_items: the stored request's `input`, a text or a list; with the history that it continued itself.
        output_items: the stored response's `output`. All are kept in order: a call without the reasoning before it would
            be refused, or would cost the model its train of thought.
    """
    return [*_given(chat_input_items), *(dict(item) for item in output_items)]


def with_history(request: ChatRequest, history: Sequence[Mapping[str, Any]]) -> ChatRequest:
    """The request with its history in place of the id that stood for it; instructions are not inherited.

    Raises:
        InvalidRequest: an entry of `input` is no object.
    """
    items = [*history, *_given(request.document.get("input"))]
    document = {name: value for name, value in request.document.items() if name not in STATE_FIELDS}
    document["input"] = items
    text_bytes, media, continued = measure(document, items)
    return msgspec.structs.replace(
        request,
        raw=dumps(document),
        document=document,
        text_bytes=text_bytes,
        media=media,
        continued=continued,
        opening=items,
        previous="",
        spans=None,
    )


def echoing(chat: Chat, document: Mapping[str, Any]) -> Chat:
    """The request as its response repeats it: with the ids of the client's `document` that the gateway resolved.

    For `Reply.chat` only; an encoder of another protocol would name these fields as dropped.
    """
    conversation = document.get("conversation")
    if isinstance(conversation, str):
        conversation = {"id": conversation}
    kept = {"previous_response_id": document.get("previous_response_id"), "conversation": conversation}
    given = {name: value for name, value in kept.items() if value is not None}
    return msgspec.structs.replace(chat, extras={**chat.extras, **given})


def input_items(document: Mapping[str, Any], id_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """The items of a request as `GET /v1/responses/{id}/input_items` lists them, in the order in which they were given.

    Args:
        document: the request's body, its history included (see `with_history`).
        id_of: a prefix ("msg", "fc", ...) -> a new id that begins with it, for items that came without one.
    """
    return [_listed(item, id_of) for item in _given(document.get("input"))]


def _given(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    return [dict(item) for item in as_objects(value)]


def _listed(item: dict[str, Any], id_of: Callable[[str], str]) -> dict[str, Any]:
    kind = as_text(item.get("type")) or ("message" if "role" in item else "item_reference")
    listed: dict[str, Any] = {**item, "type": kind}
    if not listed.get("id"):
        listed["id"] = id_of(_PREFIXES.get(kind, "item"))
    if kind in _WITH_STATUS and not listed.get("status"):
        listed["status"] = "completed"
    if kind == "message":
        listed["content"] = _content(item)
    return listed


def _content(item: Mapping[str, Any]) -> list[Any]:
    """Parts in full: a bare text as a part, an answer's text with its lists, an image with its detail."""
    assistant = item.get("role") == "assistant"
    content = item.get("content")
    kind = "output_text" if assistant else "input_text"
    parts = [{"type": kind, "text": content}] if isinstance(content, str) else as_list(content)
    full: list[Any] = []
    for part in as_objects(parts):
        match part.get("type"):
            case "output_text" | "input_text" if assistant:
                full.append({"annotations": [], "logprobs": [], **part, "type": "output_text"})
            case "input_image":
                full.append({"detail": "auto", **part})
            case _:
                full.append(part)
    return full


_MADE_ID = re.compile(rb'"id"\s*:\s*"(resp_[A-Za-z0-9_-]{1,256})"')


def made_id(beginning: bytes) -> str:
    """The id of the response whose bytes begin so (a plain answer, or the first event of a stream); "" if none is seen."""
    found = _MADE_ID.search(beginning)
    return found[1].decode() if found is not None else ""


def wants_keeping(document: Mapping[str, Any]) -> bool:
    """Responses are kept unless `store` is false; a background one must be, to be found again."""
    return document.get("store") is not False or document.get("background") is True


_NAMES_THINGS = frozenset({"file_id", "file_ids", "vector_store_ids"})


def references(request: ChatRequest) -> list[str]:
    """Files and vector stores that a request names, wherever in its tools, its input and what fills its prompt template."""
    document = request.document
    found: list[str] = []
    waiting: list[Any] = [document.get("tools"), document.get("input"), document.get("prompt")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += cast("list[Any]", value)
        elif isinstance(value, dict):
            for name, inner in cast("dict[str, Any]", value).items():
                if name in _NAMES_THINGS:
                    given = cast("list[Any]", inner) if isinstance(inner, list) else [inner]
                    found += (item for item in given if isinstance(item, str) and item)
                elif isinstance(inner, dict | list):
                    waiting.append(inner)
    return found


def answer_of(encoder: StreamEncoder) -> Mapping[str, Any]:
    """The response object with which the encoder's stream ended."""
    return encoder.response if isinstance(encoder, ResponsesStreamEncoder) else {}


STATE = ChatState(made_id, wants_keeping, with_history, conversation_of, input_items, echoing, answer_of)
"""How responses are kept."""
