"""Parts of a client's turns -> blocks.

Source: https://ai.google.dev/api/caching#Content and #Part (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, TypeGuard, cast

import orjson

from anygate.canonical.blocks import Block, Media, Signature, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.errors import InvalidRequest
from anygate.protocols import json_spans
from anygate.protocols.google_gemini.names import MAKER, PROTOCOL_NAME, made_id
from anygate.protocols.google_gemini.native_parts import native_item
from anygate.protocols.google_gemini.wire import Message, listed, message, text_of
from anygate.protocols.media_type import kind_of
from anygate.protocols.signature_tag import untag

_DATA = frozenset(
    [
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    ]
)
_MEDIA_SIDE = frozenset({"videoMetadata", "mediaResolution", "mediaProcessing", "partMetadata"})
_MESSAGES = ("inlineData", "fileData", "functionCall", "functionResponse")
_HOMES = ("https://generativelanguage.googleapis.com/", "gs://")
"""Where URLs point that only the account behind one upstream can read."""


class CallIds:
    """Ids for calls and results that came without: a result answers the oldest open call of its name.

    A call may have an id and its result none: the SDK's helper for results takes only a name.
    """

    __slots__ = ("_count", "_open")

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        self._count = 0

    def call(self, name: str, given: str) -> str:
        """The id of the next call; `given`: the one that it came with, or ""."""
        call_id = given or self._made()
        self._open.append((name, call_id))
        return call_id

    def result(self, name: str, given: str) -> str:
        """The id of the call that a result answers; a new one where there is none."""
        for entry in self._open:
            if entry[1] == given if given else entry[0] == name:
                self._open.remove(entry)
                return entry[1]
        return given or self._made()

    def _made(self) -> str:
        self._count += 1
        return made_id("", 0, self._count - 1)


def decode_parts(turn: Mapping[str, Any], place: str, ids: CallIds) -> tuple[Block, ...]:
    """The blocks of a turn, one for each part that holds something.

    Raises:
        InvalidRequest: a part is no object, holds two things at once, or a field of it has a wrong type.
    """
    blocks: list[Block] = []
    for index, item in enumerate(listed(turn.get("parts"), f"{place}.parts")):
        where = f"{place}.parts[{index}]"
        part = message(item, where)
        for name in _MESSAGES:
            if name in part:
                part[name] = message(part[name], f"{where}.{name}")
        block = _block(part, where, ids)
        if block is None:
            continue
        if is_foreign(block):
            block = join_thoughts(blocks, block)
        blocks.append(block)
    return tuple(blocks)


def is_foreign(block: Block) -> TypeGuard[Thinking]:
    """Is it a thought that another provider than Google signed?"""
    return isinstance(block, Thinking) and block.signature is not None and block.signature.maker not in ("", MAKER)


def join_thoughts(blocks: list[Block], last: Thinking) -> Thinking:
    """Thoughts that a client collected piece by piece, and whose foreign signature covers all of them.

    Args:
        blocks: what stands before; the pieces are taken away from its end.
        last: the signed piece.
    """
    texts = [last.text]
    while blocks and isinstance(held := blocks[-1], Thinking) and held.signature is None:
        texts.insert(0, held.text)
        blocks.pop()
    text = "".join(texts)
    return Thinking(text, last.signature, redacted=not text)


def _block(part: Message, place: str, ids: CallIds) -> Block | None:
    held = _DATA.intersection(part)
    if len(held) > 1:
        raise InvalidRequest(f"`{place}` holds {' and '.join(sorted(held))}; a part holds one of them", param=place)
    signature = _signature(part, place)
    names = set(part) - {"thought", "thoughtSignature"}
    thought = part.get("thought") is True
    match next(iter(held), ""):
        case "" if not names and signature is not None:
            return _text("", signature, thought=thought)
        case "text" if len(names) == 1:
            return _text(text_of(part, "text", place), signature, thought=thought)
        case "inlineData" | "fileData" if names - held <= _MEDIA_SIDE and not thought:
            return _media(part, place, signature)
        case "functionCall" if len(names) == 1 and set(part["functionCall"]) <= {"id", "name", "args"}:
            return _call(part["functionCall"], f"{place}.functionCall", signature, ids)
        case "functionResponse" if len(names) == 1 and signature is None:
            result = _result(part["functionResponse"], f"{place}.functionResponse", ids)
            return result if result is not None else native_item(part)
        case _:
            return native_item(part)


def _signature(part: Message, place: str) -> Signature | None:
    value = text_of(part, "thoughtSignature", place)
    return untag(value) if value else None


def _text(text: str, signature: Signature | None, *, thought: bool) -> Block:
    if not thought:
        return Text(text, signature=signature)
    foreign = signature is not None and signature.maker not in ("", MAKER)
    return Thinking(text, signature, redacted=foreign and not text)


def _media(part: Message, place: str, signature: Signature | None) -> Media:
    name = "inlineData" if "inlineData" in part else "fileData"
    blob: Message = part[name]
    where = f"{place}.{name}"
    mime = text_of(blob, "mimeType", where)
    data, url = text_of(blob, "data", where), text_of(blob, "fileUri", where)
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")  # the alphabet for URLs is taken too
    if not (data or url):
        raise InvalidRequest(f"`{where}` is empty", param=where)
    side = {side: part[side] for side in _MEDIA_SIDE.intersection(part)}
    bound = url.startswith(_HOMES)
    return Media(
        kind_of(mime),
        mime,
        data,
        url="" if bound else url,
        file_id=url if bound else "",
        name=text_of(blob, "displayName", where),
        signature=signature,
        options={PROTOCOL_NAME: side} if side else {},
    )


def _call(call: Message, place: str, signature: Signature | None, ids: CallIds) -> ToolCall:
    name = text_of(call, "name", place)
    args = _object(call, "args", place)
    call_id = ids.call(name, text_of(call, "id", place))
    return ToolCall(call_id, name, orjson.dumps(args).decode(), signature=signature)


def _result(response: Message, place: str, ids: CallIds) -> ToolResult | None:
    """A function's answer; None where it says more than we have words for (a function that runs on)."""
    if not set(response) <= {"id", "name", "response", "parts"}:
        return None
    name = text_of(response, "name", place)
    call_id = ids.result(name, text_of(response, "id", place))
    text, is_error = _said(_object(response, "response", place))
    media: list[Text | Media] = []
    for index, item in enumerate(listed(response.get("parts"), f"{place}.parts")):
        where = f"{place}.parts[{index}]"
        part = message(item, where)
        kind = next((kind for kind in ("inlineData", "fileData") if kind in part), "")
        if len(part) != 1 or not kind:
            return None
        media.append(_media({kind: message(part[kind], f"{where}.{kind}")}, where, None))
    return ToolResult(call_id, (Text(text), *media), name, is_error)


def _said(response: Mapping[str, Any]) -> tuple[str, bool]:
    """The text of an answer, and whether it is an error; an object of several members is its JSON."""
    if len(response) == 1:
        (name, value), *_ = response.items()
        if name == "error" and isinstance(value, str):
            return value, True
        if name == "output" and isinstance(value, str) and parse_object(value) is None:
            return value, False
    return orjson.dumps(response).decode(), False


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None for any other text, and for one nested too deep to be sent on."""
    if not text.lstrip(" \t\r\n").startswith("{"):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, Any]", value)
    return members if json_spans.shallow(members) else None


def _object(owner: Message, name: str, place: str) -> dict[str, Any]:
    value = owner.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise InvalidRequest(f"`{place}.{name}` must be an object", param=f"{place}.{name}")
