"""Anthropic Messages, spoken from the upstream's side: answers, streams, token counts and errors in the official shapes.

Sources: the API's OpenAPI document (`Message`, `MessageStreamEvent`, `ErrorResponse`, `CountMessageTokensResponse`);
tests validate every answer and event against it.
"""

from collections.abc import Iterator
from typing import Final

import orjson

from anygate.providers.table import Auth
from anygate.sandbox.answer import Answer, Headers, Step, sse
from anygate.sandbox.anthropic_errors import error_object, in_anthropics_words, invalid
from anygate.sandbox.anthropic_events import events_of, grouped, message_of
from anygate.sandbox.anthropic_reply import Reply, prompt_tokens, reply_to
from anygate.sandbox.anthropic_request import check_request
from anygate.sandbox.json_values import Json, as_text, is_object
from anygate.sandbox.refusal import Refused, by_status
from anygate.sandbox.speaker import Ask, Memory

AUTHS: Final = (Auth("x-api-key", "{key}"), Auth())
"""The API takes a key in its own header, and as the bearer that newer SDKs send."""

ERROR_AFTER: Final = 3  # blocks of a stream: the head and two deltas
_COMMON: Final[Headers] = (
    ("server", "sandbox"),
    ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
    ("anthropic-ratelimit-requests-limit", "10000"),
    ("anthropic-ratelimit-requests-remaining", "9999"),
    ("set-cookie", "__cf_bm=sandbox; path=/; HttpOnly"),  # what a gateway must not hand on
)
_JSON: Final[Headers] = (("content-type", "application/json"), *_COMMON)
_EVENTS: Final[Headers] = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    *_COMMON,
)
BROKEN_BODY: Final = b'{"model": "garbage", "id": "msg_garbage", "type": "message", "role": "assist'
_BROKEN_EVENT: Final = b'event: message_start\ndata: {"type": "message_start", "message": {"id": \n\n'
_RETRIED: Final = frozenset((408, 409, 429, 529))


def read(body: bytes) -> Json:
    """Body -> request. See `Speaker.read`."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"The request body is not valid JSON: {error.msg}: line {error.lineno} column {error.colno}"
        raise invalid(f"{message} (char {error.pos})") from None
    if not is_object(request):
        raise invalid("Input should be a valid dictionary or object to extract fields from")
    return request


def stream_error(ask: Ask) -> Json:
    """The error that the fault `error-event` sends."""
    return error_object(in_anthropics_words(by_status(529, ask.model, 1)), ask.memory.new_id("req_"))


class AnthropicMessages:
    """The speaker of `anthropic.messages`."""

    def read(self, body: bytes) -> Json:
        """Body -> request."""
        return read(body)

    def model(self, request: Json) -> str:
        """The model that the body names."""
        return as_text(request.get("model"))

    def answer(self, ask: Ask) -> Answer:
        """The answer to a request."""
        check_request(ask)
        request_id = (("request-id", ask.memory.new_id("req_")),)
        if ask.operation == "count_tokens":
            body = orjson.dumps({"input_tokens": prompt_tokens(ask)})
            return Answer(200, (body,), (*_JSON, *request_id))
        reply = reply_to(ask)
        if ask.request.get("stream") or ask.streamed:
            return Answer(200, _blocks(ask, reply), (*_EVENTS, *request_id), stream=True)
        return Answer(200, (plain_body(ask, reply),), (*_JSON, *request_id))

    def refuse(self, refusal: Refused, memory: Memory) -> Answer:
        """An error."""
        request_id = memory.new_id("req_")
        worded = in_anthropics_words(refusal)
        retried = worded.status >= 500 or worded.status in _RETRIED
        headers = (*_JSON, ("request-id", request_id), ("x-should-retry", "true" if retried else "false"))
        if worded.retry_after is not None:
            headers = (*headers, ("retry-after", str(worded.retry_after)))
        return Answer(worded.status, (orjson.dumps(error_object(worded, request_id)),), headers)


def plain_body(ask: Ask, reply: Reply) -> bytes:
    """The body of an answer that is no stream, with the faults that concern it."""
    if "garbage" in ask.faults:
        return BROKEN_BODY
    if "error-event" in ask.faults:
        return orjson.dumps(stream_error(ask))
    return orjson.dumps(message_of(ask, reply))


def _blocks(ask: Ask, reply: Reply) -> Iterator[Step]:
    """The stream, in blocks that leave together."""
    if "garbage" in ask.faults:
        yield _BROKEN_EVENT
        yield b"\xff\xfe<html>not an event stream</html>\n\n"
        return
    for number, events in enumerate(grouped(events_of(ask, reply))):
        if number == ERROR_AFTER and "error-event" in ask.faults:
            yield sse(stream_error(ask))
            return
        yield b"".join([sse(event) for event in events])


SPEAKER = AnthropicMessages()
