"""OpenAI's Responses API, spoken from the upstream's side: answers, streams, state and WebSocket in the official shapes.

Source: https://platform.openai.com/docs/api-reference/responses and the official OpenAPI document (`Response`,
`ResponseStreamEvent`, `CompactResource`), which tests validate every answer against (2026-11-22).
"""

from collections.abc import Iterator
from typing import Final

import orjson

from anygate.sandbox.answer import Answer, Headers, Step, sse
from anygate.sandbox.json_values import Json, as_text
from anygate.sandbox.openai_chat import SPEAKER as CHAT
from anygate.sandbox.openai_chat import read
from anygate.sandbox.refusal import Refused
from anygate.sandbox.responses_create import compact, count_input, create
from anygate.sandbox.responses_events import events
from anygate.sandbox.responses_object import failed
from anygate.sandbox.responses_pages import page
from anygate.sandbox.responses_socket import FaultsOf, ResponsesSocket
from anygate.sandbox.responses_state import Responses
from anygate.sandbox.speaker import Ask, Memory

_COMMON: Final[Headers] = (
    ("server", "sandbox"),
    ("openai-organization", "org-sandbox"),
    ("openai-processing-ms", "1"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("set-cookie", "__cf_bm=sandbox; path=/; HttpOnly"),  # what a gateway must not hand on
)
_JSON: Final[Headers] = (("content-type", "application/json"), *_COMMON)
_EVENTS: Final[Headers] = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    *_COMMON,
)
_BROKEN_EVENT: Final = b'event: response.created\ndata: {"type":"response.created","response":{"id":\n\n'
_BROKEN_BODY: Final = b'{"id": "resp_garbage", "object": "response", "output": [{"type": "mess'


class OpenaiResponses:
    """The speaker of `openai.responses`: `chat...` creates, `responses....` are the operations on what is stored."""

    def read(self, body: bytes) -> Json:
        """Body -> request; requests without a body are empty."""
        return read(body) if body else {}

    def model(self, request: Json) -> str:
        """The model that the body names."""
        return as_text(request.get("model"))

    def answer(self, ask: Ask) -> Answer:
        """The answer to a request."""
        name = ask.values.get("response_id", "")
        match ask.operation:
            case "responses.retrieve":
                return _retrieve(ask, name)
            case "responses.delete":
                shown = Responses(ask).delete(name)
            case "responses.cancel":
                shown = Responses(ask).cancel(name)
            case "responses.input_items":
                shown = page(Responses(ask).find(name).items, ask.query)
            case "responses.input_tokens":
                shown = count_input(ask)
            case "responses.compact":
                shown = compact(ask)
            case "responses.websocket":
                raise Refused(426, "upgrade_required", "This address is for WebSocket connections only.")
            case _:
                return _create(ask)
        return _plain(ask, shown)

    def socket(self, ask: Ask, faults_of: FaultsOf, heard: list[str]) -> ResponsesSocket:
        """A conversation over a WebSocket; see `SocketSpeaker`."""
        if ask.operation != "responses.websocket":
            raise Refused(400, None, f"There are no WebSocket connections for {ask.operation}.")
        return ResponsesSocket(ask, faults_of, heard)

    def refuse(self, refusal: Refused, memory: Memory) -> Answer:
        """An error, as OpenAI's other APIs show it."""
        return CHAT.refuse(refusal, memory)


SPEAKER = OpenaiResponses()


def _create(ask: Ask) -> Answer:
    stored = create(ask)
    if ask.request.get("stream"):
        return _stream(ask, events(ask, stored.response))
    if "garbage" in ask.faults:
        return Answer(200, (_BROKEN_BODY,), _headers(ask, _JSON))
    return _plain(ask, failed(stored.shown) if "error-event" in ask.faults else stored.shown)


def _retrieve(ask: Ask, name: str) -> Answer:
    stored = Responses(ask).looked_at(name)
    if ask.query.get("stream") != "true":
        return _plain(ask, stored.shown)
    after = ask.query.get("starting_after", "-1")
    if not after.removeprefix("-").isdecimal():
        raise Refused(
            400, "invalid_type", "Invalid type for 'starting_after': expected an integer.", param="starting_after"
        )
    told = events(stored.ask, stored.response)
    return _stream(ask, (event for event in told if event["sequence_number"] > int(after)))


def _headers(ask: Ask, headers: Headers) -> Headers:
    return (*headers, ("x-request-id", ask.memory.new_id("req_")))


def _plain(ask: Ask, body: Json) -> Answer:
    return Answer(200, (orjson.dumps(body),), _headers(ask, _JSON))


def _stream(ask: Ask, told: Iterator[Json]) -> Answer:
    if "garbage" in ask.faults:
        blocks: tuple[Step, ...] = (_BROKEN_EVENT, b"\xff\xfe<html>not an event stream</html>\n\n")
        return Answer(200, blocks, _headers(ask, _EVENTS), stream=True)
    return Answer(200, _blocks(told), _headers(ask, _EVENTS), stream=True)


def _blocks(told: Iterator[Json]) -> Iterator[Step]:
    for event in told:
        yield sse(event)
