"""What the gateway reads of a chat request in any protocol, and the strict reading of its JSON.

Gateway and upstream must never read different requests, so a repeated key is refused rather than resolved.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
import orjson

from anygate.canonical.errors import InvalidRequest, RequestTooLarge
from anygate.protocols import json_spans
from anygate.protocols.json_spans import Buffer

SMALL_BYTES = 1 << 16
LARGEST_LIMIT = 1 << 31
LONGEST_MODEL = 512
MOST_MARKS = 1 << 21
"""Brackets, quotes and commas in a body. No model reads so many tokens, and reading them would hold everybody else up."""

_SLICE = 1 << 20
_TOO_DEEP = f"The body is nested deeper than {json_spans.MAX_DEPTH} levels"


Measure = Callable[[dict[str, Any], list[Any]], tuple[int, dict[str, int], bool]]


class ChatRequest(msgspec.Struct):
    """A chat request: its bytes, and the little that we read of them.

    Attributes:
        limit: output tokens per choice that the client allows; None: it names no limit, or 0.
        text_bytes: UTF-8 bytes of everything that becomes input tokens, media aside.
        media: parts of each kind ("image", "audio", "file", "video").
        continued: the history holds an assistant turn.
        opening: the list of turns; its beginning names the conversation.
        previous: the id of the answer that this request continues, where the upstream keeps answers.
        stream_form: "" is SSE; "array" a JSON array (Gemini without `alt=sse`).
    """

    raw: Buffer
    document: dict[str, Any]
    model: str
    stream: bool
    choices: int
    limit: int | None
    limit_fields: tuple[str, ...]
    include_usage: bool
    audio_output: bool
    text_bytes: int
    media: dict[str, int]
    continued: bool
    opening: list[Any]
    previous: str = ""
    stream_form: str = ""
    spans: list[json_spans.Member] | None = None

    @property
    def cache_key(self) -> str:
        """The client's own name for the conversation, or ""."""
        value = self.document.get("prompt_cache_key")
        return value if isinstance(value, str) else ""

    @property
    def wants_no_answer(self) -> bool:
        """Its limit is 0: where the upstream knows that, only the input is read, to warm a cache, and paid."""
        return self.limit is None and any(self.document.get(name) == 0 for name in self.limit_fields)


def decode_object(raw: Buffer) -> tuple[dict[str, Any], list[json_spans.Member] | None]:
    """A JSON object whose top-level keys are each there once, and their spans if they had to be found for that.

    Raises:
        InvalidRequest: as `load_body` and `check_keys`.
    """
    document = load_body(raw)
    return document, check_keys(raw, document)


def load_body(raw: Buffer) -> dict[str, Any]:
    """The JSON object that a body is; of keys that are there twice it holds the last.

    Raises:
        InvalidRequest: not JSON, not UTF-8 or no object.
        RequestTooLarge: it is of more parts than MOST_MARKS.
    """
    if len(raw) > MOST_MARKS and _marks(raw) > MOST_MARKS:
        raise RequestTooLarge(f"The body holds more than {MOST_MARKS} brackets, quotes and commas")
    try:
        document: Any = orjson.loads(raw if type(raw) is bytes else memoryview(raw))
    except orjson.JSONDecodeError as error:
        if "depth" in error.msg or "recursion" in error.msg.lower():
            raise InvalidRequest(_TOO_DEEP) from None
        raise InvalidRequest(f"The body is not valid JSON: {error.msg} (at character {error.pos})") from None
    if type(document) is not dict:
        raise InvalidRequest("The body must be a JSON object")
    return cast("dict[str, Any]", document)


def _marks(raw: Buffer) -> int:
    """Brackets that open, quotes and commas."""
    pieces = (raw[start : start + _SLICE] for start in range(0, len(raw), _SLICE))
    return sum(piece.count(mark) for piece in pieces for mark in (b"{", b"[", b'"', b","))


def check_keys(raw: Buffer, document: dict[str, Any]) -> list[json_spans.Member] | None:
    """Where the body's members are, if that had to be found out to check their keys; None: each is there once for sure.

    Args:
        raw: the body.
        document: what `load_body` read of it.

    Raises:
        InvalidRequest: nested too deep, or a key twice that gateway and upstream could read differently.
    """
    if type(raw) is bytes and len(raw) <= SMALL_BYTES and _is_as_written(raw, document):
        return None
    try:
        spans = json_spans.members(raw)
    except json_spans.TooDeep:
        raise InvalidRequest(_TOO_DEEP) from None
    _refuse_repeats([member.name for member in spans], "")
    if isinstance(document.get("stream_options"), dict):
        inner = next(member for member in spans if member.name == "stream_options")
        _refuse_repeats([member.name for member in json_spans.members(raw, inner.value_start)], "stream_options.")
    return spans


def _is_as_written(raw: bytes, document: dict[str, Any]) -> bool:
    """A quick yes for most bodies: but for spaces the text is what we would write of the object that was read.

    Then reading it has lost nothing: neither a key, at whatever depth, nor how one was spelled.
    """
    try:
        written = orjson.dumps(document)
    except orjson.JSONEncodeError:  # too deep
        return False
    return (raw == written or msgspec.json.format(raw, indent=-1) == written) and json_spans.shallow(document)


def has_only(strings: int, raw: bytes, document: dict[str, Any]) -> bool:
    """A quick yes for a shallow body that holds so many keys and texts: there are no more, so no key is there twice.

    Quotes begin and end them. One inside a text stands behind a backslash, or is written by its number; so a key that
    is there twice, however it is spelled, brings two too many.

    Args:
        strings: all keys and texts that `document` holds.
        raw: the body, not larger than SMALL_BYTES.
        document: what `load_body` read of it.
    """
    if raw.find(b"\\") < 0:
        return raw.count(b'"') == 2 * strings
    if raw == orjson.dumps(document):  # texts of several lines, as SDKs write them
        return True
    # The quote behind two backslashes may be a text's end.
    return b"\\\\" not in raw and raw.count(b'"') - raw.count(b'\\"') == 2 * strings


def first_repeated(names: Sequence[str]) -> str | None:
    """The first name that was there before; None: each is there once."""
    if len(set(names)) == len(names):
        return None
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _refuse_repeats(names: Sequence[str], prefix: str) -> None:
    repeated = first_repeated(names)
    if repeated is not None:
        raise InvalidRequest(f"`{prefix}{repeated}` is given twice", param=prefix + repeated)


def count_field(document: Mapping[str, Any], name: str) -> int:
    """A count of tokens.

    Raises:
        InvalidRequest: it is no whole number from 0.
    """
    value = document[name]
    if type(value) is not int or not 0 <= value <= LARGEST_LIMIT:
        raise InvalidRequest(f"`{name}` must be a whole number, not below 0", param=name)
    return value


def read_model(document: Mapping[str, Any]) -> str:
    """The body's `model`.

    Raises:
        InvalidRequest: there is none, or it is no name.
    """
    model = document.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("`model` must be the name of a model", param="model")
    if len(model) > LONGEST_MODEL:
        raise InvalidRequest(f"`model` is longer than {LONGEST_MODEL} characters", param="model")
    return model


def read_stream(document: Mapping[str, Any]) -> bool:
    """The body's `stream`; absent or null is false.

    Raises:
        InvalidRequest: it is no truth value.
    """
    stream = document.get("stream")
    if stream is not None and stream is not True and stream is not False:
        raise InvalidRequest("`stream` must be true or false", param="stream")
    return stream is True


def read_turns(raw: Buffer, limit_field: str, measure: Measure) -> ChatRequest:
    """A request whose body holds `model`, `messages` and `stream`, and one limit of the output.

    Args:
        raw: the body.
        limit_field: the limit's name; 0 is no limit that could be held.
        measure: (document, messages) -> bytes of input text, media by kind, whether an assistant has spoken.

    Raises:
        InvalidRequest: as `decode_object`, or a field that we read has a wrong type.
    """
    document, spans = decode_object(raw)
    model = read_model(document)
    messages = document.get("messages")
    if not isinstance(messages, list):
        raise InvalidRequest("`messages` must be a list of messages", param="messages")
    messages = cast("list[Any]", messages)
    named = document.get(limit_field) is not None
    text_bytes, media, continued = measure(document, messages)
    return ChatRequest(
        raw=raw,
        document=document,
        model=model,
        stream=read_stream(document),
        choices=1,
        limit=(count_field(document, limit_field) or None) if named else None,
        limit_fields=(limit_field,) if named else (),
        include_usage=False,
        audio_output=False,
        text_bytes=text_bytes,
        media=media,
        continued=continued,
        opening=messages,
        spans=spans,
    )
