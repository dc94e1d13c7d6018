"""Cohere's chat, version 2, spoken from the upstream's side: answers, streams and errors in the official shapes.

Sources: the official OpenAPI document (`ChatResponseV2`, `StreamedChatResponseV2`), https://docs.cohere.com/docs/streaming
(2026-11-22), and recordings of real answers.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from anygate.sandbox.answer import Answer, Headers, Step, sse
from anygate.sandbox.cohere_reply import Reply, reply_to
from anygate.sandbox.cohere_request import check_request, invalid
from anygate.sandbox.counting import TOKEN_BYTES, pieces
from anygate.sandbox.json_values import Json, as_text, is_object
from anygate.sandbox.refusal import Refused
from anygate.sandbox.speaker import Ask, Memory

HUGE_PIECE_BYTES: Final = 16_384
ERROR_AFTER: Final = 3  # blocks of a stream: the head and two deltas
_COMMON: Final[Headers] = (
    ("server", "sandbox"),
    ("set-cookie", "__cf_bm=sandbox; path=/; HttpOnly"),  # what a gateway must not hand on
)
_JSON: Final[Headers] = (("content-type", "application/json"), *_COMMON)
_EVENTS: Final[Headers] = (("content-type", "text/event-stream"), ("cache-control", "no-cache"), *_COMMON)
_BROKEN_BODY: Final = b'{"id": "garbage", "message": {"role": "assist'
_BROKEN_EVENT: Final = b'event: message-start\ndata: {"id": "garbage", "type": \n\n'
_MESSAGES: Final[Mapping[int, str]] = {
    402: "Please add or update your payment method at https://dashboard.cohere.com/billing to continue.",
    403: "this api token is not allowed to call this endpoint",
    408: "request timed out",
    500: "internal server error, please try again",
    502: "bad gateway",
    503: "all servers are temporarily unavailable, please try again in a few moments",
    504: "gateway timeout",
}


class CohereChat:
    """The speaker of `cohere.chat`."""

    def read(self, body: bytes) -> Json:
        """Body -> request."""
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Refused(400, None, "invalid json syntax") from None
        if not is_object(request):
            raise invalid("the body must be an object.")
        return request

    def model(self, request: Json) -> str:
        """The model that the body names."""
        return as_text(request.get("model"))

    def answer(self, ask: Ask) -> Answer:
        """The answer to a request."""
        check_request(ask.request, ask.model)
        reply = reply_to(ask)
        if ask.request.get("stream"):
            return Answer(200, _blocks(ask, reply), _EVENTS, stream=True)
        if "garbage" in ask.faults:
            body = _BROKEN_BODY
        elif "error-event" in ask.faults:
            body = orjson.dumps({"message": _MESSAGES[500]})
        else:
            body = orjson.dumps(_whole(ask, reply))
        return Answer(200, (body,), _JSON)

    def refuse(self, refusal: Refused, memory: Memory) -> Answer:
        """An error: a sentence and an id."""
        status = 503 if refusal.status == 529 else refusal.status
        headers = _JSON
        if refusal.retry_after is not None:
            headers = (*headers, ("retry-after", str(refusal.retry_after)))
        body = {"id": _new_id(memory), "message": _worded(refusal, status)}
        return Answer(status, (orjson.dumps(body),), headers)


SPEAKER = CohereChat()


def _worded(refusal: Refused, status: int) -> str:
    match refusal.status, refusal.code:
        case 401, _:
            absent = refusal.message.startswith("You didn't provide")
            wrong = "Incorrect API key provided. You can find your API key at https://dashboard.cohere.com/api-keys."
            return "no api key supplied" if absent else wrong
        case 404, "model_not_found":
            name = refusal.message.partition("`")[2].partition("`")[0]
            return f"model '{name}' not found, make sure the correct model ID was used and that you have access to it."
        case 429, "insufficient_quota":
            return "You have reached your monthly limit. Upgrade your key at https://dashboard.cohere.com/billing."
        case 429, _:
            return "Please wait and try again later: you are past the per minute request limit for this model."
        case _:
            return _MESSAGES.get(status, refusal.message)


def _new_id(memory: Memory) -> str:
    text = memory.new_id("")
    return f"{text[:8]}-0000-4000-8000-{text[-12:]}"


def _whole(ask: Ask, reply: Reply) -> Json:
    content: list[Json] = [{"type": "thinking", "thinking": reply.thought}] if reply.thought else []
    if reply.text or not (reply.calls or reply.thought or reply.plan):
        content.append({"type": "text", "text": reply.text})
    message: Json = {"role": "assistant"}
    for name, value in (
        ("content", content),
        ("tool_plan", reply.plan),
        ("tool_calls", reply.calls),
        ("citations", reply.citations),
    ):
        if value:
            message[name] = value
    answer: Json = {"id": _new_id(ask.memory), "message": message, "finish_reason": reply.finish}
    if "no-usage" not in ask.faults:
        answer["usage"] = reply.usage
    if ask.request.get("logprobs"):
        answer["logprobs"] = [_logprob(piece) for piece in pieces(reply.text)]
    return answer


def _logprob(piece: str) -> Json:
    """Made-up but stable: every token is nearly sure."""
    return {
        "text": piece,
        "token": piece,
        "token_ids": list(piece.encode()),
        "logprob": -0.03125,
        "logprobs": [-0.03125],
    }


def _events(ask: Ask, reply: Reply) -> Iterator[Json]:
    empty: Json = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"id": _new_id(ask.memory), "type": "message-start", "delta": {"message": empty}}
    index = 0
    if reply.thought:
        yield from _content(index, "thinking", reply.thought, TOKEN_BYTES)
        index += 1
    for piece in pieces(reply.plan):
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for number, call in enumerate(reply.calls):
        yield from _call(number, call)
    if reply.text or not (reply.calls or reply.thought or reply.plan):
        size = HUGE_PIECE_BYTES if "huge" in ask.faults else TOKEN_BYTES
        *said, end = _content(index, "text", reply.text, size)
        for event in said:
            measured = ask.request.get("logprobs") and event["type"] == "content-delta"
            more = {"logprobs": _logprob(event["delta"]["message"]["content"]["text"])} if measured else {}
            yield {**event, **more}
        for number, citation in enumerate(reply.citations):
            yield {"type": "citation-start", "index": number, "delta": {"message": {"citations": citation}}}
            yield {"type": "citation-end", "index": number}
        yield end
    delta: Json = {"finish_reason": reply.finish}
    yield {"type": "message-end", "delta": delta if "no-usage" in ask.faults else {**delta, "usage": reply.usage}}


def _content(index: int, kind: str, text: str, size: int) -> Iterator[Json]:
    yield {"type": "content-start", "index": index, "delta": {"message": {"content": {"type": kind, kind: ""}}}}
    for piece in pieces(text, size):
        yield {"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: piece}}}}
    yield {"type": "content-end", "index": index}


def _call(index: int, call: Json) -> Iterator[Json]:
    opening = {**call, "function": {**call["function"], "arguments": ""}}
    yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": opening}}}
    for piece in pieces(call["function"]["arguments"], 2 * TOKEN_BYTES):
        delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
        yield {"type": "tool-call-delta", "index": index, "delta": delta}
    yield {"type": "tool-call-end", "index": index}


def _blocks(ask: Ask, reply: Reply) -> Iterator[Step]:
    """The stream, in blocks that leave together: the start with what opens the first content, then one by one."""
    if "garbage" in ask.faults:
        yield _BROKEN_EVENT
        yield b"\xff\xfe<html>not an event stream</html>\n\n"
        return
    events = _events(ask, reply)
    head = sse(next(events))
    for number, event in enumerate(events):
        if number == 0 and event["type"] == "content-start":
            head += sse(event)
            continue
        if head:
            yield head
            head = b""
        if number == ERROR_AFTER and "error-event" in ask.faults:
            yield sse({"type": "message-end", "delta": {"error": _MESSAGES[500], "finish_reason": "ERROR"}})
            return
        yield sse(event)
    if "no-done" not in ask.faults:
        yield b"data: [DONE]\n\n"
