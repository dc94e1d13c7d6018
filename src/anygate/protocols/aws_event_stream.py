"""AWS event streams: the binary messages in which Bedrock wraps an Anthropic stream -> the SSE of Anthropic's own API.

Sources: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream (the encoding) and
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html (chunks, exceptions); 2026-11-22.
"""

import base64
import binascii
import re
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple, cast
from zlib import crc32

import orjson

from anygate.protocols.sse import frame

MAX_MESSAGE_BYTES = 24 * 1024 * 1024
"""What AWS allows for one message; a longer one is taken for a broken stream."""

_PRELUDE = struct.Struct(">III")  # total length, length of the headers, checksum of the two
_WORD = struct.Struct(">I")
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # type of a header's value -> its size
_BYTES, _STRING = 6, 7
_EVENT_NAME = re.compile(r"\w+", re.ASCII)
_METRICS = "amazon-bedrock-invocationMetrics"  # what Bedrock adds to the last event and Anthropic does not know
_ERROR_TYPES = {
    "throttlingException": "rate_limit_error",
    "validationException": "invalid_request_error",
    "modelTimeoutException": "timeout_error",
    "serviceUnavailableException": "overloaded_error",
}
"""Bedrock's exception -> Anthropic's error type; `api_error` for the others."""


class Message(NamedTuple):
    """One message; of the headers only those with text are kept."""

    headers: Mapping[str, str]
    payload: bytes


class _Broken(Exception):
    """The bytes are no event stream; the text says where."""


def encode_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message with these text headers, as it goes over the wire.

    Raises:
        ValueError: a header's name is longer than 255 bytes, or its value than 32767.
    """
    head = bytearray()
    for name, value in headers.items():
        key, text = name.encode(), value.encode()
        if not 0 < len(key) <= 255 or len(text) > 32_767:
            raise ValueError(f"the header {name!r} is too long")
        head += struct.pack(f">B{len(key)}sBH", len(key), key, _STRING, len(text)) + text
    lengths = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    message = lengths + _WORD.pack(crc32(lengths)) + head + payload
    return message + _WORD.pack(crc32(message))


def encode_chunk(event: bytes) -> bytes:
    """One event of a model's stream (its JSON) as Bedrock sends it."""
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return encode_message(headers, orjson.dumps({"bytes": base64.b64encode(event).decode()}))


class AwsEventStream:
    """Bedrock's stream, in any slices -> what Anthropic would have sent, frame by frame.

    An exception message becomes an `error` event. Bytes that are no message, and an end inside one, do too; nothing
    follows either. Never raises.

    Attributes:
        stopped: by one of these.
    """

    __slots__ = ("_rest", "stopped")

    def __init__(self) -> None:
        self._rest = bytearray()
        self.stopped = False

    def feed(self, block: bytes) -> bytes:
        """The frames of all messages that are complete now."""
        if self.stopped:
            return b""
        self._rest += block
        frames: list[bytes] = []
        start = 0
        try:
            while (size := _size(self._rest, start)) is not None:
                end = start + size
                if end > len(self._rest):
                    break
                frames.append(self._frame(_message(bytes(self._rest[start:end]))))
                start = end
                if self.stopped:
                    break
        except _Broken as broken:
            frames.append(self._stop("api_error", f"The upstream's stream is broken: {broken}."))
        if self.stopped:
            self._rest.clear()
        else:
            del self._rest[:start]
        return b"".join(frames)

    def finish(self) -> bytes:
        """The body is over; what is left of a message that never became complete is an error."""
        if self.stopped or not self._rest:
            return b""
        self._rest.clear()
        return self._stop("api_error", "The upstream's stream broke off inside a message.")

    def _frame(self, message: Message) -> bytes:
        kind = message.headers.get(":message-type", "")
        if kind == "event":
            if message.headers.get(":event-type") != "chunk":
                return b""  # `initial-response` and what else AWS may announce
            return _chunk(message.payload)
        if kind == "exception":
            name = message.headers.get(":exception-type", "")
            return self._stop(_ERROR_TYPES.get(name, "api_error"), _reason(message.payload) or name)
        code, text = (message.headers.get(name, "") for name in (":error-code", ":error-message"))
        return self._stop("api_error", text or code)

    def _stop(self, kind: str, message: str) -> bytes:
        self.stopped = True
        error = {"type": kind, "message": message or "The upstream ended the stream with an error."}
        return frame(orjson.dumps({"type": "error", "error": error}), "error")


def _size(data: bytearray, start: int) -> int | None:
    """The length of the message that begins at `start`; None while its prelude is not complete."""
    if len(data) - start < _PRELUDE.size:
        return None
    total, headers, checksum = _PRELUDE.unpack_from(data, start)
    if crc32(data[start : start + 8]) != checksum:
        raise _Broken("a prelude's checksum is wrong")
    if not headers + 16 <= total <= MAX_MESSAGE_BYTES:
        raise _Broken("a message's length cannot be")
    return int(total)


def _message(data: bytes) -> Message:
    """A complete message."""
    _, length, _ = _PRELUDE.unpack_from(data)
    if crc32(data[:-4]) != _WORD.unpack_from(data, len(data) - 4)[0]:
        raise _Broken("a message's checksum is wrong")
    return Message(_headers(data[12 : 12 + length]), data[12 + length : -4])


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 0
    try:
        while place < len(data):
            end = place + 1 + data[place]
            name, kind = data[place + 1 : end].decode(), data[end]
            place = end + 1
            if kind in _FIXED:
                place += _FIXED[kind]
            elif kind in (_BYTES, _STRING):
                size = int.from_bytes(data[place : place + 2])
                value = data[place + 2 : place + 2 + size]
                place += 2 + size
                if kind == _STRING:
                    found[name] = value.decode()
            else:
                raise _Broken("a header's type is unknown")
    except (IndexError, UnicodeDecodeError):
        raise _Broken("a message's headers cannot be read") from None
    if place != len(data):
        raise _Broken("a message's headers cannot be read")
    return found


def _chunk(payload: bytes) -> bytes:
    """The event that a chunk carries in base64, as a frame."""
    wrapped = _object(payload)
    text = wrapped.get("bytes")
    if not isinstance(text, str):
        raise _Broken("a chunk carries no bytes")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _Broken("a chunk's bytes are no base64") from None
    event = _object(data)
    if event.pop(_METRICS, None) is not None or b"\n" in data or b"\r" in data:
        data = orjson.dumps(event)
    kind = event.get("type")
    return frame(data, kind if isinstance(kind, str) and _EVENT_NAME.fullmatch(kind) else "")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _Broken("a chunk is no JSON") from None
    if not isinstance(value, dict):
        raise _Broken("a chunk is no JSON object")
    return cast("dict[str, Any]", value)


def _reason(payload: bytes) -> str:
    """The message of an exception; "" where it says nothing that can be read."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return ""
    message = cast("dict[str, Any]", body).get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else ""
