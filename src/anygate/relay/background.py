"""Answers that are made in the background: asked for, left alone, and looked at later.

The gateway makes them itself, whatever upstream serves the model: as a stream that it reads for nobody, so that the
request is held for, failed over, metered and paid like any other. Its client may leave; it goes on in this process. While it
runs the process renews a mark; where that expires, the process has died, and the answer has failed.
Source: https://platform.openai.com/docs/guides/background (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from anygate.canonical.chat_events import Started
from anygate.canonical.errors import InternalError, InvalidRequest
from anygate.edge.exchange import RelayExchange
from anygate.observe.record import Record
from anygate.protocols import json_spans
from anygate.protocols.chat_codec import ChatCodec, Reply
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.json_values import object_of
from anygate.protocols.sse import SseDecoder
from anygate.relay.background_run import CANCELLED, ENDED, RUN, Run, cancelled, failed, follow_run
from anygate.relay.gateway import Gateway
from anygate.relay.history import KeptAnswer, find_answer

_MARK_SECONDS = 30 * 86_400.0
_STREAM = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


def is_wanted(request: ChatRequest) -> bool:
    """Shall the answer be made in the background?

    Raises:
        InvalidRequest: it shall, but may not be kept.
    """
    if request.document.get("background") is not True:
        return False
    if request.document.get("store") is False:
        raise InvalidRequest(
            "`background` needs `store`: an answer that is not kept cannot be looked at", param="store"
        )
    return True


class Background(msgspec.Struct):
    """A request whose answer is made in the background.

    Attributes:
        request: the same as a stream that is waited for; its history is in place.
        queued: the answer object before anything of it was made.
        stream: the client wants to see it being made.
    """

    request: ChatRequest
    queued: dict[str, Any]
    stream: bool


def prepare(codec: ChatCodec, record: Record, said: Mapping[str, Any], request: ChatRequest) -> Background:
    """Before money is held.

    Args:
        codec: the client's protocol.
        record: of the request.
        said: its document as the client sent it.
        request: with what the gateway keeps of its history.

    Raises:
        InvalidRequest, UnsupportedContent: it cannot be read.
    """
    document = {name: value for name, value in request.document.items() if name != "background"}
    document["stream"] = True
    made = codec.read(orjson.dumps(document), {})
    again = msgspec.structs.replace(
        made,
        text_bytes=request.text_bytes,
        continued=request.continued,
        previous=request.previous,
        spans=json_spans.members(made.raw),
    )
    return Background(again, _queued(codec, record, said, again), request.stream)


async def start(gateway: Gateway, record: Record, background: Background, exchange: RelayExchange) -> RelayExchange:
    """Answer the client, and give the exchange to make the answer for. The request's money is held."""
    run = Run(gateway, record, background.request.document, background.queued)
    gateway.runs[run.place] = run
    run.keep()
    await gateway.keeper.settled()  # another process may be asked for it at once
    if background.stream:
        exchange.head(200, [*_STREAM, *gateway.own_headers(exchange, record, 0.0)])
        gateway.spawn(follow_run(run, exchange, -1))
    else:
        headers = [(b"content-type", b"application/json"), *gateway.own_headers(exchange, record, 0.0)]
        exchange.answer(200, headers, orjson.dumps(run.answer))
        exchange.body.discard()
    return run.start(exchange)


async def state_of(gateway: Gateway, user_id: int, kept: KeptAnswer) -> dict[str, Any]:
    """A kept answer as it is now.

    Raises:
        LedgerUnavailable: what is kept cannot be read.
    """
    name, keeper = kept.answer["id"], gateway.keeper
    if not kept.answer.get("background"):
        return kept.answer
    if await keeper.find(user_id, CANCELLED, name) is not None:
        return cancelled(kept.answer)
    if kept.answer["status"] in ENDED:
        return kept.answer
    status = await keeper.find(user_id, RUN, name)
    if status is not None:
        return {**kept.answer, "status": status.decode()}
    again = await find_answer(keeper, user_id, name)  # it may have ended since
    if again is not None and again.answer["status"] in ENDED:
        return again.answer
    return failed(kept.answer, "The process that made this response has ended; ask again")


async def cancel(gateway: Gateway, user_id: int, kept: KeptAnswer) -> dict[str, Any]:
    """Stop making an answer; what was delivered so far is paid. One that has ended stays as it is, and is returned.

    Source: https://platform.openai.com/docs/guides/background (2026-11-22): cancelling is idempotent.

    Raises:
        InvalidRequest: it is not made in the background.
        LedgerUnavailable: what is kept cannot be read.
    """
    name = kept.answer["id"]
    if not kept.answer.get("background"):
        raise InvalidRequest("Cannot cancel a synchronous response", param="response_id")
    answer = await state_of(gateway, user_id, kept)
    if answer["status"] in ENDED:
        return answer
    gateway.keeper.keep(user_id, CANCELLED, name, b"1", _MARK_SECONDS)
    run = gateway.runs.get((user_id, name))
    if run is not None:
        run.cancel()
    await gateway.keeper.settled()
    return cancelled(answer)


async def follow(gateway: Gateway, exchange: RelayExchange, record: Record, name: str, after: int) -> bool:
    """Send the events of an answer that is being made here, those that have come and those to come.

    Args:
        gateway: the process's.
        exchange: the client's.
        record: of this request.
        name: the answer's id.
        after: the number of the last event that the client has; -1: none.

    Returns False, and nothing was sent, where it is not made here.
    """
    run = gateway.runs.get((record.user_id, name))
    if run is None:
        return False
    record.status, record.stream = 200, True
    exchange.head(200, [*_STREAM, *gateway.own_headers(exchange, record, 0.0)])
    await follow_run(run, exchange, after)
    return True


def _queued(codec: ChatCodec, record: Record, said: Mapping[str, Any], request: ChatRequest) -> dict[str, Any]:
    """The answer object before anything of it was made: as its stream would begin."""
    if codec.decode_request is None or codec.stream_encoder is None:
        raise InternalError
    chat = codec.decode_request(request)
    reply = Reply(record.request_id.replace("-", ""), record.model, record.started_ms // 1000, chat)
    decoder = SseDecoder()
    events = decoder.feed(codec.stream_encoder(reply).feed([Started("", record.model, reply.created)]))
    begun = object_of(events[0].data)["response"]
    previous = said.get("previous_response_id")
    return {**begun, "status": "queued", "background": True, "previous_response_id": previous}
